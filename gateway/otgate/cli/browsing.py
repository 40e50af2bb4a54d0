"""`otgate browse`: what a live device has, read once and without changing anything."""

from argparse import ArgumentParser, Namespace

from otgate.browser import browsers
from otgate.cli.command import OK, Command
from otgate.config.render import visible
from otgate.errors import Refused

DESCRIPTION = """\
Read a live device once and print what it has; with --csv as a point map, to be narrowed and named.
It writes nothing to the device and takes nothing from other clients.

  otgate browse mms://10.0.0.5
  otgate browse "dnp3://10.0.0.5?outstation=10&master=1" --csv
"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments, and what each protocol says of itself."""
    known = browsers()
    parser.add_argument(
        "target", metavar="URL", help=", ".join(each.example for each in known.values())
    )
    parser.add_argument("--csv", action="store_true", help="print a point map")
    parser.add_argument("--timeout", type=float, default=5.0, metavar="S", help="for each answer")
    parser.epilog = "\n\n".join(f"{scheme}: {each.about}" for scheme, each in known.items())


def execute(options: Namespace) -> int:
    """Run the verb.

    Raises:
        Refused: no protocol reads such a URL.
    """
    known = browsers()
    scheme = options.target.partition("://")[0]
    if scheme not in known:
        examples = ", ".join(each.example for each in known.values())
        raise Refused(f"`{options.target}` is of no protocol that can be browsed; write {examples}")
    text = known[scheme].browse(options.target, options.timeout, as_csv=options.csv)
    print("\n".join(visible(line) for line in text.splitlines()))
    return OK


COMMAND = Command("browse", "what a live device has", arguments, execute, DESCRIPTION)
