"""`otgate status`: what the running sides say of themselves."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from otgate.cli.command import FAILED, OK, Command
from otgate.errors import Refused
from otgate.observe.control import ask

DESCRIPTION = """\
Ask every running side of a site for its state, over the administration sockets in `run` beside
the site file (or --control DIR). Exit 0: every side that has a socket answers. Exit 1: one does
not, or none runs.

  otgate status site.yaml
  otgate status --control /run/otgate --format json
"""

SILENT = "does not answer"
"""Stands in for the status of a side that gives none."""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "site",
        metavar="SITE",
        type=Path,
        nargs="?",
        default=Path(),
        help="site.yaml, or its folder",
    )
    parser.add_argument("--control", type=Path, metavar="DIR", help="directory of the sockets")
    parser.add_argument("--format", choices=["text", "json"], default="text")


def execute(options: Namespace) -> int:
    """Run the verb."""
    site: Path = options.site
    directory = options.control or (site if site.is_dir() else site.parent) / "run"
    answers = {path.stem: answer(path) for path in sorted(directory.glob("*.sock"))}
    if not answers:
        raise Refused(f"nothing runs: there is no socket in {directory}")
    if options.format == "json":
        print(json.dumps(answers, indent=2))
    else:
        print("\n\n".join("\n".join(lines(name, said)) for name, said in answers.items()))
    return FAILED if any(SILENT in said for said in answers.values()) else OK


def answer(path: Path) -> dict[str, Any]:
    """Return a side's status, or why it gave none."""
    try:
        return ask(path, "status")
    except Refused as refused:
        return {SILENT: str(refused)}


def lines(name: str, said: Mapping[str, Any]) -> Iterator[str]:
    """Write one side's status for a person."""
    yield name
    yield from indented(said, 1)


def indented(said: Mapping[str, Any], depth: int) -> Iterator[str]:
    """Write nested values, one a line, rows of plain values on one line each."""
    margin = "  " * depth
    for key, value in said.items():
        if isinstance(value, Mapping) and any(isinstance(v, Mapping) for v in value.values()):
            yield f"{margin}{key}"
            yield from indented(value, depth + 1)
        elif isinstance(value, Mapping):
            yield f"{margin}{key:<16} " + "  ".join(f"{k}={v}" for k, v in value.items())
        else:
            yield f"{margin}{key:<16} {value}"


COMMAND = Command(
    "status", "what the running sides say of themselves", arguments, execute, DESCRIPTION
)
