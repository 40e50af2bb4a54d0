"""`otgate policy matrix`: every point on every conduit."""

import csv
import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from otgate.cli.command import FAILED, OK, Command
from otgate.cli.document import Heading, Table, as_html, as_text
from otgate.cli.loading import loaded
from otgate.cli.places import format_argument, site_argument
from otgate.config.site import Site
from otgate.driver import planned_types
from otgate.policy.matrix import Row, cell, matrix

DESCRIPTION = """\
Show every point on every conduit: whether it crosses and within which limits, or what stops it.

  otgate policy matrix site.yaml
  otgate policy matrix site.yaml --format csv > matrix.csv
  otgate policy matrix site.yaml --format html > matrix.html

Exit: 0 shown; 1 the site has errors.
"""

SEEN = ("point", "kind", "zone", "sensitivity", "tags")


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    site_argument(parser)
    format_argument(parser, "csv", "html")


def execute(options: Namespace) -> int:
    """Print the matrix."""
    site = loaded(options.site)
    if site is None:
        return FAILED
    rows = rows_of(site)
    table = Table(
        (*SEEN, *site.policy.conduits), [list(map(str, line(row))) for row in rows], "crosses"
    )
    match options.format:
        case "csv":
            csv.writer(sys.stdout, lineterminator="\n").writerows([table.columns, *table.rows])
        case "html":
            title = Heading(f"What crosses: {site.name or site.id}", 1)
            print(as_html([title, basis(site), table]), end="")
        case "json":
            print(json.dumps([described(row) for row in rows], indent=2))
        case _:
            print(as_text(table))
    return OK


def rows_of(site: Site) -> Sequence[Row]:
    """Judge every point of a site."""
    types = {one.id: planned_types(one, site.plans[one.id]) for one in site.devices}
    return tuple(matrix(site.policy, site.devices, types))


def basis(site: Site) -> str:
    """Say by which policy and which point map a report was made."""
    policy = site.policy
    return (
        f"Policy {policy.name}, version {policy.version}, SHA-256 {site.policy_hash};"
        f" site and point maps SHA-256 {site.map_hash}."
    )


def line(row: Row) -> list[str]:
    """Return the cells of a row."""
    seen = row.seen
    traits = (seen.kind, seen.zone, seen.sensitivity.name.lower(), " ".join(sorted(seen.tags)))
    return [row.path, *traits, *map(cell, row.verdicts)]


def described(row: Row) -> dict[str, object]:
    """Describe a row for a program."""
    point, kind, zone, sensitivity, tags, *cells = line(row)
    return {
        "point": point,
        "kind": kind,
        "zone": zone,
        "sensitivity": sensitivity,
        "tags": tags.split(),
        "conduits": {
            verdict.conduit.id: {"crosses": verdict.crosses, "says": says}
            for verdict, says in zip(row.verdicts, cells, strict=True)
        },
    }


COMMAND = Command("matrix", "every point on every conduit", arguments, execute, DESCRIPTION)
