"""`otgate browse`: what a live device has, read once and without changing anything."""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from otgate.browser import Browsed, browsers
from otgate.cli.command import FAILED, OK, Command
from otgate.cli.importing import an_id, lines, texts, write
from otgate.config.render import visible
from otgate.config.written import point_map
from otgate.errors import Refused
from otgate.importer import Imported, ImportedDevice

DESCRIPTION = """\
Read a live device once and print what it has: for a person, as a point map (csv), or as json. With
--output it also writes points/ID.csv and devices/ID.yaml there, with --site a whole site to begin
with. It writes nothing to the device and takes nothing from other clients. Exit code 1 says that
something could not be found out; standard error says what.

  otgate browse mms://10.0.0.5
  otgate browse "dnp3://10.0.0.5?outstation=10&master=1" --csv
  otgate browse "tcp://10.0.0.7?unit=1" --output config/sub7 --id inv1
"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments, and what each protocol says of itself."""
    parser.add_argument("target", metavar="URL", help=", ".join(examples()))
    parser.add_argument("--format", choices=["table", "csv", "json"], default="table")
    parser.add_argument(
        "--csv", action="store_const", dest="format", const="csv", help="the same as --format csv"
    )
    parser.add_argument("--timeout", type=float, default=5.0, metavar="S", help="for each answer")
    parser.add_argument("--output", type=Path, metavar="DIR", help="write device entry and points")
    parser.add_argument("--id", type=an_id, metavar="ID", help="the device's id there")
    parser.add_argument("--zone", type=an_id, default="bay", help="its zone (default: bay)")
    parser.add_argument("--site", type=an_id, metavar="ID", help="write site.yaml and policy.yaml")
    parser.add_argument("--force", action="store_true", help="overwrite files")
    parser.epilog = "\n\n".join(f"{schemes}:\n{about}" for about, schemes in told().items())


def examples() -> list[str]:
    """Return a URL of each protocol, once."""
    return list(dict.fromkeys(each.example for each in browsers().values()))


def told() -> dict[str, str]:
    """Return what each protocol says of itself, with the schemes of its URLs."""
    said: dict[str, str] = {}
    for scheme, each in browsers().items():
        said[each.about] = f"{said[each.about]}, {scheme}" if each.about in said else scheme
    return said


def execute(options: Namespace) -> int:
    """Run the verb.

    Raises:
        Refused: no protocol reads such a URL, or what it names gives nothing to write.
    """
    known = browsers()
    scheme = options.target.partition("://")[0]
    if scheme not in known:
        wanted = ", ".join(examples())
        raise Refused(f"`{options.target}` is of no protocol that can be browsed; write {wanted}")
    browsed = known[scheme].browse(options.target, options.timeout)
    for line in printed(browsed, options.format):
        print(visible(line))
    if options.output is not None:
        for line in stored(device_of(browsed), options):
            print(visible(line), file=sys.stderr)
    if browsed.shortfall:
        print(visible(browsed.shortfall), file=sys.stderr)
        return FAILED
    return OK


def printed(browsed: Browsed, wanted: str) -> Iterator[str]:
    """Return what is printed, line by line."""
    if wanted == "json":
        text = json.dumps(browsed.document, indent=1, ensure_ascii=False)
    else:
        text = point_map(device_of(browsed).points) if wanted == "csv" else browsed.table
    yield from text.splitlines()


def device_of(browsed: Browsed) -> ImportedDevice:
    """Return what can be written.

    Raises:
        Refused: there is nothing.
    """
    if browsed.device is None:
        raise Refused(browsed.shortfall or "the device has no point that a point map could have")
    return browsed.device


def stored(device: ImportedDevice, options: Namespace) -> Iterator[str]:
    """Write the files of a device and say which.

    Raises:
        Refused: one is there already, or cannot be written.
    """
    imported = Imported([replace(device, id=options.id or device.id)])
    files = {options.output / name: text for name, text in texts(imported, options)}
    write(files, overwrite=options.force)
    return lines(imported, [str(path) for path in files])


COMMAND = Command("browse", "what a live device has", arguments, execute, DESCRIPTION)
