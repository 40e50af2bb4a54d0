"""What a policy says of one point on one conduit, interpreted.

Order-free: three guards that no rule lifts, then any matching deny beats every allow, then the
limits of the conduit and of every matching allow join. `otgate.policy.gate` compiles the same.
"""

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, reduce
from typing import NamedTuple

from otgate.model import Device, Kind, Point, Sensitivity, ValueType
from otgate.policy.language import (
    Conduit,
    Direction,
    Effect,
    Limits,
    Match,
    Policy,
    Rule,
    Strip,
)

BARRED_KINDS = {Direction.OUT: frozenset({Kind.CONTROL, Kind.SETTING})}
"""Kinds that a conduit of that direction never carries."""

NUMBERS = frozenset({ValueType.F64, ValueType.I64, ValueType.U64})
"""Value types that can be quantised."""


class Guard(StrEnum):
    """A condition for crossing that no rule lifts."""

    ZONE = "zone"
    KIND = "kind"
    SENSITIVITY = "sensitivity"


class Reason(StrEnum):
    """Why a point crosses or does not; the first that applies, in this order."""

    GUARD = "guard"
    DENIED = "denied"
    NOT_ALLOWED = "not-allowed"
    UNENFORCEABLE = "unenforceable-limit"
    ALLOWED = "allowed"


class Traits(NamedTuple):
    """What rules and guards see of a point besides its name; many points share one."""

    kind: Kind
    zone: str
    tags: frozenset[str]
    sensitivity: Sensitivity


@dataclass(frozen=True, slots=True)
class Restriction:
    """The joined limits of one point on one conduit."""

    min_interval_s: float = 0.0
    quantize: float = 0.0
    strip: frozenset[Strip] = frozenset()
    delay_s: float = 0.0
    """The conduit's, which is the same for all that crosses it."""

    def enforceable(self, value_type: ValueType | None) -> bool:
        """Tell whether values of this type can be held to it; a text cannot be quantised."""
        return self.quantize == 0 or value_type is None or value_type in NUMBERS


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one point crosses one conduit, and everything that decided it."""

    conduit: Conduit
    device: Device
    point: Point
    stopped_by: tuple[Guard, ...]
    denies: tuple[Rule, ...]
    allows: tuple[Rule, ...]
    restriction: Restriction
    value_type: ValueType | None = None
    delayed_by: tuple[str, ...] = ()
    """The conduit and the rules that ask for the longest delay, as ``conduit c`` and ``rule r``."""

    @property
    def seen(self) -> Traits:
        """What rules and guards see of the point."""
        return traits(self.device, self.point)

    @property
    def reason(self) -> Reason:
        """The first thing that stops the point, or ALLOWED."""
        if self.stopped_by:
            return Reason.GUARD
        if self.denies:
            return Reason.DENIED
        if not self.allows:
            return Reason.NOT_ALLOWED
        if not self.restriction.enforceable(self.value_type):
            return Reason.UNENFORCEABLE
        return Reason.ALLOWED

    @property
    def crosses(self) -> bool:
        """Whether the point's samples leave through the conduit."""
        return self.reason is Reason.ALLOWED


def decide(
    policy: Policy,
    conduit: Conduit,
    device: Device,
    point: Point,
    value_type: ValueType | None = None,
) -> Verdict:
    """Judge one point on one conduit. An unknown ``value_type`` is taken to be a number."""
    seen = traits(device, point)
    speaking = [
        rule
        for rule in policy.rules
        if applies(rule, conduit)
        and attributes_hold(rule.match, seen)
        and names_hold(rule.match, device.id, point.id)
    ]
    allows = tuple(rule for rule in speaking if rule.effect is Effect.ALLOW)
    delay = delay_of(policy, conduit)
    return Verdict(
        conduit,
        device,
        point,
        stopping(conduit, seen),
        tuple(rule for rule in speaking if rule.effect is Effect.DENY),
        allows,
        joined((conduit.limits, *(rule.limits for rule in allows)), point.kind, delay.seconds),
        value_type,
        delay.asked_by,
    )


class Delay(NamedTuple):
    """By how much all that crosses a conduit is held back, and who asks for that much."""

    seconds: float = 0.0
    asked_by: tuple[str, ...] = ()


def delay_of(policy: Policy, conduit: Conduit) -> Delay:
    """Join the delays of ``conduit`` and of every allow that speaks of it, whatever it matches.

    One delay for all, so that what crosses keeps its order, and no point map can shorten it.
    """
    asked = [(conduit.limits.delay_s, f"conduit {conduit.id}")]
    asked += [
        (rule.limits.delay_s, f"rule {rule.name}")
        for rule in policy.rules
        if rule.effect is Effect.ALLOW and applies(rule, conduit)
    ]
    longest = max(delay_s for delay_s, _ in asked)
    return Delay(longest, tuple(by for delay_s, by in asked if 0 < delay_s == longest))


def traits(device: Device, point: Point) -> Traits:
    """Return what rules and guards see of ``point``; its zone is the device's unless it has one."""
    return Traits(point.kind, point.zone or device.zone, point.tags, point.sensitivity)


def stopping(conduit: Conduit, seen: Traits) -> tuple[Guard, ...]:
    """Return the guards of ``conduit`` that stop such a point."""
    holds = {
        Guard.ZONE: seen.zone in conduit.from_zones,
        Guard.KIND: seen.kind not in BARRED_KINDS[conduit.direction],
        Guard.SENSITIVITY: seen.sensitivity <= conduit.ceiling,
    }
    return tuple(guard for guard, held in holds.items() if not held)


def listed(guards: Sequence[Guard]) -> str:
    """Name ``guards`` in words: the zone guard, the kind and zone guards."""
    return f"{' and '.join(guards)} guard{'s' if len(guards) > 1 else ''}"


def applies(rule: Rule, conduit: Conduit) -> bool:
    """Tell whether ``rule`` speaks of ``conduit`` at all."""
    return rule.conduits is None or conduit.id in rule.conduits


def attributes_hold(match: Match, seen: Traits) -> bool:
    """Tell whether everything but the names in ``match`` holds."""
    return (
        (match.kind is None or seen.kind in match.kind)
        and (match.zone is None or seen.zone in match.zone)
        and (match.sensitivity is None or seen.sensitivity in match.sensitivity)
        and match.tags_all <= seen.tags
        and (match.tags_any is None or not match.tags_any.isdisjoint(seen.tags))
        and match.tags_none.isdisjoint(seen.tags)
    )


def names_hold(match: Match, device: str, point: str) -> bool:
    """Tell whether the globs in ``match`` hold for ``device`` and ``device/point``."""
    return (match.device is None or globbed(match.device).match(device) is not None) and (
        match.point is None or globbed(match.point).match(f"{device}/{point}") is not None
    )


@cache
def globbed(globs: tuple[str, ...]) -> re.Pattern[str]:
    """Compile ``globs`` to one pattern. ``*`` and ``?`` match any character, ``/`` included."""
    literal = (glob.replace("[", "[[]") for glob in globs)
    return re.compile("|".join(map(fnmatch.translate, literal)) or r"(?!)")


def joined(limits: tuple[Limits, ...], kind: Kind, delay_s: float = 0.0) -> Restriction:
    """Join ``limits`` for a point of ``kind``: each is at least as strict as every one alone."""
    concerned = [limit for limit in limits if kind in limit.kinds]
    return Restriction(
        max((limit.min_interval_s for limit in concerned), default=0.0),
        max((limit.quantize for limit in concerned), default=0.0),
        reduce(frozenset.union, (limit.strip for limit in limits), frozenset()),
        delay_s,
    )
