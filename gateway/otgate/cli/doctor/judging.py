"""From evidence to hops: what each place says of a point, and the first that it does not pass."""

from collections.abc import Iterator
from typing import Any

from otgate.cli.doctor.evidence import Evidence, Told, Way
from otgate.cli.doctor.hop import Diagnosis, Found, Hop
from otgate.cli.doctor.hop import Way as Hops
from otgate.cli.doctor.leaving import leaving
from otgate.cli.doctor.reading import reading
from otgate.policy.explain import because


def judged(evidence: Evidence, now_ns: int) -> Diagnosis:
    """Return every hop of a point with what is known there."""
    ways = [
        Hops(way.verdict.conduit.id, list(hops_of(evidence, way, now_ns))) for way in evidence.ways
    ]
    path = f"{evidence.device.id}/{evidence.point.id}"
    return Diagnosis(path, list(reading(evidence, now_ns)), ways, list(remarks(evidence)))


def hops_of(evidence: Evidence, way: Way, now_ns: int) -> Iterator[Hop]:
    """Yield the hops of one conduit; behind a gate that is shut to it nothing is looked at."""
    policy = of_policy(evidence, way)
    yield policy
    if policy.found is not Found.BARRED:
        yield from leaving(evidence, way, now_ns)


def of_policy(evidence: Evidence, way: Way) -> Hop:
    """Say what the gate in force does with it; of a side that does not run, what the files say."""
    told = running(evidence, way)
    crosses = way.verdict.crosses if told is None else told["crosses"]
    why = because(way.verdict) if told is None else str(told["because"])
    if told is not None and told["shut"]:
        help_ = f"otgate policy start {evidence.site.path} {way.verdict.conduit.id}"
        return Hop("policy", Found.STOPS, f"the conduit is shut: {told['shut']}", help_)
    if not crosses:
        more = (
            f"otgate policy explain {evidence.site.path} {evidence.device.id}/{evidence.point.id}"
        )
        return Hop("policy", Found.BARRED, f"it does not cross: {why}", more)
    if told is not None and told["drops_tests"] and _maintained(evidence):
        help_ = f"otgate maintenance {evidence.site.path} {evidence.device.id} off"
        says = "the device is under maintenance, and this conduit drops what is under test"
        return Hop("policy", Found.STOPS, says, help_)
    if told is not None and told["kept_back"]:
        says = f"{why}; its newest sample is kept back: min_interval_s {told['min_interval_s']:g}"
        return Hop("policy", Found.WAITS, says)
    return Hop("policy", Found.OK, why)


def _maintained(evidence: Evidence) -> bool:
    told = evidence.field_side
    return bool(told and told["maintenance"])


def running(evidence: Evidence, way: Way) -> Told | None:
    """Return what the running field side says of a conduit."""
    told = evidence.field_side
    found: Any = None if told is None else told["conduits"].get(way.verdict.conduit.id)
    return found if found is None else dict(found)


def remarks(evidence: Evidence) -> Iterator[str]:
    """Yield what is no hop and yet worth knowing."""
    told, site = evidence.field_side, evidence.site
    ours = site.map_hash, site.policy_hash
    if told is not None and (told["map_hash"], told["policy_hash"]) != ours:
        yield f"the files are not those that run: otgate reload {site.path}"
    for way in evidence.ways:
        conduit = way.verdict.conduit.id
        if way.bus is None and way.newest is not None:
            yield f"{conduit}: no bus side answers, so what comes next is not sent: {way.silent}"
        elif way.bus is not None and not way.bus["connected"]:
            yield f"{conduit}: not connected to {way.bus['broker']}, so what comes next waits"
        if way.bus is not None and way.bus.get("identity"):
            yield f"{conduit}: {way.bus['identity']}"
