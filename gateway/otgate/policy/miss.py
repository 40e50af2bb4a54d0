"""What keeps a rule from matching a point, attribute by attribute."""

from collections.abc import Iterator
from typing import NamedTuple

from otgate.model import Device, Point
from otgate.policy.decide import Traits, applies, globbed, traits
from otgate.policy.language import Conduit, Effect, Match, Policy, Rule


class Miss(NamedTuple):
    """An attribute of a match that does not hold: its key, what it asks for, what the point has."""

    key: str
    asked: tuple[str, ...]
    has: str


class Near(NamedTuple):
    """A rule that does not match a point, and all that it misses."""

    rule: Rule
    misses: tuple[Miss, ...]


def nearest_allow(policy: Policy, conduit: Conduit, device: Device, point: Point) -> Near | None:
    """Return the allow that misses the fewest attributes; the first of the policy where equal.

    None where an allow matches already, or none speaks of the conduit.
    """
    allows = (
        Near(rule, tuple(misses(rule.match, device, point)))
        for rule in policy.rules
        if rule.effect is Effect.ALLOW and applies(rule, conduit)
    )
    near = min(allows, key=lambda one: len(one.misses), default=None)
    return near if near and near.misses else None


def misses(match: Match, device: Device, point: Point) -> Iterator[Miss]:
    """Yield what of ``match`` does not hold for ``point``."""
    seen = traits(device, point)
    yield from attribute_misses(match, seen)
    yield from tag_misses(match, seen)
    path = f"{device.id}/{point.id}"
    for key, globs, name in (("device", match.device, device.id), ("point", match.point, path)):
        if globs is not None and globbed(globs).match(name) is None:
            yield Miss(key, globs, name)


def attribute_misses(match: Match, seen: Traits) -> Iterator[Miss]:
    """Yield which of kind, zone and sensitivity is none of those listed."""
    if match.kind is not None and seen.kind not in match.kind:
        yield Miss("kind", tuple(sorted(match.kind)), seen.kind)
    if match.zone is not None and seen.zone not in match.zone:
        yield Miss("zone", tuple(sorted(match.zone)), seen.zone)
    if match.sensitivity is not None and seen.sensitivity not in match.sensitivity:
        asked = tuple(one.name.lower() for one in sorted(match.sensitivity))
        yield Miss("sensitivity", asked, seen.sensitivity.name.lower())


def tag_misses(match: Match, seen: Traits) -> Iterator[Miss]:
    """Yield which tags are wanting, and which are there and should not be."""
    has = ", ".join(sorted(seen.tags))
    if lacking := match.tags_all - seen.tags:
        yield Miss("tags_all", tuple(sorted(lacking)), has)
    if match.tags_any is not None and match.tags_any.isdisjoint(seen.tags):
        yield Miss("tags_any", tuple(sorted(match.tags_any)), has)
    if barred := match.tags_none & seen.tags:
        yield Miss("tags_none", tuple(sorted(barred)), has)
