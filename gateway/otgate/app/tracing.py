"""The verb `trace` of a field side: how far one point is on its way.

What it says are plain values; `otgate doctor` makes sentences of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from otgate.app.egress import Egress
from otgate.app.outlet import Way
from otgate.calc.calculation import CALC
from otgate.config.nearest import did_you_mean
from otgate.driver import planned_types
from otgate.errors import Refused
from otgate.model import Device, ValueType
from otgate.observe.control import Request
from otgate.policy.decide import decide
from otgate.policy.explain import because
from otgate.policy.language import UnderTest
from otgate.quality import Quality, names
from otgate.report.about import About
from otgate.supervisor import Supervisor
from otgate.supervisor.trace import Trace

Told = Mapping[str, Any]


def trace_point(egress: Egress, supervisor: Supervisor, request: Request) -> Told:
    """Say what the field side knows of the point that is asked for.

    Raises:
        Refused: it has no such point.
    """
    site = egress.site
    device, number = placed(
        site.devices, request.arguments.get("device"), request.arguments.get("point")
    )
    trace = supervisor.trace(device.id, number)
    if trace is None:
        raise Refused(f"the device `{device.id}` is not read")
    of = planned_types(device, site.plans[device.id])[number]
    return {
        "map_hash": site.map_hash,
        "policy_hash": site.policy_hash,
        "calculated": device.driver == CALC,
        "maintenance": device.maintenance,
        **of_device(trace),
        "about": of_about(trace.about),
        "conduits": {
            way.conduit: of_conduit(egress, way, device, number, of) for way in egress.ways
        },
    }


def placed(devices: Sequence[Device], device_id: object, point_id: object) -> tuple[Device, int]:
    """Return a device, and the number of a point of it.

    Raises:
        Refused: there is none of that name.
    """
    known = {device.id: device for device in devices}
    device = known.get(str(device_id))
    if device is None:
        raise Refused(f"no device `{device_id}`: {did_you_mean(str(device_id), known)}")
    points = [point.id for point in device.points]
    if point_id not in points:
        raise Refused(f"no point `{point_id}`: {did_you_mean(str(point_id), points)}")
    return device, points.index(str(point_id))


def of_device(trace: Trace) -> Told:
    """Say how the device stands, and how the scans went that read the point."""
    status = trace.status
    return {
        "state": str(status.state),
        "since_ns": status.since_ns,
        "last_good_ns": status.last_good_ns,
        "error": status.error,
        "overruns": status.overruns,
        "scans": [
            {
                "name": scan.name,
                "period_s": scan.period_s,
                "at_ns": asked.at_ns if asked else 0,
                "error": asked.error if asked else "",
            }
            for scan, asked in trace.scans
        ],
    }


def of_about(about: About) -> Told:
    """Say what is known of the point, and what was passed on of it last."""
    sent = about.sent_quality
    return {
        "value": None if about.quality & Quality.NO_VALUE else about.value,
        "quality": names(about.quality),
        "time_ns": about.time_ns,
        "read_ns": about.read_ns,
        "sent_value": None if sent is None or sent & Quality.NO_VALUE else about.sent_value,
        "sent_quality": None if sent is None else names(sent),
        "held": about.held,
        "deadband": about.deadband,
    }


def of_conduit(egress: Egress, way: Way, device: Device, number: int, of: ValueType) -> Told:
    """Say what becomes of the point at one conduit's gate and spool."""
    policy = egress.site.policy
    verdict = decide(policy, policy.conduits[way.conduit], device, device.points[number], of)
    errors = (spool.error for spool in way.spools)
    return {
        "shut": egress.why_shut(way.conduit),
        "crosses": verdict.crosses and way.gate.carries(device.id, of, number),
        "because": because(verdict),
        "min_interval_s": verdict.restriction.min_interval_s,
        "delay_s": verdict.restriction.delay_s,
        "kept_back": way.gate.keeps_back(device.id, of, number),
        "drops_tests": verdict.conduit.test is UnderTest.DROP,
        "spool_error": next(filter(None, errors), ""),
    }
