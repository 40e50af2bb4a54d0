"""What a verb of the command line is; drivers and simulators bring theirs by entry point."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass

COMMANDS = "otgate.commands"
"""Entry point group in which packages announce a `Command`."""

OK, FAILED, USAGE = 0, 1, 2
"""Exit codes: done, a finding or a failure, and a command line that cannot be understood."""


@dataclass(frozen=True, slots=True)
class Command:
    """One verb: its name, what it does in one line, its arguments, and how it runs."""

    name: str
    summary: str
    arguments: Callable[[ArgumentParser], None]
    run: Callable[[Namespace], int]
    description: str = ""
    """The text of ``--help``: what it does, what it prints, an example."""
