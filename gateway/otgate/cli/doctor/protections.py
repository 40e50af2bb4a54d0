"""What protects the sides, tried for real."""

import json
import platform
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from otgate.app.needs import bus_needs, field_needs
from otgate.cli.box import cursor_place, side_socket, spool_place
from otgate.cli.command import FAILED, OK
from otgate.cli.doctor.running import Running, running
from otgate.cli.doctor.running import lines as lines_of_running
from otgate.cli.loading import loaded
from otgate.cli.places import is_bus_file, site_file
from otgate.config.bus import load_bus
from otgate.config.bus_side import BusFile
from otgate.driver import installed
from otgate.errors import Refused
from otgate.sandbox import landlock
from otgate.sandbox.needs import Needs
from otgate.sandbox.probe import Finding, Found, probed


def protections(target: Path, control: Path | None, form: str) -> int:
    """Print what protects the sides of a site, or of a bus file; return the exit code.

    Raises:
        Refused: a file has errors.
    """
    found = {
        side.name: Protected(side.mode, probed(side.needs), running(side.socket))
        for side in sides_of(target, control)
    }
    if form == "json":
        print(json.dumps({name: one.document() for name, one in found.items()}, indent=2))
    else:
        print(f"Linux {platform.release()}, Landlock {landlock.version() or 'is not there'}")
        for name, one in found.items():
            print("\n".join(["", *lines(name, one.mode, one.tried)]))
            print("\n".join(lines_of_running(one.running, one.mode, one.tried.held.by)))
    return OK if all(one.is_right for one in found.values()) else FAILED


@dataclass(frozen=True, slots=True)
class Protected:
    """What a side is to be protected by, what that is worth, and how it runs."""

    mode: str
    tried: Found
    running: Running

    @property
    def is_right(self) -> bool:
        """Tell whether all holds, in the side that runs too."""
        held = self.running.is_right(self.mode, self.tried.held.by)
        return self.mode != "off" and self.tried.is_right and held

    def document(self) -> Mapping[str, Any]:
        """Say all of it for a program."""
        return {"sandbox": self.mode, **asdict(self.tried), "running": asdict(self.running)}


@dataclass(frozen=True, slots=True)
class Described:
    """A side as its file describes it."""

    name: str
    mode: str
    """Of its sandbox."""
    needs: Needs
    socket: Path
    """Where it is asked while it runs."""


def sides_of(target: Path, control: Path | None) -> Iterator[Described]:
    """Yield the sides that a file describes.

    Raises:
        Refused: the file has errors.
    """
    if is_bus_file(target):
        buses = [target]
    else:
        yield field(target, control)
        buses = sorted((site_file(target).parent / "bus").glob("*.yaml"))
    for path in buses:
        bus = bus_of(path)
        socket = side_socket(path.parent.parent / "site.yaml", control, f"bus-{bus.conduit}")
        yield Described(f"bus side {bus.conduit}", bus.sandbox, bus_needs(bus), socket)


def bus_of(path: Path) -> BusFile:
    """Read a bus file.

    Raises:
        Refused: it has errors.
    """
    bus, _ = load_bus(path)
    if bus is None:
        raise Refused(f"{path} has errors: `otgate check` says which")
    spool = spool_place(path, bus.spool, bus.conduit)
    return bus.at(spool, cursor_place(path, bus.state, bus.conduit))


def field(target: Path, control: Path | None) -> Described:
    """Return a site's field side.

    Raises:
        Refused: the site has errors.
    """
    site = loaded(target)
    if site is None:
        raise Refused(f"{site_file(target)} has errors")
    needs = field_needs(site, installed(), control or site.control_directory)
    socket = side_socket(site_file(target), control, "field")
    return Described("field side", site.sandbox, needs, socket)


def lines(name: str, mode: str, found: Found) -> Iterator[str]:
    """Write what came of one side for a person."""
    by = ", ".join(found.held.by) or "nothing"
    yield f"{name}  sandbox: {mode}" + ("" if mode == "off" else f", by {by}")
    if mode == "off":
        yield "  nothing is given up; with `sandbox: auto` it would be:"
    for lacking in found.held.lacking:
        yield f"  lacking   {lacking}"
    yield from (f"  {verdict(one):<9} {one.what}{words(one)}" for one in found.forbidden)
    for one in found.needed:
        yield f"  {'works' if one.refused is None else 'REFUSED':<9} {one.what}{words(one)}"


def verdict(one: Finding) -> str:
    """Say in a word what came of something forbidden."""
    if one.refused is not None:
        return "in force"
    return "allowed" if one.allowed else "OPEN"


def words(one: Finding) -> str:
    """Say why, in words of the system or ours."""
    why = one.refused or one.allowed
    return f" ({why})" if why else ""
