"""Notices that another client keeps coming with our client id: a copy of this box, most likely.

A broker may say that it gave our session away. Others close without a word (MQTT 3.1.1 has none,
and Mosquitto 2.0.11 sends none), and take us back at once, again and again.
"""

from collections.abc import Callable

SAID_OFTEN = 2
"""Once may be a process of ours that had not ended yet."""
CLOSED_OFTEN = 5
"""A broker that was restarted closes once, and one that refuses a message is found out by then."""
CALM_S = 3600.0
"""After so long without one it is over. Two that give way as `otgate.publish.retry` says meet
within minutes."""


class Often:
    """Counts what comes again within `CALM_S`."""

    def __init__(self, often: int, clock_s: Callable[[], float]) -> None:
        self._often = often
        self._clock_s = clock_s
        self._times = 0
        self._last_s = float("-inf")

    def once_more(self) -> bool:
        """Take note of one; tell whether it has just become often."""
        now_s = self._clock_s()
        self._times = 1 if now_s - self._last_s > CALM_S else self._times + 1
        self._last_s = now_s
        return self._times == self._often

    def __bool__(self) -> bool:
        return self._times >= self._often and self._clock_s() - self._last_s <= CALM_S


class Rivals:
    """Learns how connections end and begin."""

    def __init__(self, clock_s: Callable[[], float]) -> None:
        self._said = Often(SAID_OFTEN, clock_s)
        self._silent = Often(CLOSED_OFTEN, clock_s)
        self._closed = False

    def taken_over(self) -> bool:
        """Learn that the broker gave our session away; tell whether to say so to a person."""
        return self._said.once_more()

    def closed(self) -> None:
        """Learn that it closed a working connection without a word, and not upon a message."""
        self._closed = True

    def connected(self, *, at_once: bool) -> bool:
        """Learn that it took us back; tell whether to say so to a person."""
        closed, self._closed = self._closed, False
        return closed and at_once and self._silent.once_more()

    def sentence(self, client_id: str) -> str:
        """Say that our identity is not ours alone, or nothing where it seems to be."""
        help_ = "a copy of this box, or a second bus side of this conduit? Stop one of them"
        if self._said:
            return f"another client connects as `{client_id}` again and again: {help_}"
        if self._silent:
            return (
                "the broker closes the connection again and again, and takes the next one: does "
                f"another client connect as `{client_id}`, {help_}"
            )
        return ""
