"""`otgate policy stop` and `start`: cut a conduit, and open it again."""

import sys
from argparse import ArgumentParser, Namespace
from functools import partial

from otgate.cli.command import OK, Command
from otgate.cli.places import control_argument, site_argument, socket_of
from otgate.observe.control import ask

STOP = """\
Let nothing cross a conduit any more, at once and also after a restart, until `otgate policy start`.
The bus side recalls what it has not published yet and clears what is retained.

  otgate policy stop site.yaml analytics

Exit: 0 stopped; 1 nothing runs, or there is no such conduit.
"""

START = """\
Open a conduit again that `otgate policy stop` cut. What was recalled meanwhile stays unsent.

  otgate policy start site.yaml analytics

Exit: 0 open, or said why it still is not; 1 nothing runs, or there is no such conduit.
"""


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of both verbs."""
    site_argument(parser)
    parser.add_argument("conduit", metavar="CONDUIT", help="a conduit of the policy")
    control_argument(parser)


def execute(options: Namespace, *, verb: str) -> int:
    """Ask the field side."""
    path = socket_of(options.site, options.control, "field")
    told = ask(path, verb, conduit=options.conduit)
    print(f"{told['conduit']}: {told['shut'] or 'open'}")
    if told["remark"]:
        print(f"otgate: {told['remark']}", file=sys.stderr)
    return OK


STOP_COMMAND = Command("stop", "cut a conduit", arguments, partial(execute, verb="stop"), STOP)
START_COMMAND = Command(
    "start", "open a conduit again", arguments, partial(execute, verb="start"), START
)
