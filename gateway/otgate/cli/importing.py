"""`otgate import`: what other tools wrote as device entries and point maps."""

import json
import os
import re
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from otgate.cli.command import FAILED, OK, USAGE, Command
from otgate.cli.progress import progress
from otgate.config.forms import ID_HELP, ID_PATTERN
from otgate.config.render import counted, visible
from otgate.config.written import device_entry, point_map, policy_text, site_text
from otgate.errors import Refused
from otgate.importer import Imported, ImportedDevice, Importer, importers

DESCRIPTION = """\
Turn a file of another tool into device entries and point maps. Writes points/ID.csv and
devices/ID.yaml for each device below --output; with --site also a site.yaml and a policy.yaml to
begin with. Overwrites nothing unless told to. What was left out, and why, is said on standard
error, or on standard output with --format json; with --strict the exit code is then 1.

  otgate import scl station.scd --output config/sub7 --site sub7
  otgate import table points.xlsx --guess

`otgate import FORMAT --help` says more about one format.
"""
MOST_SHOWN = 20
"""Remarks that are printed for a person; JSON has them all."""


def an_id(text: str) -> str:
    """Read an id from the command line."""
    if not re.fullmatch(ID_PATTERN, text):
        raise ArgumentTypeError(f"`{text}` is no id: {ID_HELP}")
    return text


def arguments(parser: ArgumentParser) -> None:
    """Add a sub-verb for each importer that is installed."""
    formats = parser.add_subparsers(metavar="FORMAT", title="formats", dest="import_format")
    for name, importer in sorted(importers().items()):
        one = formats.add_parser(
            name,
            help=importer.summary,
            description=importer.description,
            formatter_class=RawDescriptionHelpFormatter,
        )
        importer.arguments(one)
        one.add_argument(
            "--output", type=Path, default=Path(), metavar="DIR", help="default: this folder"
        )
        one.add_argument(
            "--zone", type=an_id, default="bay", help="zone of the devices (default: bay)"
        )
        one.add_argument(
            "--site", type=an_id, metavar="ID", help="write site.yaml and policy.yaml too"
        )
        one.add_argument("--force", action="store_true", help="overwrite files")
        one.add_argument(
            "--strict", action="store_true", help="exit code 1 where anything was left out or said"
        )
        one.add_argument("--format", choices=["text", "json"], default="text")
        one.set_defaults(run_import=partial(execute, importer))


def run(options: Namespace) -> int:
    """Run the importer that was asked for."""
    if "run_import" not in options:
        print("otgate import FORMAT: see otgate import --help", file=sys.stderr)
        return USAGE
    code: int = options.run_import(options)
    return code


def execute(importer: Importer, options: Namespace) -> int:
    """Import, write, and say what was done.

    Raises:
        Refused: the input cannot be read, or a file is there already.
    """
    with progress("reading"):
        imported = importer.read(options)
    if imported.printed:
        print("\n".join(map(visible, imported.printed.splitlines())))
        return OK
    files: dict[Path, str | bytes] = {
        options.output / name: text for name, text in texts(imported, options)
    }
    write(files, overwrite=options.force)
    names = [str(path) for path in files]
    if options.format == "json":
        print(json.dumps(summary(imported, names), indent=2, ensure_ascii=False))
    else:
        print("\n".join(map(visible, lines(imported, names))), file=sys.stderr)
    return FAILED if options.strict and not imported.complete else OK


def texts(imported: Imported, options: Namespace) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of every file."""
    entries = []
    for device in imported.devices:
        yield f"points/{device.id}.csv", point_map(device.points, device.said)
        text = device_entry(entry_of(device, options), f"From {visible(device.source)}.")
        entries.append(text)
        yield f"devices/{device.id}.yaml", text
    if options.site and entries:
        yield "site.yaml", site_text(options.site, entries)
        yield "policy.yaml", policy_text(options.site, options.zone)


def entry_of(device: ImportedDevice, options: Namespace) -> dict[str, Any]:
    """Return a device's entry of the site file."""
    files = {key: os.path.relpath(path, options.output) for key, path in device.files.items()}
    return {
        "id": device.id,
        "driver": device.driver,
        "zone": options.zone,
        "points": f"points/{device.id}.csv",
        "scans": dict(device.scans),
        device.driver: {**device.settings, **files},
    }


def write(files: Mapping[Path, str | bytes], *, overwrite: bool) -> None:
    """Write all files, or none where one is there already.

    Raises:
        Refused: a file is there already, or cannot be written.
    """
    there = [path for path in files if path.exists()]
    if there and not overwrite:
        raise Refused(f"{there[0]} is there already; nothing was written (--force overwrites)")
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode() if isinstance(text, str) else text)
    except OSError as error:
        raise Refused(f"cannot write {error.filename}: {error.strerror}") from error


def lines(imported: Imported, names: list[str]) -> Iterator[str]:
    """Say for a person what was imported and what was not."""
    for device in imported.devices:
        yield f"{device.id}: {counted(len(device.points), 'point')} from {device.source}"
        for why, count in device.left_out.items():
            yield f"  left out {count:>6,}: {why}"
    for remark in imported.remarks[:MOST_SHOWN]:
        yield f"{f'{remark.where}: ' if remark.where else ''}{remark.text}"
    if len(imported.remarks) > MOST_SHOWN:
        yield f"and {counted(len(imported.remarks) - MOST_SHOWN, 'remark')} more: --format json"
    yield f"written: {', '.join(names)}" if names else "nothing to import: no file was written"


def summary(imported: Imported, names: list[str]) -> dict[str, Any]:
    """Say the same for a program."""
    return {
        "devices": [
            {
                "id": device.id,
                "driver": device.driver,
                "source": device.source,
                "points": len(device.points),
                "left_out": dict(device.left_out),
            }
            for device in imported.devices
        ],
        "remarks": [
            {"line": one.line, "place": one.place, "text": one.text} for one in imported.remarks
        ],
        "files": names,
    }


COMMAND = Command(
    "import", "write device entries from files of other tools", arguments, run, DESCRIPTION
)
