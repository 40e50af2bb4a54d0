"""A small world of points, random policies over it, and a naive reading of them: brute force."""

import fnmatch
from collections.abc import Sequence
from itertools import combinations, product
from typing import NamedTuple, TypeVar

from hypothesis import strategies as st

from otgate.model import Kind, Sensitivity
from otgate.policy.language import (
    Assertion,
    Conduit,
    Effect,
    Limits,
    Match,
    Policy,
    Rule,
    Strip,
    Zone,
)

T = TypeVar("T")
TAGS, ZONES, CONDUITS = ("a", "b", "c"), ("bay", "station"), ("x", "y")
KINDS = (Kind.MEASUREMENT, Kind.STATUS, Kind.SETTING)
LEVELS = (Sensitivity.PUBLIC, Sensitivity.INTERNAL, Sensitivity.BCSI)
NAMES = [f"{d}/{p}" for d in ("d1", "d2", "1", "x", "d") for p in ("p1", "p", "1", "x")]
GLOBS = st.sampled_from(
    ["*", "d1", "d?", "?", "d1/*", "*/p1", "d?/p?", "d2/p", "p1", "*1", "*d*", "*1*", "?/?"]
)


class Seen(NamedTuple):
    kind: Kind
    zone: str
    level: Sensitivity
    tags: frozenset[str]


SUBSETS = [frozenset(some) for size in range(4) for some in combinations(TAGS, size)]
WORLD = [Seen(*each) for each in product(KINDS, ZONES, LEVELS, SUBSETS)]


def some(words: Sequence[T]) -> st.SearchStrategy[frozenset[T]]:
    return st.frozensets(st.sampled_from(words), min_size=1)


def perhaps(strategy: st.SearchStrategy[T]) -> st.SearchStrategy[T | None]:
    return st.none() | st.none() | strategy


MATCHES = st.builds(
    Match,
    kind=perhaps(some(KINDS)),
    tags_all=st.frozensets(st.sampled_from(TAGS), max_size=2),
    tags_any=perhaps(some(TAGS)),
    tags_none=st.frozensets(st.sampled_from(TAGS), max_size=2),
    zone=perhaps(some(ZONES)),
    sensitivity=perhaps(some(LEVELS)),
    device=perhaps(st.lists(GLOBS, min_size=1, max_size=2).map(tuple)),
    point=perhaps(st.lists(GLOBS, min_size=1, max_size=2).map(tuple)),
)
LIMITS = st.just(Limits()) | st.builds(
    Limits,
    min_interval_s=st.sampled_from([0.0, 5.0, 60.0]),
    quantize=st.sampled_from([0.0, 1.0, 10.0]),
    strip=st.frozensets(st.sampled_from([Strip.NAME, Strip.OWNER])),
    kinds=st.just(Limits().kinds) | some(KINDS),
    delay_s=st.sampled_from([0.0, 0.0, 60.0, 3600.0]),
)
RULES = st.builds(
    Rule,
    name=st.just("r"),
    effect=st.sampled_from(Effect),
    match=MATCHES,
    why=st.just("because"),
    conduits=perhaps(some(CONDUITS)),
    limits=LIMITS,
)
ASSERTIONS = st.builds(Assertion, never=MATCHES, on=perhaps(some(CONDUITS)))


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    conduits = {
        name: Conduit(
            name,
            frozenset(draw(some(ZONES))),
            "enterprise",
            ceiling=draw(st.sampled_from(Sensitivity)),
            limits=draw(LIMITS),
        )
        for name in CONDUITS
    }
    zones = {zone: Zone(zone) for zone in (*ZONES, "enterprise")}
    return Policy(
        "p", 1, frozenset(TAGS), zones, conduits, tuple(draw(st.lists(RULES, max_size=8)))
    )


def globs_hold(globs: tuple[str, ...] | None, word: str) -> bool:
    return globs is None or any(fnmatch.fnmatchcase(word, glob) for glob in globs)


def holds(match: Match, seen: Seen) -> bool:
    return all(
        [
            match.kind is None or seen.kind in match.kind,
            match.zone is None or seen.zone in match.zone,
            match.sensitivity is None or seen.level in match.sensitivity,
            all(tag in seen.tags for tag in match.tags_all),
            match.tags_any is None or any(tag in seen.tags for tag in match.tags_any),
            not any(tag in seen.tags for tag in match.tags_none),
        ]
    )


def fits(match: Match, name: str) -> bool:
    return globs_hold(match.device, name.partition("/")[0]) and globs_hold(match.point, name)


def open_to(conduit: Conduit, seen: Seen) -> bool:
    return (
        seen.zone in conduit.from_zones
        and seen.kind not in {Kind.SETTING, Kind.CONTROL}
        and seen.level <= conduit.ceiling
    )


def speaking(policy: Policy, conduit: Conduit) -> list[Rule]:
    return [r for r in policy.rules if r.conduits is None or conduit.id in r.conduits]


def crossing(
    policy: Policy, conduit: Conduit, world: Sequence[Seen], names: Sequence[str]
) -> set[tuple[Seen, str]]:
    """Judge every point of a world by the words of the guide, the slow and plain way."""
    allowed: set[tuple[Seen, str]] = set()
    denied: set[tuple[Seen, str]] = set()
    for rule in speaking(policy, conduit):
        seen = [one for one in world if open_to(conduit, one) and holds(rule.match, one)]
        called = [name for name in names if fits(rule.match, name)]
        (allowed if rule.effect is Effect.ALLOW else denied).update(product(seen, called))
    return allowed - denied


def strictness(policy: Policy, conduit: Conduit, seen: Seen, name: str) -> dict[str, float]:
    """Say how strict each limit is for a point that crosses; what is not named is 0."""
    allows = [rule for rule in speaking(policy, conduit) if rule.effect is Effect.ALLOW]
    given = [conduit.limits, *(r.limits for r in allows if holds_all(r.match, seen, name))]
    found: dict[str, float] = {}
    delays_s = [conduit.limits.delay_s, *(rule.limits.delay_s for rule in allows)]
    if max(delays_s):
        found["delay_s"] = max(delays_s)
    for limits in given:
        for attribute in limits.strip:
            found[f"strip {attribute}"] = 1
        if seen.kind in limits.kinds:
            for limit in ("min_interval_s", "quantize"):
                found[limit] = max(found.get(limit, 0), getattr(limits, limit))
    return found


def holds_all(match: Match, seen: Seen, name: str) -> bool:
    return holds(match, seen) and fits(match, name)
