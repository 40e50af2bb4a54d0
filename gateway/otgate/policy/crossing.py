"""Find what crosses each conduit, for many points at once.

The same judgement as `otgate.policy.decide`, made once per class of points that share kind,
zone, tags and sensitivity; only rules with globs are tried on each point.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from otgate.model import Device, ValueType
from otgate.policy.decide import (
    Restriction,
    Traits,
    applies,
    attributes_hold,
    delay_of,
    globbed,
    joined,
    stopping,
    traits,
)
from otgate.policy.language import Conduit, Effect, Policy, Rule


class Crossing(NamedTuple):
    """One crossing point of a device on one conduit: its number and its joined limits."""

    point: int
    value_type: ValueType
    restriction: Restriction


class Spoken(NamedTuple):
    """What is settled for a class of points without their names."""

    open_conduits: tuple[Conduit, ...]
    """Conduits whose guards hold and that no rule without globs denies."""
    rules: tuple[Rule, ...]
    """Rules without globs that hold, for those conduits."""
    to_try: tuple[Rule, ...]
    """Rules with globs whose attributes hold, for those conduits."""


Outcome = Sequence[tuple[str, Restriction]]
"""The conduits that a point crosses, with its joined limits on each."""


class Judge:
    """Remembers what is the same for many points of one policy."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        conduits = policy.conduits.values()
        self.delays_s = {conduit.id: delay_of(policy, conduit).seconds for conduit in conduits}
        self.spoken: dict[Traits, Spoken] = {}
        self.settled: dict[tuple[Traits, tuple[int, ...]], Outcome] = {}

    def outcomes(self, device: Device) -> Iterator[Outcome]:
        """Return what each point of ``device`` crosses."""
        named: dict[Traits, tuple[Rule, ...]] = {}
        for point in device.points:
            seen = traits(device, point)
            to_try = named.get(seen)
            if to_try is None:
                to_try = named[seen] = self._named(device.id, seen)
            path = f"{device.id}/{point.id}"
            hold = tuple([rule for rule in to_try if path_holds(rule, path)]) if to_try else ()
            yield self._outcome(seen, hold)

    def crossings(
        self, device: Device, types: Sequence[ValueType]
    ) -> Mapping[str, Sequence[Crossing]]:
        """Return, per conduit, what of ``device`` crosses and can be held to its limits."""
        found: defaultdict[str, list[Crossing]] = defaultdict(list)
        for point, outcome in enumerate(self.outcomes(device)):
            for conduit, restriction in outcome:
                if restriction.enforceable(types[point]):
                    found[conduit].append(Crossing(point, types[point], restriction))
        return found

    def _named(self, device: str, seen: Traits) -> tuple[Rule, ...]:
        """Return the rules to try on points of ``device``: those whose device globs hold."""
        to_try = self._spoken(seen).to_try
        return tuple(
            rule
            for rule in to_try
            if rule.match.device is None or globbed(rule.match.device).match(device)
        )

    def _outcome(self, seen: Traits, hold: tuple[Rule, ...]) -> Outcome:
        key = (seen, tuple(map(id, hold)))
        if key not in self.settled:
            self.settled[key] = tuple(settle(seen, self._spoken(seen), hold, self.delays_s))
        return self.settled[key]

    def _spoken(self, seen: Traits) -> Spoken:
        if seen not in self.spoken:
            self.spoken[seen] = self._speak(seen)
        return self.spoken[seen]

    def _speak(self, seen: Traits) -> Spoken:
        rules = [rule for rule in self.policy.rules if attributes_hold(rule.match, seen)]
        plain = tuple(rule for rule in rules if not has_globs(rule))
        conduits = tuple(
            conduit
            for conduit in self.policy.conduits.values()
            if not stopping(conduit, seen) and not denied(conduit, plain)
        )
        to_try = tuple(
            rule
            for rule in rules
            if has_globs(rule) and any(applies(rule, conduit) for conduit in conduits)
        )
        return Spoken(conduits, plain, to_try)


def settle(
    seen: Traits, spoken: Spoken, hold: tuple[Rule, ...], delays_s: Mapping[str, float]
) -> Iterator[tuple[str, Restriction]]:
    """Return the conduits that points cross, given which rules with globs hold for them."""
    for conduit in spoken.open_conduits:
        allows = [
            rule
            for rule in (*spoken.rules, *hold)
            if rule.effect is Effect.ALLOW and applies(rule, conduit)
        ]
        if allows and not denied(conduit, hold):
            limits = (conduit.limits, *(rule.limits for rule in allows))
            yield conduit.id, joined(limits, seen.kind, delays_s[conduit.id])


def denied(conduit: Conduit, rules: Sequence[Rule]) -> bool:
    """Tell whether one of ``rules`` denies on ``conduit``."""
    return any(rule.effect is Effect.DENY and applies(rule, conduit) for rule in rules)


def has_globs(rule: Rule) -> bool:
    """Tell whether ``rule`` depends on the names of device and point."""
    return rule.match.device is not None or rule.match.point is not None


def path_holds(rule: Rule, path: str) -> bool:
    """Tell whether the point globs of ``rule`` hold for ``device/point``."""
    return rule.match.point is None or globbed(rule.match.point).match(path) is not None
