"""What protects the sides, tried for real."""

import json
import platform
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from otgate.app.needs import bus_needs, field_needs
from otgate.cli.command import FAILED, OK
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
    sides = dict(sides_of(target, control))
    found = {name: (mode, probed(needs)) for name, (mode, needs) in sides.items()}
    if form == "json":
        told = {name: {"sandbox": mode, **asdict(one)} for name, (mode, one) in found.items()}
        print(json.dumps(told, indent=2))
    else:
        print(f"Linux {platform.release()}, Landlock {landlock.version() or 'is not there'}")
        for name, (mode, one) in found.items():
            print("\n".join(["", *lines(name, mode, one)]))
    right = all(mode != "off" and one.is_right for mode, one in found.values())
    return OK if right else FAILED


def sides_of(target: Path, control: Path | None) -> Iterator[tuple[str, tuple[str, Needs]]]:
    """Yield the sides that a file describes: the mode of each one's sandbox, and its needs.

    Raises:
        Refused: the file has errors.
    """
    if is_bus_file(target):
        buses = [target]
    else:
        yield "field side", field(target, control)
        buses = sorted((site_file(target).parent / "bus").glob("*.yaml"))
    for path in buses:
        bus = bus_of(path)
        yield f"bus side {bus.conduit}", (bus.sandbox, bus_needs(bus))


def bus_of(path: Path) -> BusFile:
    """Read a bus file.

    Raises:
        Refused: it has errors.
    """
    bus, _ = load_bus(path)
    if bus is None:
        raise Refused(f"{path} has errors: `otgate check` says which")
    return bus


def field(target: Path, control: Path | None) -> tuple[str, Needs]:
    """Return the mode and the needs of a site's field side.

    Raises:
        Refused: the site has errors.
    """
    site = loaded(target)
    if site is None:
        raise Refused(f"{site_file(target)} has errors")
    return site.sandbox, field_needs(site, installed(), control or site.control_directory)


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
