"""How a backlog gets on: how much is left, and for how long."""

from collections.abc import Callable


class Drain:
    """Begins with ``samples`` in the backlog, on a clock of seconds."""

    def __init__(self, samples: int, clock_s: Callable[[], float]) -> None:
        self._samples = samples
        self._clock_s = clock_s
        self._since_s = clock_s()

    def ends_in_s(self, left: int) -> int | None:
        """Return how long ``left`` samples take at the pace so far; None before there is one."""
        gone = self._samples - left
        if gone <= 0:
            return None
        return round(left * (self._clock_s() - self._since_s) / gone)
