"""Gaps that the publisher itself owes to the consumer: samples that the broker did not take."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeAlias

from otgate.model import Lane
from otgate.publish.message import Claim
from otgate.spool.items import Gap, GapReason
from otgate.spool.ranges import Ranges

Place: TypeAlias = tuple[Lane, int]
"""Lane and epoch."""

REMEMBERED_S = 120.0
"""How long announced samples are known for such; a rewind goes back half as far."""


class Owed:
    """Samples set aside, and the gaps that say so and are not sent yet."""

    def __init__(self, clock_s: Callable[[], float]) -> None:
        self._clock_s = clock_s
        self._aside: dict[Place, Ranges] = {}
        self._due: deque[Gap] = deque()
        self._announced: deque[tuple[float, Claim]] = deque()

    def begin(self) -> None:
        """Forget what is due: over a new connection the samples are read again."""
        self._due.clear()

    def set_aside(self, claim: Claim) -> None:
        """Owe a gap for the samples of ``claim``."""
        self._aside.setdefault((claim.lane, claim.epoch), Ranges()).add(*_span(claim))
        self.owe(claim)

    def owe(self, claim: Claim) -> None:
        """Have a gap announced, one with the gap before where they touch."""
        at_ns = claim.received_ns
        gap = Gap(
            claim.lane, claim.epoch, claim.first, claim.count, at_ns, at_ns, GapReason.REFUSED
        )
        if self._due and _touch(self._due[-1], gap):
            gap = _joined(self._due.pop(), gap)
        self._due.append(gap)

    def due(self) -> Iterator[Gap]:
        """Take the gaps that are to be sent now."""
        while self._due:
            yield self._due.popleft()

    @property
    def has_due(self) -> bool:
        """Whether a gap is to be sent now."""
        return bool(self._due)

    @property
    def knows_any(self) -> bool:
        """Whether any samples were set aside and may be read again."""
        return bool(self._aside)

    def knows(self, claim: Claim) -> bool:
        """Tell whether all samples of ``claim`` were set aside before."""
        aside = self._aside.get((claim.lane, claim.epoch))
        return aside is not None and not aside.missing(*_span(claim))

    def announced(self, claim: Claim) -> None:
        """Learn that the broker took the gap; it is forgotten once no rewind can reach it."""
        now_s = self._clock_s()
        self._announced.append((now_s, claim))
        while self._announced[0][0] < now_s - REMEMBERED_S:
            self._forget(self._announced.popleft()[1])

    def _forget(self, claim: Claim) -> None:
        place = claim.lane, claim.epoch
        if aside := self._aside.get(place):
            aside.remove(*_span(claim))
            if not list(aside):
                del self._aside[place]


def _span(claim: Claim) -> tuple[int, int]:
    return claim.first, claim.first + claim.count


def _touch(one: Gap, other: Gap) -> bool:
    before = one.lane, one.epoch, one.seq + one.count
    return before == (other.lane, other.epoch, other.seq)


def _joined(one: Gap, other: Gap) -> Gap:
    return replace(
        one,
        count=one.count + other.count,
        from_ns=min(one.from_ns, other.from_ns),
        to_ns=max(one.to_ns, other.to_ns),
    )
