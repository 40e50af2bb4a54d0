"""`otgate policy stage`: what a new policy would let cross, on what the devices send now."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from otgate.cli.command import OK, Command
from otgate.cli.duration import duration_s
from otgate.cli.places import control_argument, format_argument, site_argument, socket_of
from otgate.errors import Refused
from otgate.observe.control import ask

DESCRIPTION = """\
Judge a new policy beside the running one, on what the devices of the running field side send, for a
while. Nothing crosses by it, nothing is written, and only you are answered: how many samples each
conduit would have carried, and which points would cross otherwise.

  otgate policy stage site.yaml new-policy.yaml --for 30

Exit: 0 judged; 1 it has errors, or nothing runs; 2 the command line makes no sense.
"""

DEFAULT_S = 10.0
PATIENCE_S = 60.0
"""Beyond the time asked for: reading and compiling take theirs."""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    site_argument(parser)
    parser.add_argument("new", metavar="NEW", type=Path, help="a policy.yaml")
    parser.add_argument(
        "--for", dest="for_s", type=duration_s, default=DEFAULT_S, metavar="TIME",
        help="how long, such as 30 or 30s; at most a minute",
    )  # fmt: skip
    control_argument(parser)
    format_argument(parser)


def execute(options: Namespace) -> int:
    """Send the policy, wait, and print the answer."""
    try:
        text = options.new.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"cannot read {options.new}: {error}") from error
    path = socket_of(options.site, options.control, "field")
    told = ask(
        path, "stage", timeout_s=options.for_s + PATIENCE_S,
        policy=text, name=str(options.new), for_s=options.for_s,
    )  # fmt: skip
    print(json.dumps(told, indent=2) if options.format == "json" else "\n".join(lines(told)))
    return OK


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Write for a person what a staged policy did."""
    yield f"{told['samples_seen']} samples in {told['for_s']:g} s"
    for conduit, one in told["conduits"].items():
        yield f"{conduit}: {one['samples']} would have crossed, of {one['points']} points"
        for change in one["named"]:
            yield f"  {change['path']}  {change['way']}: {change['why']}"
        if one["changes"] > len(one["named"]):
            yield f"  and {one['changes'] - len(one['named'])} more"


COMMAND = Command("stage", "try a policy beside the running one", arguments, execute, DESCRIPTION)
