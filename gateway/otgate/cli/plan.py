"""`otgate plan`: what every device will be asked, before one is."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from typing import Any

from otgate.cli.command import FAILED, OK, Command
from otgate.cli.loading import loaded
from otgate.cli.places import site_argument
from otgate.config.site import Site
from otgate.driver import installed
from otgate.model import Device, Scan

DESCRIPTION = """\
Print, per device, the requests of each scan, what of the answers is used and wasted, the load on
the link, and every housekeeping write that the driver may send. Needs no device and no network.

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
        print(json.dumps([as_json(site, device) for device in site.devices], indent=2))
    else:
        print("\n\n".join("\n".join(lines(site, device, options)) for device in site.devices))
    return OK


def lines(site: Site, device: Device, options: Namespace) -> Iterator[str]:
    """Write one device's plan for a person."""
    scans = site.plans[device.id]
    yield f"{device.id}  ({device.driver}, {len(device.points)} points)"
    yield f"  {'scan':<12} {'period':>9} {'points':>7} {'requests':>9} {'used':>7} {'wasted':>7}"
    for scan in scans:
        used, wasted = totals(scan)
        yield (
            f"  {scan.name:<12} {scan.period_s:>7g} s {len(scan.points):>7}"
            f" {len(scan.requests):>9} {used:>7} {wasted:>7}"
        )
        if options.requests:
            yield from (
                f"    {request.text:<40} used {request.used}, wasted {request.wasted}"
                for request in scan.requests
            )
    requests, octets = load(scans)
    yield f"  load: {requests:.3g} requests/s, {octets:.4g} bytes/s on the wire"
    yield f"  housekeeping writes: {'; '.join(housekeeping(device)) or 'none'}"


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
        "scans": [
            {
                "name": scan.name,
                "period_s": scan.period_s,
                "points": len(scan.points),
                "used": totals(scan)[0],
                "wasted": totals(scan)[1],
                "requests": [request.text for request in scan.requests],
            }
            for scan in site.plans[device.id]
        ],
    }


COMMAND = Command("plan", "what every device will be asked", arguments, execute, DESCRIPTION)
