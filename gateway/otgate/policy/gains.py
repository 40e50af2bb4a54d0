"""What one policy lets cross that another does not, for any conceivable point.

A point gains if it crosses now and did not, or if it crosses both with a limit less: what gave it a
limit then, and nothing as strict does now. Each is a question for `otgate.policy.prover`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from otgate.policy.changes import coarsens
from otgate.policy.decide import decide, delay_of
from otgate.policy.explain import because
from otgate.policy.language import Conduit, Effect, Limits, Match, Policy, UnderTest
from otgate.policy.prover import Answer, Prover, Undecided, Witness, space_of
from otgate.policy.region import Union

AMOUNTS = ("min_interval_s", "quantize")
"""Limits of which more is stricter."""

NO_CONDUIT = "there was no such conduit"


@dataclass(frozen=True, slots=True)
class Gain:
    """A kind of point that crosses a conduit, or crosses it with more detail, where it did not."""

    conduit: str
    what: str
    """``crosses``, or the limit that is less."""
    source: str
    """The rule that lets it cross, or where the limit was."""
    before: str
    answer: Witness | Undecided | None
    """None is every point that crosses."""


class Giver(NamedTuple):
    """A limit, how strict it is, what it is for, and where it is written."""

    limit: str
    amount: float
    match: Match
    source: str


def gains(old: Policy, new: Policy) -> list[Gain]:
    """Return every rule, and every limit, by which more crosses under ``new`` than ``old``."""
    if old == new:
        return []
    comparison = Comparison(old, new)
    return [
        gain
        for conduit in new.conduits.values()
        for gain in (*comparison.crossing(conduit), *comparison.finer(conduit))
    ]


class Comparison:
    """Two policies over one space."""

    def __init__(self, old: Policy, new: Policy) -> None:
        self.space = space_of(old, new)
        self.old, self.new = Prover(old, self.space), Prover(new, self.space)

    def crossing(self, conduit: Conduit) -> Iterator[Gain]:
        """Return the rules by which points cross ``conduit`` that did not."""
        before = self.old.policy.conduits.get(conduit.id)
        for rule in self.new.rules(conduit, Effect.ALLOW):
            asked = [self.space.matched(rule.match), *self.new.undenied(conduit)]
            answer = self._newly(conduit, before, asked)
            if answer is not None:
                said = self._before(before, answer)
                yield Gain(conduit.id, "crosses", rule.name, said, answer)

    def _newly(self, conduit: Conduit, before: Conduit | None, asked: list[Union]) -> Answer:
        """Return points that are ``asked`` for and did not cross the conduit ``before``."""
        if before is None:
            return self.new.answer(conduit, asked)
        denied = [
            region
            for rule in self.old.rules(before, Effect.DENY)
            for region in self.space.matched(rule.match)
        ]
        unallowed = [
            self.space.unmatched(rule.match) for rule in self.old.rules(before, Effect.ALLOW)
        ]
        stopped = self.new.answer(conduit, [*asked, [*self.space.stopped(before), *denied]])
        if isinstance(stopped, Witness):
            return stopped
        return self.new.answer(conduit, [*asked, *unallowed]) or stopped

    def _before(self, before: Conduit | None, answer: Witness | Undecided) -> str:
        if before is None:
            return NO_CONDUIT
        if isinstance(answer, Undecided):
            return ""
        verdict = answer.verdict
        return because(decide(self.old.policy, before, verdict.device, verdict.point))

    def finer(self, conduit: Conduit) -> Iterator[Gain]:
        """Return the limits that points crossed ``conduit`` under, and do so no longer."""
        before = self.old.policy.conduits.get(conduit.id)
        if before is None:
            return
        if before.test is UnderTest.DROP and conduit.test is UnderTest.PASS:
            source = f"conduit {conduit.id}"
            yield Gain(conduit.id, "data under test", source, "dropped", None)
        crossed = [[self.old.inside(before)], *self.old.crossing(before)]
        crosses = self.new.crossing(conduit)
        yield from self._sooner(before, conduit, [*crossed, *crosses])
        now = list(givers(self.new, conduit))
        for giver in givers(self.old, before):
            less = [self.space.unmatched(other.match) for other in now if as_strict(other, giver)]
            asked = [self.space.matched(giver.match), *crossed, *crosses, *less]
            answer = self.new.answer(conduit, asked)
            if answer is not None:
                said = f"{giver.amount:g}" if giver.limit in AMOUNTS else "stripped"
                yield Gain(conduit.id, giver.limit, giver.source, said, answer)

    def _sooner(self, before: Conduit, conduit: Conduit, crosses: list[Union]) -> Iterator[Gain]:
        """Return the delay of all that crosses, where it is less."""
        was, now = delay_of(self.old.policy, before), delay_of(self.new.policy, conduit)
        if now.seconds < was.seconds:
            answer = self.new.answer(conduit, crosses)
            if answer is not None:
                said, source = f"{was.seconds:g}", " and ".join(was.asked_by)
                yield Gain(conduit.id, "delay_s", source, said, answer)


def givers(prover: Prover, conduit: Conduit) -> Iterator[Giver]:
    """Return every limit that points may cross ``conduit`` under."""
    yield from given(conduit.limits, Match(), f"conduit {conduit.id}")
    for rule in prover.rules(conduit, Effect.ALLOW):
        yield from given(rule.limits, rule.match, f"rule {rule.name}")


def given(limits: Limits, match: Match, source: str) -> Iterator[Giver]:
    """Return what ``limits`` ask of points that ``match`` holds for."""
    kinds = limits.kinds if match.kind is None else limits.kinds & match.kind
    for limit in AMOUNTS:
        if amount := getattr(limits, limit):
            yield Giver(limit, amount, replace(match, kind=kinds), source)
    for attribute in sorted(limits.strip):
        yield Giver(f"strip {attribute}", 1, match, source)


def as_strict(one: Giver, other: Giver) -> bool:
    """Tell whether ``one`` gives the limit of ``other`` or a stricter one."""
    if one.limit == "quantize" == other.limit:
        return coarsens(one.amount, other.amount)
    return one.limit == other.limit and one.amount >= other.amount
