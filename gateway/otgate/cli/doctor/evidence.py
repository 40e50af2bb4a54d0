"""What is known of a point at each place: files, running sides, spools, cursors."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otgate.cli.box import bus_files, cursor_place, side_socket
from otgate.cli.progress import Progress
from otgate.config.bus import load_bus
from otgate.config.site import Site
from otgate.driver import planned_types
from otgate.errors import Refused, SpoolUnusable
from otgate.model import Device, Lane, Point, Scan
from otgate.observe.control import ask
from otgate.policy.decide import Verdict, decide
from otgate.spool.cursor import CursorFile, LaneCursor
from otgate.spool.epoch import epoch_text
from otgate.spool.files import OS
from otgate.spool.latest import Latest, latest

Told = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Way:
    """What is known of a point on one conduit."""

    verdict: Verdict
    spool: Path
    newest: Latest | None
    """The newest sample of it in the spool."""
    unread: str
    """Why the spool could not be read, or nothing."""
    bus: Told | None
    """The status of the bus side, None where none answers."""
    silent: str
    """Why none does."""
    sample: Told
    """How far the newest sample is: `acknowledged`, `in_flight`; empty where that is unknown."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that is known of a point."""

    site: Site
    device: Device
    point: Point
    scans: tuple[Scan, ...]
    """The scans that read it, by the files."""
    field_side: Told | None
    """What the field side's `trace` says, None where it does not."""
    refused: str
    """Why not."""
    answers: bool
    """Whether a field side answers at all."""
    ways: tuple[Way, ...] = ()

    @property
    def path(self) -> str:
        """`device/point`."""
        return f"{self.device.id}/{self.point.id}"


def gathered(
    site: Site,
    device: Device,
    point: Point,
    control: Path | None,
    conduit: str | None,
    step: Progress,
) -> Evidence:
    """Ask everybody who knows something of ``point``, on one conduit or on all."""
    number = list(device.points).index(point)
    scans = tuple(scan for scan in site.plans[device.id] if number in scan.points)
    socket = side_socket(site.path, control, "field")
    step("asking the field side")
    told, refused = asked(socket, "trace", device=device.id, point=point.id)
    answers = told is not None or asked(socket, "status")[0] is not None
    of = planned_types(device, site.plans[device.id])[number]
    verdicts = [
        decide(site.policy, one, device, point, of)
        for one in site.policy.conduits.values()
        if conduit in {None, one.id}
    ]
    ways = tuple(way_of(site, verdict, control, step) for verdict in verdicts)
    return Evidence(site, device, point, scans, told, refused, answers, ways)


def asked(socket: Path, verb: str, **arguments: Any) -> tuple[Told | None, str]:
    """Return what a side answers, or why it does not."""
    try:
        return ask(socket, verb, **arguments), ""
    except Refused as refused:
        return None, str(refused)


def way_of(site: Site, verdict: Verdict, control: Path | None, step: Progress) -> Way:
    """Look at one conduit's spool and ask its bus side."""
    conduit = verdict.conduit.id
    spool = site.spool.directory / conduit
    newest, unread = None, ""
    try:
        newest = latest(spool, verdict.device.id, verdict.point.id, step)
    except SpoolUnusable as error:
        unread = str(error)
    step(f"asking the bus side of {conduit}")
    socket = side_socket(site.path, control, f"bus-{conduit}")
    bus, silent = asked(socket, "status")
    sample = {} if newest is None else followed(site, socket, conduit, newest)
    return Way(verdict, spool, newest, unread, bus, silent, sample)


def followed(site: Site, socket: Path, conduit: str, newest: Latest) -> Told:
    """Return how far a sample is: by the bus side, else by the cursor that it left."""
    lane, place = str(newest.lane), newest.place
    told, _ = asked(socket, "trace", lane=lane, epoch=epoch_text(place.epoch), seq=place.seq)
    if told is not None:
        return told
    cursors = {each: LaneCursor() for each in Lane}
    try:
        if not CursorFile(state_of(site, conduit), OS).look(cursors):
            return {}
    except SpoolUnusable:
        return {}
    return {"acknowledged": cursors[newest.lane].has(*place), "in_flight": False}


def state_of(site: Site, conduit: str) -> Path:
    """Return where the bus side of a conduit keeps its cursor."""
    folder = site.path.parent
    for file in bus_files(folder):
        bus, _ = load_bus(file)
        if bus is not None and bus.conduit == conduit:
            return cursor_place(file, bus.state, conduit)
    return folder / "state" / "bus" / conduit
