"""`otgate run`: both sides of a site under one parent, or the field side alone."""

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from otgate.app.loop import die_with_parent, hold_hangups, run
from otgate.cli.command import Command
from otgate.cli.places import site_argument, site_file
from otgate.cli.running import run_confined, running_arguments, start_logs
from otgate.errors import Refused

if TYPE_CHECKING:
    from otgate.config.site import Site

DESCRIPTION = """\
Run a site. Without --field: one field side and one bus side per bus/*.yaml beside the site file,
under a parent that restarts a side that dies. With --field: the field side alone, as a service
manager runs it; `otgate bus` is its counterpart in the IT zone.

SIGINT or SIGTERM stops cleanly within 2 seconds. SIGHUP reads the site's files again, as
`otgate reload` does. Exit 78: the configuration was refused.

  otgate run site.yaml
  otgate run site.yaml --field --log json
"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    site_argument(parser)
    parser.add_argument("--field", action="store_true", help="run the field side alone")
    parser.add_argument(
        "--endpoints",
        type=Path,
        metavar="FILE",
        help="JSON that replaces keys of devices' driver blocks, as `otgate sim --map` writes",
    )
    parser.add_argument(
        "--signed-by",
        action="append",
        default=[],
        metavar="ROLE=KEY",
        help="refuse a site that this key need not sign, e.g. security=3be52ce5c7edf5bf",
    )
    running_arguments(parser)


def execute(options: Namespace) -> int:
    """Run the verb."""
    hold_hangups()
    return field(options) if options.field else both(options)


def both(options: Namespace) -> int:
    """Run the parent of both sides."""
    from otgate.app.parent import Side, parent  # noqa: PLC0415  the field side needs none
    from otgate.observe.control import clear  # noqa: PLC0415

    start_logs(options, "parent")
    site = site_file(options.site)
    passed = ["--log", options.log, "--log-level", options.log_level]
    if options.control is not None:
        passed += ["--control", str(options.control)]
    endpoints = [] if options.endpoints is None else ["--endpoints", str(options.endpoints)]
    signers = [f"--signed-by={one}" for one in options.signed_by]
    buses = sorted((site.parent / "bus").glob("*.yaml"))
    sides = [
        Side(
            "field side", ["run", str(site), "--field", *endpoints, *signers, *passed], reloads=True
        ),
        *(Side(f"bus side {bus.stem}", ["bus", str(bus), *passed]) for bus in buses),
    ]
    try:
        return run(parent(sides))
    finally:  # in its sandbox a bus side cannot remove its own: others' lie beside it
        clear(options.control or site.parent / "run", "bus-*.sock")


def field(options: Namespace) -> int:
    """Run the field side."""
    from otgate.app.field import field_side  # noqa: PLC0415  the parent needs none of it
    from otgate.cli.loading import loaded, overrides  # noqa: PLC0415
    from otgate.config.site import Loaded, load_site  # noqa: PLC0415
    from otgate.driver import installed  # noqa: PLC0415

    site = loaded(options.site, options.endpoints)
    if site is None or not admitted(site, options.signed_by):
        return os.EX_CONFIG

    start_logs(options, "field")
    if options.parent is not None:
        die_with_parent(options.parent)
    directory = options.control or site.control_directory
    drivers, given = installed(), overrides(options.endpoints)

    def reread() -> Loaded:
        return load_site(site_file(options.site), drivers, overrides=given)

    return run_confined(field_side(site, drivers, directory / "field.sock", reread))


def admitted(site: "Site", wanted: Sequence[str]) -> bool:
    """Say what keeps a site from being run although its files have no error, if anything."""
    why = unsigned(site, wanted) or older(site)
    if why:
        from otgate.app.auditing import record_refusal  # noqa: PLC0415  seldom needed

        print(f"otgate: {why}", file=sys.stderr)
        record_refusal(site.audit, f"{site.id}/{site.gateway}/field", why)
    return not why


def unsigned(site: "Site", wanted: Sequence[str]) -> str:
    """Say which signatures are wanted that a site does not ask for."""
    missing = sorted({*wanted} - {f"{role}={key}" for role, key in site.signers.items()})
    help_ = "`signatures` in site.yaml names another key, or none"
    return f"{site.path} is not signed by {', '.join(missing)}: {help_}" if missing else ""


def older(site: "Site") -> str:
    """Say which policy ran last, where another one may not take its place; else take note."""
    from otgate.app.editions import Editions  # noqa: PLC0415  the parent needs none of it

    editions = Editions(site)
    try:
        editions.check(site)
        editions.keep(site)
    except Refused as refused:
        return str(refused)
    return ""


COMMAND = Command(
    "run", "run both sides of a site, or its field side", arguments, execute, DESCRIPTION
)
