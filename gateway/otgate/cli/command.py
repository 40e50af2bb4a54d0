"""What a verb of the command line is; drivers and simulators bring theirs by entry point."""

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

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


def add_verbs(parsers: Any, commands: Iterable[Command], destination: str) -> None:
    """Add a parser per command to argparse's sub-parsers; the chosen one's ``run`` is kept."""
    for command in commands:
        verb = parsers.add_parser(
            command.name,
            help=command.summary,
            description=command.description or command.summary,
            formatter_class=RawDescriptionHelpFormatter,
        )
        command.arguments(verb)
        verb.set_defaults(**{destination: command.run})
