"""What to do with an unsolicited response: TB2015-002a.

Before the first integrity poll since the start, or since a restart, data is neither delivered nor
confirmed: the outstation keeps it, and the integrity poll reads it in order. A response that is
repeated because our confirm was lost is confirmed again and not delivered again.
"""

from dataclasses import dataclass
from enum import Enum, auto

from otgate_dnp3.stack.application import CON, Response


class Verdict(Enum):
    """What becomes of an unsolicited response."""

    DELIVER = auto()
    CONFIRM = auto()
    IGNORE = auto()


@dataclass(slots=True)
class UnsolicitedCounts:
    """Unsolicited responses, by what became of them."""

    delivered: int = 0
    null: int = 0
    early: int = 0
    """Neither delivered nor confirmed: no integrity poll went before."""
    repeated: int = 0


class Unsolicited:
    """Remembers the last unsolicited response of one outstation and what became of it."""

    def __init__(self) -> None:
        self.counts = UnsolicitedCounts()
        self.forget()

    def forget(self) -> None:
        """Know no last response; for a new connection and a restarted outstation."""
        self._last: tuple[int, bytes] | None = None
        self._confirmed = False
        self.token: int | None = None
        self.sequence = 0

    def judge(self, response: Response, *, integral: bool) -> Verdict:
        """Decide on a response."""
        told = Verdict.CONFIRM if response.control & CON else Verdict.IGNORE
        if not response.objects:
            self.counts.null += 1
            return told
        if not integral:
            self.counts.early += 1
            return Verdict.IGNORE
        if (response.sequence, response.objects) == self._last:
            self.counts.repeated += 1
            return told if self._confirmed else Verdict.IGNORE
        return Verdict.DELIVER

    def delivered(self, response: Response, token: int | None) -> None:
        """Note that a response was delivered; its token replaces the last one's."""
        self.counts.delivered += 1
        self._last = response.sequence, response.objects
        self._confirmed = token is None
        self.token, self.sequence = token, response.sequence

    def confirmed(self) -> None:
        """Note that the last response was confirmed."""
        self.token, self._confirmed = None, True
