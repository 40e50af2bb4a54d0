"""When to ask a broker whether it is there, and when it is not (§3.1.2.10), no clock of its own."""

from enum import Enum


class Due(Enum):
    """What is to be done."""

    NOTHING = "nothing"
    PING = "ping"
    END = "end"
    """The last ping was not answered, and nothing else was heard since."""


class Keepalive:
    """Asks after ``period_s`` in which nothing was sent, or nothing was heard."""

    def __init__(self, period_s: float, now_s: float) -> None:
        self.period_s = period_s
        self._sent_s = self._heard_s = now_s
        self._asked = False

    def granted(self, server_s: int | None) -> None:
        """Ask more often where the server wants that: a larger limit is only a limit."""
        if server_s:
            self.period_s = min(self.period_s, server_s)

    def sent(self, now_s: float) -> None:
        """Take note that something was handed to the network."""
        self._sent_s = now_s

    def heard(self, now_s: float) -> None:
        """Take note of a sign of the other end's life."""
        self._heard_s = now_s

    def answered(self) -> None:
        """Take note of a PINGRESP."""
        self._asked = False

    @property
    def due_s(self) -> float:
        """When something may be to be done, as far as is known now."""
        return min(self._sent_s, self._heard_s) + self.period_s

    def due(self, now_s: float) -> Due:
        """Tell what is to be done now; a ping counts as sent."""
        if now_s < self.due_s:
            return Due.NOTHING
        if self._asked:
            if now_s - self._heard_s >= self.period_s:
                return Due.END
            self._sent_s = now_s  # the ping waits behind what is under way, and that moves
            return Due.NOTHING
        self._asked = True
        self._sent_s = self._heard_s = now_s
        return Due.PING
