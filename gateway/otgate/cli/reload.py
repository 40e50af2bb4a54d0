"""`otgate reload`: let the sides that run take up their files as they are now."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from typing import Any

from otgate.cli.box import bus_files
from otgate.cli.command import OK, Command
from otgate.cli.places import (
    control_argument,
    format_argument,
    is_bus_file,
    site_argument,
    site_file,
    socket_of,
)
from otgate.cli.renewing import alone, closed, compared, renewed
from otgate.observe.control import ask

DESCRIPTION = """\
Let the running field side read site, point maps and policy again. It checks everything first; what
has an error is refused whole, and the old files go on to hold. Gates change between two batches;
devices that are the same keep their connections. A bus side whose file beside the site was edited
ends in good order and is started again by it: nothing is lost, the last seconds come twice.

  otgate reload site.yaml
  otgate reload site.yaml --allow-gain
  otgate reload bus/analytics.yaml

What would let more cross than before, a point, a finer step, a shorter interval, is refused
without --allow-gain; what a restart has held back counts as such. What lets less cross is recalled
from the backlog. Site id, gateway and the directories of spool and state take a restart, as does a
bus file that is new or gone. Of a bus file alone its side is asked, and nobody else.

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
    """Ask the field side, then the bus sides, and print what changed."""
    site, control = options.site, options.control
    if is_bus_file(site):
        told: Mapping[str, Any] = {}
        renewals, others = alone(site, control), []
    else:
        files = bus_files(site_file(site).parent)
        others = closed(files)
        renewals = compared([file for file in files if file not in others], site, control)
        path = socket_of(site, control, "field")
        told = ask(path, "reload", timeout_s=LIMIT_S, allow_gain=options.allow_gain)
        if options.format == "text":
            print("\n".join(lines(told)))
    buses = [said for one in renewals for said in renewed(one)]
    buses += [f"{file} is closed to you: its bus side was not asked" for file in others]
    if options.format == "json":
        print(json.dumps({**told, "buses": buses}, indent=2))
    elif buses:
        print("\n".join(buses))
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
    "reload", "let the sides take up their files as they are now", arguments, execute, DESCRIPTION
)
