"""`otgate metrics`: what monitoring reads of the running sides."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from otgate.cli.box import socket_directories
from otgate.cli.command import FAILED, OK, Command
from otgate.cli.places import METRICS, nothing_runs, running_site_arguments
from otgate.errors import Refused
from otgate.observe.metrics import reference
from otgate.observe.scrape import fetched

DESCRIPTION = """\
Print the metrics of the running sides of a site in Prometheus' text format, as their sockets
`run/SIDE.metrics.sock` beside the site file (or --control DIR) give them. With --health say
whether each side gets on instead. Exit 0: every side answers, and is healthy. Exit 1: one does
not, or none runs.

  otgate metrics site.yaml
  otgate metrics site.yaml --side bus-analytics
  otgate metrics site.yaml --side field --health
"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    running_site_arguments(parser)
    parser.add_argument("--side", metavar="SIDE", help="`field`, or `bus-` and a conduit; or all")
    parser.add_argument("--health", action="store_true", help="say `ok`, or what is stuck")
    parser.add_argument(
        "--reference", action="store_true", help="describe every metric, as Markdown"
    )


def execute(options: Namespace) -> int:
    """Run the verb."""
    if options.reference:
        print("\n".join(reference()))
        return OK
    directories = socket_directories(options.site, options.control)
    name = f"{options.side or '*'}{METRICS}"
    paths = [path for directory in directories for path in sorted(directory.glob(name))]
    if not paths and options.side:
        paths = [directories[0] / name]
    if not paths:
        nothing_runs(directories)
    target = "/healthz" if options.health else "/metrics"
    return max([shown(path, target, alone=len(paths) == 1) for path in paths])


def shown(path: Path, target: str, *, alone: bool) -> int:
    """Print what one side says; return whether it is well."""
    side = path.name.removesuffix(METRICS)
    try:
        code, text = fetched(path, target)
    except Refused as refused:
        print(f"otgate: {refused}", file=sys.stderr)
        return FAILED
    if target == "/healthz":
        print(f"{side}: {text}", end="")
    else:
        print(text if alone else f"# side {side}\n{text}", end="")
    return OK if code == 200 else FAILED


COMMAND = Command(
    "metrics", "what monitoring reads of the running sides", arguments, execute, DESCRIPTION
)
