"""What crossed when it was last accepted, so that a restart lets no more cross than a reload would.

A box that lost its power has to come up, whatever lies in its files by then. So what is new at a
start is held back, by rules that are added to the policy in memory, until a reload is told to
allow it; everything else runs.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import structlog

from otgate.app.egress import types_of
from otgate.config.site import Site
from otgate.model import Kind
from otgate.permission import why
from otgate.policy.changes import Crossed, Crossings, Side, crossings, device_crossings, finer
from otgate.policy.decide import Restriction
from otgate.policy.language import Effect, Limits, Match, Policy, Rule, Strip, UnderTest
from otgate.spool.files import OS
from otgate.spool.state_file import StateFile

NOT_YET = "not-yet-allowed"
"""The name of the rules that hold back what is new."""

log = structlog.get_logger()


class Accepted:
    """The record of what crossed, in the site's state."""

    def __init__(self, site: Site) -> None:
        self._file = StateFile(site.state_directory / "accepted.json", OS)

    def held(self, site: Site) -> Site:
        """Return ``site`` so that no more crosses than was accepted; at the first start, all."""
        told, before = self._read(key(site))
        if before is None or told == key(site):
            return site
        held = replace(site, policy=holding(side(site), before))
        if count := held_back(held):
            log.error("not_yet_allowed", points=count, first=first(held), help=HELP)
        return held

    def keep(self, site: Site) -> None:
        """Take note of what crosses now; where that cannot be written, the record before stands."""
        told, before = self._read(key(site))
        held = held_back(site) > 0
        if before is not None and told == key(site) and not held:
            return
        known = "" if held else key(site)
        try:
            self._file.write(spelled(known, device_crossings(side(site))))
        except OSError as error:
            log.error("accepted_unwritten", error=error.strerror)  # noqa: TRY400  nothing to trace

    def _read(self, known: str) -> tuple[str, Crossings | None]:
        """Return from which files it came and what crossed; None where nothing was ever kept.

        Where these are the files ``known``, nobody asks what crossed, and it is left unread.
        """
        try:
            text = self._file.read().decode()
            if DECODER.raw_decode(text, 1)[0] == known:
                return known, {}
            told, found = json.loads(text)
            return str(told), dict(read(found))
        except FileNotFoundError:
            return "", None
        except (OSError, ValueError, TypeError, KeyError) as error:
            told = why(error, self._file.path) if isinstance(error, OSError) else str(error)
            log.error("accepted_unreadable", error=told, held_back="everything")  # noqa: TRY400
            return "", {}


DECODER = json.JSONDecoder()

HELP = "`otgate reload SITE` says what; with --allow-gain it may cross"


def key(site: Site) -> str:
    """Return what tells the files of a site, and what reads them, from others."""
    return f"{site.policy_hash} {site.map_hash} {version('otgate')}"


def side(site: Site) -> Side:
    """Return what decides about a site's points."""
    return Side(site.policy, site.devices, types_of(site))


def spelled(known: str, parts: Iterable[Crossings]) -> bytes:
    """Spell what crosses of the files ``known``, part by part: all at once it is large."""
    entries = (json.dumps(entry).encode() for part in parts for entry in written(part))
    return b"".join((b"[", json.dumps(known).encode(), b", [", b", ".join(entries), b"]]"))


def written(found: Crossings) -> Iterator[Sequence[Any]]:
    """Yield what crosses, grouped by conduit and limits."""
    groups: defaultdict[tuple[str, Crossed], list[str]] = defaultdict(list)
    for (conduit, path), crossed in found.items():
        groups[conduit, crossed].append(path)
    for (conduit, crossed), paths in groups.items():
        limits = crossed.restriction
        amounts = limits.min_interval_s, limits.quantize, limits.delay_s
        yield conduit, str(crossed.test), *amounts, sorted(limits.strip), paths


def read(found: Sequence[Any]) -> Iterator[tuple[tuple[str, str], Crossed]]:
    """Yield what `written` wrote."""
    for conduit, test, interval_s, step, delay_s, strip, paths in found:
        stripped = frozenset(map(Strip, strip))
        limits = Restriction(float(interval_s), float(step), stripped, float(delay_s))
        for path in paths:
            yield (str(conduit), str(path)), Crossed(limits, UnderTest(test))


def holding(now: Side, before: Crossings) -> Policy:
    """Return the policy of ``now``, so that no more crosses by it than did ``before``."""
    limited = with_limits(now.policy, crossings(now), before)
    after = crossings(now._replace(policy=limited))
    more = [place for place, crossed in after.items() if gains(before.get(place), crossed)]
    return replace(limited, rules=(*limited.rules, *denies(more)))


def gains(before: Crossed | None, after: Crossed) -> bool:
    """Tell whether a point crosses that did not, or with less limits."""
    return before is None or finer(before, after)


def with_limits(policy: Policy, now: Crossings, before: Crossings) -> Policy:
    """Return a policy that holds points which cross with less limits to those of before, too."""
    groups: defaultdict[tuple[str, Crossed], list[str]] = defaultdict(list)
    for (conduit, path), after in now.items():
        was = before.get((conduit, path))
        if was is not None and finer(was, after):
            groups[conduit, was].append(path)
    rules = tuple(
        rule(Effect.ALLOW, conduit, device, paths, limits_of(was.restriction))
        for (conduit, was), every in groups.items()
        for device, paths in by_device(every).items()
    )
    dropped = {conduit for conduit, was in groups if was.test is UnderTest.DROP}
    conduits = {
        name: replace(one, test=UnderTest.DROP) if name in dropped else one
        for name, one in policy.conduits.items()
    }
    return replace(policy, rules=(*policy.rules, *rules), conduits=conduits)


def denies(places: Sequence[tuple[str, str]]) -> Iterator[Rule]:
    """Yield rules that hold back points, by conduit and ``device/point``."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for conduit, path in places:
        groups[conduit].append(path)
    for conduit, every in groups.items():
        for device, paths in by_device(every).items():
            yield rule(Effect.DENY, conduit, device, paths, Limits())


def by_device(paths: Sequence[str]) -> Mapping[str, list[str]]:
    """Return paths by their device, which is tried first."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for path in paths:
        groups[path.partition("/")[0]].append(path)
    return groups


def rule(effect: Effect, conduit: str, device: str, paths: Sequence[str], limits: Limits) -> Rule:
    """Return a rule about some points of a device on one conduit."""
    match = Match(device=(device,), point=tuple(paths))
    return Rule(NOT_YET, effect, match, "it did not cross before", frozenset({conduit}), limits)


def limits_of(joined: Restriction) -> Limits:
    """Return limits that join to at least these, for a point of any kind."""
    amounts = joined.min_interval_s, joined.quantize, joined.strip
    return Limits(*amounts, frozenset(Kind), joined.delay_s)


def held_back(site: Site) -> int:
    """Count the points that are held back or held to their limits of before."""
    return sum(len(one.match.point or ()) for one in site.policy.rules if one.name == NOT_YET)


def first(site: Site) -> str:
    """Name one of these."""
    paths = (one.match.point or () for one in site.policy.rules if one.name == NOT_YET)
    return next(path for some in paths for path in some)
