"""`otgate export`: the points of devices as tables that import to the same point maps."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from otgate.cli.command import FAILED, OK, Command
from otgate.cli.importing import write
from otgate.cli.loading import loaded
from otgate.config.nearest import did_you_mean
from otgate.config.written import IN_FORCE, as_csv, table_of
from otgate.errors import Refused
from otgate.model import Device
from otgate.tables.workbook import workbook

DESCRIPTION = """\
Write the points of devices as they are in force, defaults and templates filled in: as CSV, or as
an XLSX workbook whose cells are all texts. What was written reads back as the same points, by
`otgate import table` or, as CSV, as a point map. One device goes to standard output as CSV where
no --output is given.

  otgate export site.yaml f3
  otgate export site.yaml --format xlsx --output tables
"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("site", metavar="SITE", type=Path, help="site.yaml or its folder")
    parser.add_argument("devices", metavar="DEVICE", nargs="*", help="default: all")
    parser.add_argument("--format", choices=["csv", "xlsx"], default="csv")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="write DIR/DEVICE.csv or .xlsx there"
    )
    parser.add_argument("--force", action="store_true", help="overwrite files")


def execute(options: Namespace) -> int:
    """Run the verb.

    Raises:
        Refused: there is no such device, or nowhere to write to.
    """
    site = loaded(options.site)
    if site is None:
        return FAILED
    devices = chosen(site.wired, options.devices)
    if options.output is None:
        if options.format == "xlsx" or len(devices) != 1:
            raise Refused("say where to write: --output DIR")
        print(as_csv(table_of(devices[0].points, IN_FORCE)), end="")
        return OK
    write(
        {
            options.output / f"{device.id}.{options.format}": exported(device, options.format)
            for device in devices
        },
        overwrite=options.force,
    )
    for device in devices:
        print(f"written: {options.output / device.id}.{options.format}", file=sys.stderr)
    return OK


def chosen(devices: Sequence[Device], wanted: Sequence[str]) -> list[Device]:
    """Return the devices that were asked for, all where none was.

    Raises:
        Refused: there is no such device.
    """
    known = {device.id: device for device in devices}
    for one in wanted:
        if one not in known:
            raise Refused(f"the site has no device `{one}`; {did_you_mean(one, known)}")
    return [known[one] for one in wanted or known]


def exported(device: Device, form: str) -> str | bytes:
    """Return a device's points as the content of a file."""
    rows = table_of(device.points, IN_FORCE)
    return workbook(rows, device.id) if form == "xlsx" else as_csv(rows)


COMMAND = Command("export", "write point maps as CSV or XLSX", arguments, execute, DESCRIPTION)
