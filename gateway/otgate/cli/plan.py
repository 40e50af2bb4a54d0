"""`otgate plan`: what every device will be asked, before one is."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from otgate.calc.calculation import CALC
from otgate.cli.command import FAILED, OK, Command
from otgate.cli.loading import loaded
from otgate.cli.places import site_argument
from otgate.config.site import Site
from otgate.driver import Driver, Learning, Timed, installed
from otgate.load import link_loads, percent, seconds
from otgate.model import Device, Scan

DESCRIPTION = """\
Print, per device, the requests of each scan, what of the answers is used and wasted, and every
housekeeping write that the driver may send; then how busy each link will be. Needs no device and
no network.

`busy` is how long one poll keeps the link, `load` the part of its period that this is. Both are
arithmetic: on a serial line from its speed, on a network from a round trip, with the device's own
delay as the last lines say. A scan that cannot keep its period gets a warning here and in
`otgate check`.

Beside what is planned stands what a field side has learned of the device, if its state is there:
the longest read that it takes, and what it refuses or does not answer.

  otgate plan site.yaml
  otgate plan site.yaml --requests
  otgate plan site.yaml --format json
"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    site_argument(parser)
    parser.add_argument("--requests", action="store_true", help="list every single request")
    parser.add_argument("--format", choices=["text", "json"], default="text")


def execute(options: Namespace) -> int:
    """Run the verb."""
    site = loaded(options.site)
    if site is None:
        return FAILED
    if options.format == "json":
        print(json.dumps(whole_json(site), indent=2))
    else:
        parts = [lines(site, device, options) for device in site.wired]
        parts += [calculation_lines(one) for one in site.devices if one.driver == CALC]
        print("\n\n".join("\n".join(part) for part in [*parts, link_lines(site)]).rstrip())
    return OK


def lines(site: Site, device: Device, options: Namespace) -> Iterator[str]:
    """Write one device's plan for a person."""
    scans = site.plans[device.id]
    yield f"{device.id}  ({device.driver}, {len(device.points)} points)"
    timed = any(busy_s(scan) for scan in scans)
    yield (
        f"  {'scan':<12} {'period':>9} {'points':>7} {'requests':>9} {'used':>7} {'wasted':>7}"
        + (f" {'busy':>8} {'load':>8}" if timed else "")
    )
    for scan in scans:
        used, wasted = totals(scan)
        yield (
            f"  {scan.name:<12} {scan.period_s:>7g} s {len(scan.points):>7}"
            f" {len(scan.requests):>9} {used:>7} {wasted:>7}" + (times(scan) if timed else "")
        )
        if options.requests:
            yield from (
                f"    {request.text:<40} used {request.used}, wasted {request.wasted}"
                for request in scan.requests
            )
    requests, octets = load(scans)
    yield f"  load: {requests:.3g} requests/s, {octets:.4g} bytes/s on the wire"
    yield f"  housekeeping writes: {'; '.join(housekeeping(device)) or 'none'}"
    if known := learned(site, device):
        yield f"  learned: {'; '.join(known)}"


def calculation_lines(device: Device) -> Iterator[str]:
    """Write for a person how each point of a calculated device follows from others."""
    yield f"{device.id}  (calculated, {len(device.points)} points)"
    yield from (f"  {point.id:<32} {point.address}" for point in device.points)


def link_lines(site: Site) -> Iterator[str]:
    """Write how busy each link will be, by which assumptions, and what is too much."""
    drivers = installed()
    by_id = {device.id: device for device in site.devices}
    for load in link_loads(site.wired, site.plans, drivers):
        shown = load.devices[:4]
        more = f" and {len(load.devices) - len(shown)} more" if len(load.devices) > 4 else ""
        yield f"link of {', '.join(shown)}{more}: busy {percent(load.share)} of the time"
        yield from timings([by_id[name] for name in load.devices], drivers)
        yield from (f"  warning: {late.message}; {late.help}" for late in load.late())


