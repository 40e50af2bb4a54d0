"""`otgate doctor`: why a point does not arrive, hop by hop; and what protects the sides."""

import json
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from otgate.cli.command import FAILED, OK, Command
from otgate.cli.doctor.evidence import gathered
from otgate.cli.doctor.hop import Diagnosis, Found, Hop, first_stop
from otgate.cli.doctor.judging import judged
from otgate.cli.loading import loaded
from otgate.cli.places import control_argument, format_argument, site_argument
from otgate.cli.progress import progress
from otgate.cli.unknown import unknown
from otgate.config.render import visible
from otgate.config.site import Site
from otgate.model import Device, Point

DESCRIPTION = """\
Follow one point from its device to the broker, and say at which hop it stops and what to do:
configured, planned, polled, decoded, deadband; then for each conduit policy, spool, published,
acknowledged. Asks the running sides over their administration sockets, reads the spools, and
changes nothing. What the policy keeps back is shown as barred, and no fault.

Without a point it says what a taken-over side could still do. For each side a process of its own
enters the same sandbox and tries what is forbidden: to read and write files, connect, execute,
signal, trace. It also tries what the side needs. Of a side that runs, it says what the kernel
tells of its process, and what the side says itself. `in force`: refused by the system. `OPEN`:
should be refused and is not. `allowed`: not asked for, and why. Run it as the user that runs the
side.

  otgate doctor site.yaml f3/ia
  otgate doctor site.yaml f3/ia --conduit analytics --format json
  otgate doctor site.yaml
  otgate doctor /etc/otgate/bus/analytics.yaml

Exit: 0 it arrives, or has nothing new to say; 1 it stops somewhere, or no conduit carries it, or
the files have errors; 2 no such point. Without a point: 0 all that is asked for is in force and all
that is needed works, else 1.
"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    site_argument(parser)
    parser.add_argument("point", metavar="DEVICE/POINT", nargs="?", help="the point that is missed")
    parser.add_argument("--conduit", metavar="CONDUIT", help="this conduit only")
    control_argument(parser)
    format_argument(parser)


def execute(options: Namespace) -> int:
    """Run the verb."""
    if options.point is None:
        from otgate.cli.doctor.protections import protections  # noqa: PLC0415  for this alone

        return protections(options.site, options.control, options.format)
    site = loaded(options.site)
    if site is None:
        return FAILED
    found = point_of(site, options.point)
    if found is None:
        every = [f"{device.id}/{point.id}" for device in site.devices for point in device.points]
        return unknown("point", options.point, every)
    if options.conduit is not None and options.conduit not in site.policy.conduits:
        return unknown("conduit", options.conduit, list(site.policy.conduits))
    with progress("asking") as step:
        evidence = gathered(site, *found, options.control, options.conduit, step)
    diagnosis = judged(evidence, time.time_ns())
    if options.format == "json":
        print(json.dumps(document(diagnosis), indent=2, ensure_ascii=False))
    else:
        print("\n".join(map(visible, lines(diagnosis))))
    return OK if diagnosis.arrives else FAILED


def point_of(site: Site, path: str) -> tuple[Device, Point] | None:
    """Return the device and the point that ``path`` names."""
    name, _, wanted = path.partition("/")
    return next(
        (
            (device, point)
            for device in site.devices
            if device.id == name
            for point in device.points
            if point.id == wanted
        ),
        None,
    )


def lines(diagnosis: Diagnosis) -> Iterator[str]:
    """Say every hop, then the sentence that it comes to."""
    yield diagnosis.point
    yield from (of_hop(hop) for hop in diagnosis.hops)
    for way in diagnosis.ways:
        yield f"{way.conduit}"
        yield from (of_hop(hop) for hop in way.hops)
    yield ""
    yield from verdict(diagnosis)
    yield from (f"note: {remark}" for remark in diagnosis.remarks)


def of_hop(hop: Hop) -> str:
    """Write one hop."""
    return f"  {hop.found:<7} {hop.name:<13} {hop.says}"


def verdict(diagnosis: Diagnosis) -> Iterator[str]:
    """Say where it stops first, or that it arrives, for each conduit that differs."""
    if (stop := first_stop(diagnosis.hops)) is not None:
        yield from stops(diagnosis.point, stop)
        return
    for way in diagnosis.ways:
        of = f"{diagnosis.point} on {way.conduit}"
        stop = first_stop(way.hops)
        if stop is not None:
            yield from stops(of, stop)
            continue
        yield from goes(of, (*diagnosis.hops, *way.hops))


def goes(what: str, hops: Sequence[Hop]) -> Iterator[str]:
    """Say that it arrives, or where it is on its way, and what it waits for."""
    waiting = next((hop for hop in hops if hop.found is Found.WAITS), None)
    if waiting is None:
        yield f"{what} arrives"
        return
    arrived = hops[-1].found is Found.OK
    yield f"{what} {'arrives' if arrived else 'is on its way'}; {waiting.name}: {waiting.says}"
    if waiting.help:
        yield f"  {waiting.help}"


def stops(what: str, hop: Hop) -> Iterator[str]:
    """Say at which hop it stops, why, and what to do."""
    word = "is barred" if hop.found is Found.BARRED else "stops"
    yield f"{what} {word} at {hop.name}: {hop.says}"
    if hop.help:
        yield f"  {hop.help}"


def document(diagnosis: Diagnosis) -> dict[str, Any]:
    """Say the same for a program."""
    return {**asdict(diagnosis), "arrives": diagnosis.arrives, "says": list(verdict(diagnosis))}


COMMAND = Command("doctor", "why a point does not arrive", arguments, execute, DESCRIPTION)
