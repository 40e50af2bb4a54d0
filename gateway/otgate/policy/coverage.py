"""What a policy says nothing of, and rules that could be taken out."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from otgate.model import Device
from otgate.policy.decide import (
    Traits,
    applies,
    attributes_hold,
    delay_of,
    globbed,
    joined,
    names_hold,
    stopping,
    traits,
)
from otgate.policy.language import Conduit, Effect, Limits, Match, Policy, Rule
from otgate.policy.steps import literal


class Idle(NamedTuple):
    """A rule that could be taken out, and why."""

    rule: str
    why: str


class Coverage(NamedTuple):
    """What ``otgate policy coverage`` finds in a site."""

    points: int
    unmatched: tuple[str, ...]
    """``device/point`` of those that no rule matches on any conduit."""
    rules: tuple[Idle, ...]


def coverage(policy: Policy, devices: Sequence[Device]) -> Coverage:
    """Look at every point and every rule."""
    met = Met(policy)
    unmatched = tuple(
        f"{device.id}/{point.id}"
        for device in devices
        for point in device.points
        if not met.matching(traits(device, point), device.id, point.id)
    )
    count = sum(len(device.points) for device in devices)
    return Coverage(count, unmatched, tuple(idle_rules(policy, met)))


class Met:
    """The combinations of rules that points meet, each judged once."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        rules = policy.rules
        self.covered = {at: wide for at in range(len(rules)) for wide in covering(rules, at)}
        """Redundant rules, by number, and one that does what they do."""
        self._holding: dict[Traits, list[int]] = {}
        """Rules whose attributes hold, by what they see."""
        self._judged: set[tuple[Traits, tuple[int, ...]]] = set()
        self.delaying = {at for at in range(len(rules)) if delays(policy, at)}
        """Rules without which a conduit would have a shorter delay."""
        self.matched: set[int] = set()
        self.effective: set[int] = set()

    def matching(self, seen: Traits, device: str, point: str) -> tuple[int, ...]:
        """Return the numbers of the rules that match a point."""
        rules = self._policy.rules
        holding = self._holding.get(seen)
        if holding is None:
            holding = [at for at, rule in enumerate(rules) if attributes_hold(rule.match, seen)]
            self._holding[seen] = holding
        found = tuple(at for at in holding if names_hold(rules[at].match, device, point))
        if (seen, found) not in self._judged:
            self._judged.add((seen, found))
            self.matched.update(found)
            self.effective.update(self._effective(seen, found))
        return found

    def _effective(self, seen: Traits, found: tuple[int, ...]) -> Iterator[int]:
        """Yield those of the matching rules without which more, less or other would cross."""
        rules = self._policy.rules
        for conduit in self._policy.conduits.values():
            if stopping(conduit, seen):
                continue
            kept = (at for at in found if at not in self.covered)
            speaking = [at for at in kept if applies(rules[at], conduit)]
            denies = [at for at in speaking if rules[at].effect is Effect.DENY]
            allows = [at for at in speaking if rules[at].effect is Effect.ALLOW]
            if denies:
                yield from denies if len(denies) == 1 and allows else ()
                continue
            whole = self._joined(conduit, allows, seen)
            for at in allows:
                others = [one for one in allows if one != at]
                if not others or self._joined(conduit, others, seen) != whole:
                    yield at

    def _joined(self, conduit: Conduit, allows: Sequence[int], seen: Traits) -> object:
        limits = (self._policy.rules[at].limits for at in allows)
        return joined((conduit.limits, *limits), seen.kind)


def idle_rules(policy: Policy, met: Met) -> Iterator[Idle]:
    """Yield the rules that match nothing, are redundant, or have no effect on today's points."""
    for at, rule in enumerate(policy.rules):
        if at in met.delaying:
            continue
        if at not in met.matched:
            yield Idle(rule.name, "matches no point of this site")
        elif wider := met.covered.get(at):
            yield Idle(rule.name, f"redundant: whatever it matches, `{wider.name}` {says(wider)}")
        elif at not in met.effective:
            yield Idle(rule.name, no_effect(rule))


def delays(policy: Policy, at: int) -> bool:
    """Tell whether rule ``at`` makes the delay of a conduit what it is."""
    without = replace(policy, rules=(*policy.rules[:at], *policy.rules[at + 1 :]))
    return bool(policy.rules[at].limits.delay_s) and any(
        delay_of(without, conduit).seconds < delay_of(policy, conduit).seconds
        for conduit in policy.conduits.values()
    )


def says(wider: Rule) -> str:
    """Say what a wider rule does."""
    return "denies too" if wider.effect is Effect.DENY else "allows too, with the same limits"


def no_effect(rule: Rule) -> str:
    """Say why a rule that matches points changes nothing for them."""
    if rule.effect is Effect.DENY:
        return "without effect here: what it matches would not cross without it"
    return "without effect here: what it matches is stopped, or crosses by others as it is"


def covering(rules: Sequence[Rule], at: int) -> Iterator[Rule]:
    """Yield rules that do all that rule ``at`` does; of two that do the same, the first stays."""
    rule = rules[at]
    for other_at, other in enumerate(rules):
        if covers(other, rule) and (other_at < at or not covers(rule, other)):
            yield other


def covers(wide: Rule, narrow: Rule) -> bool:
    """Tell whether ``narrow`` changes nothing beside ``wide``, for any conceivable point."""
    conduits = wide.conduits is None or (
        narrow.conduits is not None and narrow.conduits <= wide.conduits
    )
    same = wide.effect is narrow.effect
    limited = narrow.limits in {Limits(), wide.limits}
    return conduits and same and limited and implies(narrow.match, wide.match)


def implies(narrow: Match, wide: Match) -> bool:
    """Tell whether every point that ``narrow`` matches is matched by ``wide``; a doubt is a no."""
    return (
        within(narrow.kind, wide.kind)
        and within(narrow.zone, wide.zone)
        and within(narrow.sensitivity, wide.sensitivity)
        and wide.tags_all <= narrow.tags_all
        and wide.tags_none <= narrow.tags_none
        and any_implied(narrow, wide)
        and globs_within(narrow.device, wide.device)
        and globs_within(narrow.point, wide.point)
    )


def within(narrow: frozenset[object] | None, wide: frozenset[object] | None) -> bool:
    """Tell whether one list is within the other; None is any value."""
    return wide is None or (narrow is not None and narrow <= wide)


def any_implied(narrow: Match, wide: Match) -> bool:
    """Tell whether a point that ``narrow`` matches has one of the tags that ``wide`` asks for."""
    if wide.tags_any is None or not wide.tags_any.isdisjoint(narrow.tags_all):
        return True
    return narrow.tags_any is not None and narrow.tags_any <= wide.tags_any


def globs_within(narrow: tuple[str, ...] | None, wide: tuple[str, ...] | None) -> bool:
    """Tell whether each glob of ``narrow`` matches only what one of ``wide`` does."""
    if wide is None or "*" in wide:
        return True
    return narrow is not None and all(any(glob_within(n, w) for w in wide) for n in narrow)


def glob_within(narrow: str, wide: str) -> bool:
    """Tell it of two globs, from literal names and literal beginnings."""
    if narrow == wide:
        return True
    if literal(narrow) == narrow:
        return globbed((wide,)).match(narrow) is not None
    return wide.endswith("*") and literal(narrow).startswith(wide.removesuffix("*"))