def times(scan: Scan) -> str:
    """Write how long a poll keeps the link, and the part of its period that this is."""
    return f" {seconds(busy_s(scan)):>8} {percent(busy_s(scan) / scan.period_s):>8}"


def timings(devices: Sequence[Device], drivers: Mapping[str, Driver]) -> Iterator[str]:
    """Write what the times of a link's devices assume; whose it is where they differ."""
    whose: dict[str, list[str]] = {}
    for device in devices:
        whose.setdefault(timing(device, drivers), []).append(device.id)
    for words, names in whose.items():
        yield f"  {words}" if len(whose) == 1 else f"  {', '.join(names)}: {words}"


def timing(device: Device, drivers: Mapping[str, Driver]) -> str:
    """Say what the times of a device's requests assume."""
    driver = drivers[device.driver]
    return driver.timing(device) if isinstance(driver, Timed) else ""


def busy_s(scan: Scan) -> float:
    """Return how long one poll keeps the link busy; 0 is not told."""
    return sum(request.takes_s for request in scan.requests)


def totals(scan: Scan) -> tuple[int, int]:
    """Return what a scan's replies carry that is used, and that is not."""
    return sum(r.used for r in scan.requests), sum(r.wasted for r in scan.requests)


def load(scans: Sequence[Scan]) -> tuple[float, float]:
    """Return requests and bytes per second of a device's scans together."""
    return (
        sum(len(scan.requests) / scan.period_s for scan in scans),
        sum(sum(r.wire_bytes for r in scan.requests) / scan.period_s for scan in scans),
    )


def housekeeping(device: Device) -> list[str]:
    """Return the writes that the device's driver may send."""
    return list(installed()[device.driver].housekeeping)


def whole_json(site: Site) -> list[dict[str, Any]]:
    """Describe every device's plan for a program, each with the link that it shares."""
    drivers = installed()
    links: dict[str, dict[str, Any]] = {}
    for load in link_loads(site.wired, site.plans, drivers):
        link = {
            "devices": load.devices,
            "load": load.share,
            "warnings": [
                {"code": late.code, "scan": late.scan.name, "message": late.message}
                for late in load.late()
            ],
        }
        links.update(dict.fromkeys(load.devices, link))
    return [
        as_json(site, device) | {"timing": timing(device, drivers), "link": links.get(device.id)}
        for device in site.wired
    ]


class State(dict[str, Any]):
    """What a field side has kept of a device, to be read."""

    def put(self, key: str, value: Any) -> None:
        """Keep nothing: the field side owns the file."""


def learned(site: Site, device: Device) -> list[str]:
    """Return what a field side has learned of the device, where its state can be read."""
    driver = installed()[device.driver]
    if not isinstance(driver, Learning):
        return []
    path = site.state_directory / "devices" / f"{device.id}.json"
    try:
        kept = json.loads(path.read_bytes())
    except FileNotFoundError:
        return []
    except (OSError, ValueError, RecursionError) as error:
        return [f"unknown, {path} cannot be read: {error}"]
    return list(driver.learned(device, State(kept))) if isinstance(kept, dict) else []


def as_json(site: Site, device: Device) -> dict[str, Any]:
    """Describe one device's plan for a program."""
    requests, octets = load(site.plans[device.id])
    return {
        "device": device.id,
        "driver": device.driver,
        "points": len(device.points),
        "requests_per_s": requests,
        "bytes_per_s": octets,
        "housekeeping": housekeeping(device),
        "learned": learned(site, device),
        "scans": [
            {
                "name": scan.name,
                "period_s": scan.period_s,
                "points": len(scan.points),
                "used": totals(scan)[0],
                "wasted": totals(scan)[1],
                "busy_s": busy_s(scan),
                "requests": [request.text for request in scan.requests],
            }
            for scan in site.plans[device.id]
        ],
    }


COMMAND = Command("plan", "what every device will be asked", arguments, execute, DESCRIPTION)
