"""Decide what a policy lets cross for any conceivable point, and show a point where it does.

Conceivable is every kind, sensitivity and zone, any set of declared tags, and any name.
What crosses a conduit is inside its guards, in the union of what its allows match, and outside
what each deny matches; `otgate.policy.solver` says whether that has points of a kind in common.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from otgate.model import Device, Point
from otgate.policy.decide import Verdict, applies, decide
from otgate.policy.globs import Tangled, named
from otgate.policy.language import Assertion, Conduit, Effect, Match, Policy, Rule
from otgate.policy.region import KINDS, LEVELS, Region, Space, Union, words
from otgate.policy.solver import Intricate, Search, common

MAX_WORK = 10_000
"""Questions about one policy, and choices tried for them, after which nothing more is decided."""


@dataclass(frozen=True, slots=True)
class Witness:
    """Conceivable points that cross, all of one region, and one of them judged."""

    verdict: Verdict
    space: Space
    region: Region
    free: Region
    """What the guards leave, and the vocabulary: an attribute as wide as this is free."""


@dataclass(frozen=True, slots=True)
class Undecided:
    """A question that would take too long, and the globs that make it so, if they do."""

    conduit: Conduit
    globs: tuple[str, ...] = ()


Answer = Witness | Undecided | None
"""Points that are asked for, or that nobody can tell, or that there are none."""


class Prover:
    """Answers questions about one policy."""

    def __init__(self, policy: Policy, space: Space) -> None:
        self.policy = policy
        self.space = space
        self.left = MAX_WORK

    def witness(self, conduit: Conduit, *asked: Union, without: Collection[Rule] = ()) -> Answer:
        """Return points that cross ``conduit`` and are in every union ``asked`` for.

        ``without`` are denies that are thought away.
        """
        return self.answer(conduit, [*asked, *self.crossing(conduit, without)])

    def crossing(self, conduit: Conduit, without: Collection[Rule] = ()) -> list[Union]:
        """Return the unions that are all that crosses ``conduit`` of what its guards let pass."""
        allowed = [
            region
            for rule in self.rules(conduit, Effect.ALLOW)
            for region in self.space.matched(rule.match)
        ]
        return [*self.undenied(conduit, without), allowed]

    def answer(self, conduit: Conduit, unions: Sequence[Union]) -> Answer:
        """Return points inside the guards of ``conduit`` that are in all of ``unions``."""
        if self.left <= 0:
            return Undecided(conduit)
        search = Search(self.left)
        try:
            found = common(self.inside(conduit), unions, search)
        except Tangled as tangled:
            return Undecided(conduit, tangled.globs)
        except Intricate:
            return Undecided(conduit)
        finally:
            self.left -= 1 + search.tries
        return None if found is None else self._shown(conduit, found)

    def inside(self, conduit: Conduit) -> Region:
        """Return the points that the guards of ``conduit`` let pass."""
        unheard = set(self.space.tags) - self.policy.tags
        admitted = self.space.admitted(conduit)
        return admitted._replace(off=self.space.tagless(unheard).off)

    def undenied(self, conduit: Conduit, without: Collection[Rule] = ()) -> list[Union]:
        """Return the unions that are all that no deny matches on ``conduit``."""
        denies = self.rules(conduit, Effect.DENY)
        return [self.space.unmatched(rule.match) for rule in denies if rule not in without]

    def rules(self, conduit: Conduit, effect: Effect) -> list[Rule]:
        """Return the rules of that effect which speak of ``conduit``."""
        return [one for one in self.policy.rules if one.effect is effect and applies(one, conduit)]

    def _shown(self, conduit: Conduit, region: Region) -> Witness:
        device, point = example(self.space, region)
        verdict = decide(self.policy, conduit, device, point)
        return Witness(verdict, self.space, region, self.inside(conduit))


def space_of(*policies: Policy, matches: Iterable[Match] = ()) -> Space:
    """Return the space of every zone that a conduit leads from, and every tag that is spoken of."""
    spoken = [*matches, *(match for policy in policies for match in matches_of(policy))]
    return Space(
        {zone for policy in policies for c in policy.conduits.values() for zone in c.from_zones},
        {tag for policy in policies for tag in policy.tags}
        | {tag for match in spoken for tag in tags_of(match)},
    )


def matches_of(policy: Policy) -> list[Match]:
    """Return every match of ``policy``."""
    return [rule.match for rule in policy.rules] + [said.never for said in policy.assertions]


def tags_of(match: Match) -> frozenset[str]:
    """Return the tags that ``match`` speaks of."""
    return match.tags_all | match.tags_none | (match.tags_any or frozenset())


def example(space: Space, region: Region) -> tuple[Device, Point]:
    """Return one point of ``region``, and a device that holds it."""
    name = named(region.names)
    if name is None:
        raise ValueError("a region without points has no example")
    device, _, point = name.partition("/")
    shown = Point(
        point,
        KINDS[lowest(region.kinds)],
        tags=frozenset(words(space.tags, region.on)),
        sensitivity=LEVELS[lowest(region.levels)],
    )
    return Device(device, "", space.zones[lowest(region.zones)], (shown,), {}, None), shown


def lowest(bits: int) -> int:
    """Return the place of the lowest bit."""
    return (bits & -bits).bit_length() - 1


def refutations(prover: Prover, assertion: Assertion) -> list[Witness | Undecided]:
    """Return what stands against ``assertion``, at most one answer per conduit; [] is a proof."""
    never = prover.space.matched(assertion.never)
    answers = [prover.witness(conduit, never) for conduit in spoken_of(prover.policy, assertion)]
    return [answer for answer in answers if answer is not None]


def spoken_of(policy: Policy, assertion: Assertion) -> list[Conduit]:
    """Return the conduits that ``assertion`` speaks of."""
    conduits = policy.conduits.values()
    return [one for one in conduits if assertion.on is None or one.id in assertion.on]
