"""`otgate maintenance`: a device under test, and back."""

import sys
from argparse import ArgumentParser, Namespace

from otgate.cli.command import OK, Command
from otgate.cli.places import control_argument, site_argument, socket_of
from otgate.observe.control import ask

DESCRIPTION = """\
Put a device of a running gateway under maintenance, or take it out. Everything that the device
says meanwhile is marked `test`, and stays within the OT zone unless a conduit says `test: pass`.
It holds over reloads and restarts, whatever the site file says, until `site` leaves it to the file
again. Who asked, and why, is logged and shown by `otgate status`.

  otgate maintenance site.yaml f3 on --why "secondary injection, work order 4711"
  otgate maintenance site.yaml f3 off
  otgate maintenance site.yaml f3 site

Exit: 0 done; 1 nothing runs, or there is no such device.
"""
SWITCH_S = 30.0
"""How long the sessions of a link may take to end and begin."""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    site_argument(parser)
    parser.add_argument("device", metavar="DEVICE", help="a device of the site")
    parser.add_argument("state", choices=["on", "off", "site"], help="`site`: as the file says")
    parser.add_argument("--why", default="", metavar="TEXT", help="for whoever reads the log")
    control_argument(parser)


def execute(options: Namespace) -> int:
    """Ask the field side."""
    told = ask(
        socket_of(options.site, options.control, "field"),
        "maintain",
        timeout_s=SWITCH_S,
        device=options.device,
        maintenance=options.state,
        why=options.why,
    )
    print(f"{told['device']}: maintenance {'on' if told['maintenance'] else 'off'}")
    if told["remark"]:
        print(f"otgate: {told['remark']}", file=sys.stderr)
    return OK


COMMAND = Command(
    "maintenance", "mark what a device says as under test", arguments, execute, DESCRIPTION
)
