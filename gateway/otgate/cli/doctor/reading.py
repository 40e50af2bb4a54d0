"""The hops before the conduits: configured, planned, polled, decoded, deadband."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from otgate.calc.calculation import CALC
from otgate.cli.doctor.evidence import Evidence, Told
from otgate.cli.doctor.hop import Found, Hop
from otgate.cli.times import ago, lasting
from otgate.model import Point

LATE, LATE_S = 3, 2.0
"""Periods after which a scan is late, and seconds that have to have passed besides."""
NS = 10**9
PATH = re.compile(r"[a-z0-9_-]+/[a-z0-9_-]+")
NEVER_READ = "not_yet_read"


def reading(evidence: Evidence, now_ns: int) -> Iterator[Hop]:
    """Yield the hops that all conduits share, as far as anything is known of them."""
    yield configured(evidence)
    yield planned(evidence)
    told = evidence.field_side
    if told is None:
        yield silent(evidence)
        return
    yield polled(evidence, told, now_ns)
    yield decoded(evidence, told, now_ns)
    yield deadband(evidence, told)


def configured(evidence: Evidence) -> Hop:
    """Say what the files say of it."""
    point, device = evidence.point, evidence.device
    at = f" at {point.address}" if point.address else ""
    return Hop("configured", Found.OK, f"{point.kind}{at}, device {device.id} by {device.driver}")


def planned(evidence: Evidence) -> Hop:
    """Say which scans ask for it."""
    if evidence.device.driver == CALC:
        return Hop("planned", Found.OK, "calculated by the gateway, from what is polled")
    if evidence.scans:
        scans = ", ".join(f"{one.name} each {one.period_s:g} s" for one in evidence.scans)
        return Hop("planned", Found.OK, f"read by scan {scans}")
    return Hop("planned", Found.OK, "no scan asks for it: the device has to report it by itself")


def silent(evidence: Evidence) -> Hop:
    """Say why nothing is known of what runs."""
    path, refused = evidence.site.path, evidence.refused
    if refused.startswith("not permitted"):
        help_ = "run this as root, as the field side's user or as a member of otgate-admin"
        return Hop("polled", Found.STOPS, f"the field side tells us nothing: {refused}", help_)
    if not evidence.answers:
        help_ = f"start it: otgate run {path}, or systemctl start otgate-field; or --control DIR"
        return Hop("polled", Found.STOPS, f"no field side runs: {refused}", help_)
    if refused.startswith("unknown request"):
        says = "the field side that runs is of an older version, and cannot say"
        return Hop("polled", Found.STOPS, says, "restart it")
    says = f"the field side that runs does not know it: {refused}"
    return Hop("polled", Found.STOPS, says, f"otgate reload {path}")


def polled(evidence: Evidence, told: Told, now_ns: int) -> Hop:
    """Say how the device stands, and how its scans went last."""
    device, state = evidence.device.id, told["state"]
    if told["calculated"]:
        read = ", ".join(inputs(evidence)) or "none by name"
        return Hop("polled", Found.OK, f"not itself; its inputs are: {read}")
    so_long = lasting(now_ns - told["since_ns"])
    if state == "unusable":
        says = f"{device} cannot be used as it is configured: {told['error']}"
        return Hop("polled", Found.STOPS, says, f"otgate check {evidence.site.path} --live")
    if state == "lost":
        says = f"{device} has been lost for {so_long}: {told['error']}"
        help_ = "is it switched on and reachable from here, at the address in the site file?"
        return Hop("polled", Found.STOPS, says, help_)
    if not told["scans"]:
        found = Found.OK if state == "good" else Found.WAITS
        return Hop("polled", found, f"{device} has been {state} for {so_long}")
    best = of_scans(device, told["scans"], now_ns, told["overruns"])
    if state == "failing" and best.found is Found.OK:
        # what another scan brings, of events for instance, may be missing
        says = f"{best.says}, but {device} has been failing for {so_long}: {told['error']}"
        return Hop("polled", Found.WAITS, says)
    return best


def inputs(evidence: Evidence) -> list[str]:
    """Return the points that a calculated one names in its formula."""
    known = {
        f"{device.id}/{point.id}" for device in evidence.site.devices for point in device.points
    }
    return sorted(known.intersection(PATH.findall(evidence.point.address)))


def of_scans(device: str, scans: Sequence[Told], now_ns: int, overruns: int) -> Hop:
    """Say how the scans went that read it: the best of them counts."""
    hops = [of_scan(device, scan, now_ns, overruns) for scan in scans]
    return next((hop for hop in hops if hop.found is Found.OK), hops[0])


def of_scan(device: str, scan: Told, now_ns: int, overruns: int) -> Hop:
    """Say how one scan went last."""
    name, period_s = scan["name"], scan["period_s"]
    if not scan["at_ns"]:
        says = f"scan {name} of {device} was not served yet; it is due each {period_s:g} s"
        return Hop("polled", Found.WAITS, says)
    age_ns = now_ns - scan["at_ns"]
    if scan["error"]:
        says = f"scan {name} failed {ago(age_ns)}: {scan['error']}"
        return Hop("polled", Found.STOPS, says, "see `otgate plan` for what is asked")
    if age_ns > max(LATE * period_s, LATE_S) * NS:
        says = f"scan {name} was answered {ago(age_ns)}, and is due each {period_s:g} s"
        help_ = f"{overruns:,} slots were skipped: ask less, or less often; see `otgate plan`"
        return Hop("polled", Found.STOPS, says, help_)
    return Hop("polled", Found.OK, f"scan {name} was answered {ago(age_ns)}")


def decoded(evidence: Evidence, told: Told, now_ns: int) -> Hop:
    """Say what the newest read gave."""
    about = told["about"]
    quality = list(about["quality"])
    if NEVER_READ in quality and not about["read_ns"]:
        served = not told["scans"] or any(scan["at_ns"] for scan in told["scans"])
        if told["calculated"]:
            return Hop("decoded", Found.WAITS, "not calculated yet: a window has to end first")
        found = Found.STOPS if served else Found.WAITS
        return Hop("decoded", found, "no answer held it yet", "see the hop before")
    value = spelled(evidence.point, about["value"])
    if "invalid" in quality:
        last = f"; the last value is {value}" if about["value"] is not None else ""
        says = f"the newest read is {', '.join(quality)}{last}. It is published as such"
        return Hop("decoded", Found.STOPS, says, remedy(evidence, told, quality))
    age = ago(now_ns - about["read_ns"])
    return Hop("decoded", Found.OK, f"{value}, {', '.join(quality)}, read {age}")


REASONS = {
    "illegal_address": "the device has no such address: `otgate check --live` shows what it has",
    "not_implemented": "the device says that it does not have this value",
    "comm_lost": "the link is gone: see polled",
    "failure": "the scan brought no answer for it: see polled",
}
"""What to look at, by the detail of the quality."""


def remedy(evidence: Evidence, told: Told, quality: Sequence[str]) -> str:
    """Say what to look at: of what is calculated its inputs, else what the quality hints at."""
    if told["calculated"] and (of := inputs(evidence)):
        return "; ".join(f"otgate doctor {evidence.site.path} {one}" for one in of)
    return next((REASONS[one] for one in REASONS if one in quality), "")


def deadband(evidence: Evidence, told: Told) -> Hop:
    """Say whether there is news in it."""
    about, point = told["about"], evidence.point
    if about["sent_quality"] is None:
        return Hop("deadband", Found.WAITS, "nothing was passed on yet")
    passed = spelled(point, about["sent_value"])
    if about["held"]:
        held = f"min_interval_s {evidence.device.reporting.min_interval_s:g} of the device"
        return Hop("deadband", Found.WAITS, f"a change waits for {held}; passed last: {passed}")
    if about["deadband"] and about["value"] != about["sent_value"]:
        band = spelled(point, about["deadband"])
        says = f"it has not moved by more than {band} since {passed} was passed on"
        return Hop("deadband", Found.WAITS, says, quiet(evidence))
    return Hop("deadband", Found.OK, f"{passed} was passed on, and is what is read")


def quiet(evidence: Evidence) -> str:
    """Say what sends a value that does not change."""
    reporting = evidence.device.reporting
    if reporting.refresh_s:
        return f"refresh_s sends it each {lasting(reporting.refresh_s * NS)} all the same"
    return "a smaller deadband, or refresh_s, sends it sooner"


def spelled(point: Point, value: Any) -> str:
    """Return a value with its unit or its state's name."""
    if value is None:
        return "no value"
    if isinstance(value, float):
        return f"{value:.6g} {point.unit}".rstrip()
    if isinstance(value, int) and int(value) in point.states:
        return point.states[int(value)]
    return f"{str(value).lower() if isinstance(value, bool) else value} {point.unit}".rstrip()
