"""`otgate status`: what the running sides say of themselves."""

import json
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from otgate.cli.box import socket_directories
from otgate.cli.command import FAILED, OK, Command
from otgate.cli.places import format_argument, running_site_arguments, sides
from otgate.errors import Refused
from otgate.observe.control import ADMIN_GROUP, ask
from otgate.terminal import printable

DESCRIPTION = """\
Ask every running side of a site for its state, over the administration sockets in `run` beside
the site file (or --control DIR). On a box that `otgate install` made no site has to be named.
Exit 0: every side that has a socket answers. Exit 1: one does not, or none runs.

  otgate status site.yaml
  otgate status --control /run/otgate --format json
"""

SILENT = "does not answer"
"""Stands in for the status of a side that gives none."""

NOTHING = (None, "")


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    running_site_arguments(parser)
    format_argument(parser)


def execute(options: Namespace) -> int:
    """Run the verb."""
    directories = socket_directories(options.site, options.control)
    refuse_closed(directories)
    answers = {path.stem: answer(path) for path in sides(directories)}
    if options.format == "json":
        print(json.dumps(answers, indent=2))
    else:
        now_ns = time.time_ns()
        print("\n\n".join("\n".join(lines(name, said, now_ns)) for name, said in answers.items()))
    return FAILED if any(SILENT in said for said in answers.values()) else OK


def refuse_closed(directories: Iterable[Path]) -> None:
    """Refuse a directory that may not be looked into, where sockets may well be.

    Raises:
        Refused: it may not.
    """
    for directory in directories:
        try:
            next(directory.iterdir(), None)
        except PermissionError:
            raise Refused(
                f"{directory} is closed to you: be root, or in its group"
                f" (usermod -aG {ADMIN_GROUP} NAME, from the next login on)"
            ) from None
        except OSError:
            continue  # what is not there is said elsewhere


def answer(path: Path) -> dict[str, Any]:
    """Return a side's status, or why it gave none."""
    try:
        return ask(path, "status")
    except Refused as refused:
        return {SILENT: str(refused)}


def lines(name: str, said: Mapping[str, Any], now_ns: int) -> Iterator[str]:
    """Write one side's status for a person."""
    yield name
    yield from indented(said, 1, now_ns)


def indented(said: Mapping[str, Any], depth: int, now_ns: int) -> Iterator[str]:
    """Write nested values, one a line, rows of plain values on one line each."""
    margin = "  " * depth
    for key, value in said.items():
        if isinstance(value, Mapping) and any(isinstance(v, Mapping) for v in value.values()):
            yield f"{margin}{key}"
            yield from indented(value, depth + 1, now_ns)
        elif isinstance(value, Mapping):
            yield f"{margin}{key:<16} " + "  ".join(row(value, now_ns))
        elif value not in NOTHING:
            yield f"{margin}{key:<16} {printable(str(value))}"


def row(values: Mapping[str, Any], now_ns: int) -> Iterator[str]:
    """Write plain values; a moment as how long ago it was, and nothing where there is none."""
    for key, value in values.items():
        if key.endswith("_ns"):
            ago = f"{(now_ns - value) / 1e9:.1f}s ago" if value else "never"
            yield f"{key.removesuffix('_ns')}={ago}"
        elif value not in NOTHING:
            yield f"{key}={printable(str(value))}"


COMMAND = Command(
    "status", "what the running sides say of themselves", arguments, execute, DESCRIPTION
)
