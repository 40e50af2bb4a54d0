"""`otgate completion`: what a shell needs to complete verbs, options, and names of a site."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from otgate.cli.command import FAILED, OK, Command
from otgate.cli.places import site_file
from otgate.config.codes import registry
from otgate.config.site import Site, load_site
from otgate.driver import installed

DESCRIPTION = """\
Print what a shell needs to complete verbs, options, files, and the devices, points and conduits of
the site that stands earlier on the line.

  otgate completion bash

Put what that prints into /etc/bash_completion.d/otgate; for zsh into a file that ~/.zshrc sources;
for fish (`otgate completion fish`) into ~/.config/fish/completions/otgate.fish.

Needs the extra `complete`: pip install 'otgate[complete]'.
"""
MISSING = "otgate completion: needs argcomplete; pip install 'otgate[complete]'"


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("shell", choices=["bash", "zsh", "fish"])


def run(options: Namespace) -> int:
    """Print the shell's code."""
    try:
        from argcomplete.shell_integration import shellcode  # noqa: PLC0415  an optional extra
    except ModuleNotFoundError:
        print(MISSING, file=sys.stderr)
        return FAILED
    print(shellcode(["otgate"], shell=options.shell))
    return OK


def answer(parser: ArgumentParser) -> None:
    """Answer a shell that asks what could stand at the cursor, and end the process."""
    import argcomplete  # noqa: PLC0415  an optional extra

    for action in every_action(parser):
        completer = COMPLETERS.get(action.metavar if isinstance(action.metavar, str) else "")
        if completer is not None:
            action.completer = completer
    argcomplete.autocomplete(parser)


def every_action(parser: ArgumentParser) -> Iterator[Any]:
    """Yield the arguments of a parser and of every parser below it."""
    for action in parser._actions:  # noqa: SLF001  argparse shows them nowhere else
        yield action
        for below in action.choices.values() if isinstance(action.choices, dict) else ():
            yield from every_action(below)


def of_site(names: Callable[[Site], Iterable[str]]) -> Callable[..., Iterable[str]]:
    """Return a completer that knows the site which stands earlier on the line."""

    def complete(parsed_args: Namespace, **_: Any) -> Iterable[str]:
        given = getattr(parsed_args, "site", None)
        if not isinstance(given, Path) or not site_file(given).is_file():
            return ()
        site = load_site(site_file(given), installed()).site
        return () if site is None else names(site)

    return complete


def points(site: Site) -> Iterator[str]:
    """Yield every point as `device/point`."""
    for device in site.devices:
        yield from (f"{device.id}/{point.id}" for point in device.points)


def codes(**_: Any) -> Iterable[str]:
    """Return every diagnostic code."""
    return registry()


COMPLETERS: dict[str, Callable[..., Iterable[str]]] = {
    "DEVICE/POINT": of_site(points),
    "DEVICE": of_site(lambda site: [device.id for device in site.devices]),
    "CONDUIT": of_site(lambda site: site.policy.conduits),
    "CODE": codes,
}
"""By the name that help gives an argument."""

COMMAND = Command(
    "completion", "what a shell needs to complete a command line", arguments, run, DESCRIPTION
)
