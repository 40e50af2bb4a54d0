"""The files of a site as text: device entries and point maps, so that reading them gives the same.

The inverse of `otgate.config.point_map` and `otgate.config.site_file`, for importers.
"""

import io
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import yaml

from otgate.config.columns import COLUMNS, PLACE
from otgate.config.csv_rows import Rows
from otgate.config.filling import escaped
from otgate.config.guard import guarded
from otgate.model import Deadband, Kind, Point, Sensitivity

PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
"""Text that YAML takes for text without quotes, but for `WORDS`."""

WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
WIDTH = 100
BLANKS = {name: getattr(Point("", Kind.TEXT), name) for name in COLUMNS if name not in PLACE}
"""What an empty cell of each column says."""

IN_FORCE: Mapping[str, Any] = {**BLANKS, "sensitivity": None, "max_age_s": None}
"""The same for a map that stands by itself: what a site's defaults could change is written out."""

NOTHING: Mapping[str, Collection[str]] = MappingProxyType({})

ALWAYS = ("id", "name", "kind", "address")

POLICY = """\
# A beginning: every zone and conduit of this site, and one rule. What nobody has classified does
# not leave: give points a `sensitivity`, or the site a default, once you know what they are.
config_version: 1
policy: {{name: {site} egress, version: 1}}
zones:
  {zone}: {{purdue: 1}}
  control-centre: {{purdue: 3}}
conduits:
  operations: {{from: [{zone}], to: control-centre, ceiling: restricted}}
rules:
  - name: operations-sees-the-plant
    effect: allow
    conduits: [operations]
    match: {{kind: [measurement, status, counter, event, text]}}
    why: the control room operates this substation
"""


class Dumper(yaml.SafeDumper):
    """Writes no aliases, and quotes whatever a YAML 1.2 reader could take for a number."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  PyYAML's signature
        """Write everything where it stands."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    plain = PLAIN.fullmatch(text) and text.lower() not in WORDS
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


Dumper.add_representer(str, _text)


def written(value: Any, indent: int = 0) -> str:
    """Return a value as YAML, each line indented."""
    text = yaml.dump(
        value, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=WIDTH - indent
    )
    return "".join(f"{' ' * indent}{line}\n" for line in text.splitlines())


def device_entry(entry: Mapping[str, Any], comment: str) -> str:
    """Return one entry of ``devices:``, to be pasted below that key."""
    lines = written(entry, 4).splitlines()
    lines[0] = f"  - {lines[0].lstrip()}"
    return "\n".join([f"  # {comment}", *lines]) + "\n"


def site_text(site: str, entries: Iterable[str]) -> str:
    """Return a whole site file of these entries."""
    return (
        f"config_version: 1\nsite: {{id: {site}, gateway: gw1}}\n\ndevices:\n"
        + "\n".join(entries)
        + "\npolicy: policy.yaml\n"
    )


def policy_text(site: str, zone: str) -> str:
    """Return a policy to begin with: nothing unclassified leaves."""
    return POLICY.format(site=site, zone=zone)


def point_map(points: Sequence[Point], said: Mapping[str, Collection[str]] = NOTHING) -> str:
    """Return points as CSV; columns that say nothing of any of them are left out.

    ``said`` names the columns of points that are written though an empty cell would say the same.
    """
    return as_csv(table_of(points, said=said))


def as_csv(rows: Iterable[Sequence[str]]) -> str:
    """Return rows of cells as CSV in which no spreadsheet finds a formula."""
    file = io.StringIO()
    written = Rows(file)
    for row in rows:
        written.write(guarded(escaped(cell)) for cell in row)
    return file.getvalue()


def table_of(
    points: Sequence[Point],
    blanks: Mapping[str, Any] = MappingProxyType(BLANKS),
    said: Mapping[str, Collection[str]] = NOTHING,
) -> list[list[str]]:
    """Return the rows of a point map, its header first, without columns that say nothing.

    ``blanks`` is what an empty cell of each column says; ``said`` is as in `point_map`.
    """
    rows = [
        cells(point, {**blanks, **dict.fromkeys(said[point.id])} if point.id in said else blanks)
        for point in points
    ]
    used = [name for name in COLUMNS if name in ALWAYS or any(row[name] for row in rows)]
    return [used, *([row[name] for name in used] for row in rows)]


def cells(point: Point, blanks: Mapping[str, Any] = MappingProxyType(BLANKS)) -> dict[str, str]:
    """Return the cells of one point by column; empty where it says what an empty cell means."""
    found = {name: cell(getattr(point, name), blank) for name, blank in blanks.items()}
    return {**found, **dict(zip(PLACE, point.place, strict=True)), "kind": str(point.kind)}


def cell(value: Any, blank: Any) -> str:
    """Return one value as a cell."""
    if value is blank or value == blank:
        return ""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return "|".join(f"{code}={label}" for code, label in value.items())
    if isinstance(value, frozenset):
        return " ".join(sorted(value))
    return word(value)


def word(value: Any) -> str:
    """Return a single value as the reader of its column takes it."""
    if isinstance(value, Deadband):
        return f"{value.amount!r}{'%' if value.percent else ''}"
    if isinstance(value, Sensitivity):
        return value.name.lower()
    if isinstance(value, bool):
        return "yes" if value else "no"
    return repr(value) if isinstance(value, float) else str(value)
