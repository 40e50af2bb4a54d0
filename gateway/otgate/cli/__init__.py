"""The command line: arguments only. Each verb is a module with a `Command`.

Only the module of the verb that was asked for is imported, so that `otgate check` starts fast.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import Any, cast

from otgate.cli.command import COMMANDS, FAILED, USAGE, Command, add_verbs
from otgate.errors import OtgateError
from otgate.permission import why

BUILT_IN = {
    "check": "otgate.cli.check",
    "new": "otgate.cli.new",
    "expand": "otgate.cli.expand",
    "plan": "otgate.cli.plan",
    "policy": "otgate.cli.policy",
    "run": "otgate.cli.run",
    "bus": "otgate.cli.bus",
    "reload": "otgate.cli.reload",
    "maintenance": "otgate.cli.maintenance",
    "commission": "otgate.cli.commission",
    "doctor": "otgate.cli.doctor",
    "status": "otgate.cli.status",
    "spool": "otgate.cli.spool",
    "top": "otgate.cli.top",
    "metrics": "otgate.cli.metrics",
    "watch": "otgate.cli.watch",
    "verify": "otgate.cli.verify",
    "audit": "otgate.cli.audit_log",
    "schema": "otgate.cli.schema",
    "explain": "otgate.cli.explain",
    "import": "otgate.cli.importing",
    "export": "otgate.cli.exporting",
    "browse": "otgate.cli.browsing",
    "migrate": "otgate.cli.migrate",
    "install": "otgate.cli.install",
    "completion": "otgate.cli.completion",
}
"""Verbs of the gateway itself, in the order that help shows them."""

DESCRIPTION = """\
Bridge substation field protocols to an MQTT bus: one way, without loss.

  otgate check site.yaml      say everything that is wrong with a site's files
  otgate run site.yaml        run both sides
  otgate status site.yaml     what the running sides say of themselves
"""


ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""Keeps numpy's library from starting threads as it is imported: a side enters its sandbox alone,
and nothing here computes with matrices."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit code: 0 done, 1 failed or found, 2 usage."""
    for variable, value in ONE_THREAD.items():
        os.environ.setdefault(variable, value)
    try:
        if "_ARGCOMPLETE" in os.environ:
            complete()
        code = execute(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
    except OtgateError as error:
        print(f"otgate: {error}", file=sys.stderr)
        return FAILED
    except PermissionError as error:
        name = str(error.filename or "a file")
        print(f"otgate: cannot use {name}: {why(error, Path(name))}", file=sys.stderr)
        return FAILED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        return 130
    return code


def execute(given: Sequence[str]) -> int:
    """Import the verb that is asked for, and run it."""
    parser = parser_for(wanted(given))
    options = parser.parse_args(given)
    if not hasattr(options, "run"):
        parser.print_help()
        return USAGE
    code: int = options.run(options)
    return code


def complete() -> None:
    """Answer a shell that asks what could stand at the cursor of the line it is in."""
    from otgate.cli.completion import answer  # noqa: PLC0415  for completion alone

    line = os.environ["COMP_LINE"][: int(os.environ["COMP_POINT"])]
    answer(parser_for(wanted(line.split()[1:-1] if line[-1:].strip() else line.split()[1:])))


def wanted(given: Sequence[str]) -> list[Command]:
    """Return the commands that the parser needs: the verb's own, or all for help."""
    verb = next((word for word in given if not word.startswith("-")), None)
    if verb in BUILT_IN:
        return [built_in(verb)]
    brought = entry_points(group=COMMANDS)
    if verb is not None and (found := [entry for entry in brought if entry.name == verb]):
        return [entry.load() for entry in found]
    return [*map(built_in, BUILT_IN), *(entry.load() for entry in brought)]


def built_in(verb: str) -> Command:
    """Import one of the gateway's own verbs."""
    with unseen("rich"):
        command: Command = import_module(BUILT_IN[verb]).COMMAND
    return command


@contextmanager
def unseen(package: str) -> Iterator[None]:
    """Let nothing that is imported meanwhile find ``package``, unless it is there already.

    structlog takes `rich` where the lab has it: 4 MB in each side, for tracebacks that it never
    shows.
    """
    absent = package not in sys.modules
    if absent:
        sys.modules[package] = cast("Any", None)  # what the import system takes for "not to be had"
    try:
        yield
    finally:
        if absent:
            del sys.modules[package]


def parser_for(commands: Sequence[Command]) -> argparse.ArgumentParser:
    """Build a parser of ``commands``."""
    parser = argparse.ArgumentParser(
        prog="otgate",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"otgate {version('otgate')}")
    verbs = parser.add_subparsers(metavar="VERB", title="verbs")
    add_verbs(verbs, commands, "run")
    return parser
