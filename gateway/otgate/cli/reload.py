"""`otgate reload`: let a running field side read its files again."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from typing import Any

from otgate.cli.command import OK, Command
from otgate.cli.places import control_argument, format_argument, site_argument, socket_of
from otgate.observe.control import ask

DESCRIPTION = """\
Let the running field side read site, point maps and policy again. It checks everything first; what
has an error is refused whole, and the old files go on to hold. Gates change between two batches;
devices that are the same keep their connections.

  otgate reload site.yaml
  otgate reload site.yaml --allow-gain

What would let more cross than before, a point, a finer step, a shorter interval, is refused
without --allow-gain; what a restart has held back counts as such. What lets less cross is recalled
from the backlog. Site id, gateway and the directories of spool and state take a restart, as do bus
files.

Exit: 0 reloaded, and what crosses otherwise is printed; 1 refused, or nothing runs.
"""

LIMIT_S = 120.0


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    site_argument(parser)
    parser.add_argument("--allow-gain", action="store_true", help="let more cross than before")
    control_argument(parser)
    format_argument(parser)


def execute(options: Namespace) -> int:
    """Ask the field side, and print what changed."""
    path = socket_of(options.site, options.control, "field")
    told = ask(path, "reload", timeout_s=LIMIT_S, allow_gain=options.allow_gain)
    print(json.dumps(told, indent=2) if options.format == "json" else "\n".join(lines(told)))
    return OK


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Write for a person what a reload changed."""
    if told["warnings"]:
        yield told["warnings"]
    yield f"reloaded: {len(told['changes'])} points cross otherwise"
    for one in told["changes"]:
        yield f"  {one['conduit']}  {one['path']}  {one['way']}: {one['why']}"
    if told["devices_begun"]:
        yield f"devices begun: {', '.join(told['devices_begun'])}"


COMMAND = Command(
    "reload", "let the field side read its files again", arguments, execute, DESCRIPTION
)
