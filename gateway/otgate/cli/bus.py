"""`otgate bus`: publish one conduit's spool, in the IT zone."""

import os
import sys
from argparse import ArgumentParser, Namespace
from importlib import import_module
from pathlib import Path

from otgate.app.loop import die_with_parent
from otgate.cli.command import Command
from otgate.cli.running import run_confined, running_arguments, start_logs
from otgate.config.bus_apart import load_bus_apart
from otgate.config.bus_side import BusFile
from otgate.config.render import rendered
from otgate.observe.notify import SOCKET

DESCRIPTION = """\
Run the bus side of one conduit: read its spool, publish it. It reads nothing but CONFIG
(bus/<conduit>.yaml), its credentials and the spool, and writes nothing but its own cursor.

SIGINT or SIGTERM stops cleanly within 2 seconds. Exit 78: the configuration was refused.

  otgate bus bus/analytics.yaml
  otgate bus bus/analytics.yaml --spool /var/lib/otgate/spool/analytics --log json
"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("config", metavar="CONFIG", type=Path, help="bus/<conduit>.yaml")
    parser.add_argument("--spool", type=Path, metavar="DIR", help="read this spool instead")
    parser.add_argument("--state", type=Path, metavar="DIR", help="keep the cursor here instead")
    running_arguments(parser)


def execute(options: Namespace) -> int:
    """Run the verb."""
    told, diagnostics = load_bus_apart(options.config, imported)
    if told is None:
        print(rendered(diagnostics), file=sys.stderr)
        return os.EX_CONFIG
    from otgate.app.bus import bus_side  # noqa: PLC0415  a refused file starts nothing
    from otgate.app.renewal import Renewal  # noqa: PLC0415

    start_logs(options, "bus")
    if options.parent is not None:
        die_with_parent(options.parent)
    bus = placed(told, options)
    directory = options.control or bus.path.parent.parent / "run"
    path = directory / f"bus-{bus.conduit}.sock"
    return run_confined(bus_side(bus, path, Renewal(told, attended=attended(options))))


def attended(options: Namespace) -> bool:
    """Tell whether somebody starts this process again: a parent, systemd, or a container's."""
    return options.parent is not None or SOCKET in os.environ or os.getpid() == 1


def imported() -> None:
    """Import what publishes, which takes as long as reading the file does."""
    import_module("otgate.app.bus")


def placed(bus: BusFile, options: Namespace) -> BusFile:
    """Put the spool and the cursor where the options say."""
    return bus.at(options.spool or bus.spool, options.state or bus.state)


COMMAND = Command("bus", "publish one conduit's spool", arguments, execute, DESCRIPTION)
