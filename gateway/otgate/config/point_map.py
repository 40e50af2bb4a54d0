"""Point maps: the CSV rows of a device as points, each mistake at its cell."""

from array import array
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from otgate.config.columns import (
    COLUMNS,
    PLACE,
    SPREADSHEET_ERRORS,
    BadCell,
    ratio_reader,
    scan_reader,
    tags_reader,
)
from otgate.config.diagnostic import Diagnostics, Place
from otgate.config.guard import unguarded
from otgate.config.nearest import did_you_mean, nearest
from otgate.config.point_columns import SLOTS, PointColumns, blank_values
from otgate.config.source import Source
from otgate.config.table import Row, Table, table_of
from otgate.model import Kind, Sensitivity

NUMERIC_KINDS = frozenset({Kind.MEASUREMENT, Kind.COUNTER, Kind.SETTING})
"""Kinds that a deadband can apply to."""

DECIMAL_COMMA = frozenset(
    {"scale", "offset", "raw_lo", "raw_hi", "eu_lo", "eu_hi", "deadband", "max_age_s"}
)
Places = tuple[str, str, str, str, str]


@dataclass(frozen=True)
class Ground:
    """What a device and the site's defaults say of every point of a map."""

    zone: str
    scans: Mapping[str, float]
    vocabulary: Collection[str] | None = None
    """Declared tags, or None where the policy could not be read."""
    sensitivity: Sensitivity = Sensitivity.BCSI
    tags: frozenset[str] = frozenset()
    max_age_s: float = 0.0
    owner: str = ""
    ratios: Mapping[str, float] = field(default_factory=dict)
    """Of the device's instrument transformers."""

    @property
    def scan(self) -> str:
        """The class of a point whose cell is empty: `normal`, else the first."""
        return "normal" if "normal" in self.scans else next(iter(self.scans), "")

    @property
    def said(self) -> Mapping[str, Any]:
        """What an empty cell of these columns means."""
        names = ("zone", "scan", "tags", "sensitivity", "max_age_s", "owner")
        return {name: getattr(self, name) for name in names}


@dataclass(slots=True)
class PointMap:
    """The points that are right, and where they stand."""

    table: Table
    header: Sequence[str]
    points: PointColumns
    lines: "array[int]" = field(default_factory=lambda: array("L"))
    """The line of each point, in order."""

    def place(self, point: int, column: str | None) -> Place:
        """Return the place of a point's cell; of its id where there is no such column."""
        at = self.header.index(column) if column in self.header else self.header.index("id")
        return self.table.place(self.lines[point], at)


Cell = tuple[int, int, Callable[[str], Any], dict[str, Any] | None]
"""A column in the file, its slot in a point, its reader, and what was read already."""


def read_points(source: Source, ground: Ground, found: Diagnostics) -> PointMap | None:
    """Read every row; leave out the rows with a mistake, having said all of them."""
    return read_table(table_of(source), ground, found)


def read_table(table: Table, ground: Ground, found: Diagnostics) -> PointMap | None:
    """Read the rows of a table in the same way."""
    source = table.source
    rows = table.rows(found)
    head = next(rows, None)
    if head is None:
        found.say(
            "empty-file", source.place(1, 1), f"`{source.name}` is empty", "begin with a header"
        )
        return None
    header = read_header(head, table, found)
    if header is None:
        return None
    read = PointMap(table, header, points_of(header, ground))
    Rows(read, ground, found).read(rows)
    read.points.pack()
    if not read.points and not found.errors:
        found.say("empty-file", source.place(head.line, 1), f"`{source.name}` declares no point")
    return read


def read_header(head: Row, table: Table, found: Diagnostics) -> Sequence[str] | None:
    """Read the names of the columns, or say why the map cannot be read by them."""
    header = [cell.strip() for cell in head.cells]
    before = found.errors
    for number, name in enumerate(header):
        here = partial(table.place, head.line, number)
        if not name:
            found.say(
                "unknown-column", here(), f"column {number + 1} has no name", "name or delete it"
            )
        elif name not in COLUMNS:
            help_ = did_you_mean(name, COLUMNS, otherwise="columns")
            found.say("unknown-column", here(), f"unknown column `{name}`", help_)
            meant = nearest(name, COLUMNS)
            header[number] = meant if meant and meant not in header else name
        elif name in header[:number]:
            found.say("duplicate-column", here(), f"column `{name}` is given twice", "delete one")
    for name, column in COLUMNS.items():
        if column.required and name not in header:
            place = table.source.place(head.line, 1)
            about = column.about.rstrip(".")
            found.say("missing-column", place, f"missing column `{name}`", about)
    return header if found.errors == before or readable(header) else None


def readable(header: Sequence[str]) -> bool:
    """Tell whether rows can be read by a header that has mistakes."""
    required = [name for name, column in COLUMNS.items() if column.required]
    return all(header.count(name) == 1 for name in required)


def points_of(header: Sequence[str], ground: Ground) -> PointColumns:
    """Return no points yet, with room for what varies between the rows of a map."""
    varying = {"place" if name in PLACE else name for name in header if name in COLUMNS}
    return PointColumns(blank_values(ground.said), sorted(varying))


class Rows:
    """One pass over the rows of a map."""

    def __init__(self, read: PointMap, ground: Ground, found: Diagnostics) -> None:
        self.map = read
        self.ground = ground
        self.found = found
        self.ids: dict[str, int] = {}
        self.places: dict[Places, Places] = {}
        self.place_columns = [
            read.header.index(name) if name in read.header else -1 for name in PLACE
        ]
        self.cells = list(self.readers())
        self.template = blank_values(ground.said)
        self.template[SLOTS["kind"]] = ""

    def readers(self) -> Iterator[Cell]:
        """Yield how each known column of this file is read."""
        special = {
            "scan": scan_reader(self.ground.scans) if self.ground.scans else str,
            "tags": tags_reader(self.ground.vocabulary),
            "ratio": ratio_reader(self.ground.ratios),
        }
        comma = self.map.table.delimiter == ";"
        for number, name in enumerate(self.map.header):
            if name not in COLUMNS or name in PLACE or name in self.map.header[:number]:
                continue
            column = COLUMNS[name]
            read = special.get(name, column.read)
            if comma and name in DECIMAL_COMMA:
                read = with_comma(read)
            yield number, SLOTS[name], read, {} if column.shared else None

    def read(self, rows: Iterator[Row]) -> None:
        """Read all rows."""
        width = len(self.map.header)
        for row in rows:
            if len(row.cells) != width:
                self.ragged(row, width)
                continue
            before = self.found.errors
            values = self.values(row)
            self.identify(row, values)
            if self.found.errors == before and self.fits(row, values):
                self.map.points.append(values)
                self.map.lines.append(row.line)

    def values(self, row: Row) -> list[Any]:
        """Return a point's values in the order of its fields; a bad cell as it stands there."""
        cells = row.cells
        values = self.template.copy()
        for number, slot, read, known in self.cells:
            cell = cells[number].strip()
            if not cell:
                continue
            if cell[0] == "'":
                cell = unguarded(cell)
            try:
                values[slot] = self.cell(cell, read, known)
            except BadCell as bad:
                self.say(bad.code, row, number, bad.message, bad.help)
                values[slot] = cell
        values[SLOTS["place"]] = self.place(cells)
        return values

    def cell(self, cell: str, read: Callable[[str], Any], known: dict[str, Any] | None) -> Any:
        """Read one cell, or take what the same text meant before."""
        if known is not None and cell in known:
            return known[cell]
        if cell[0] == "#" and cell in SPREADSHEET_ERRORS:
            help_ = "repair the formula, then export again"
            raise BadCell("spreadsheet-error", f"the spreadsheet failed here: `{cell}`", help_)
        value = read(cell)
        if known is not None:
            known[cell] = value
        return value

    def place(self, cells: Sequence[str]) -> Places:
        """Return where a point is measured, shared with every point there."""
        a, b, c, d, e = (unguarded(cells[n].strip()) if n >= 0 else "" for n in self.place_columns)
        place = (a, b, c, d, e)
        return self.places.setdefault(place, place)

    def identify(self, row: Row, values: Sequence[Any]) -> None:
        """Check that a row names a point, and no row before it the same."""
        for name in ("id", "kind", "address"):
            if not values[SLOTS[name]]:
                self.say("missing-cell", row, name, f"a point needs its `{name}`")
        first = self.ids.setdefault(values[0], row.line)
        if first != row.line and values[0]:
            message = f"point `{values[0]}` is declared twice"
            self.say("duplicate-id", row, "id", message, f"it is first declared on line {first}")

    def fits(self, row: Row, values: Sequence[Any]) -> bool:
        """Check what one row says against itself."""
        before = self.found.errors
        if values[SLOTS["deadband"]] is not None:
            self.check_deadband(row, values)
        if 0 < values[SLOTS["max_age_s"]] < self.ground.scans.get(values[SLOTS["scan"]], 0):
            self.young(row, values)
        return self.found.errors == before

    def check_deadband(self, row: Row, values: Sequence[Any]) -> None:
        """Refuse a deadband that could mean nothing."""
        kind = values[SLOTS["kind"]]
        if kind not in NUMERIC_KINDS:
            message = f"a {kind} has no deadband: every change of it is reported"
            self.say("deadband-on-status", row, "deadband", message, "empty the cell")
        elif values[SLOTS["deadband"]].percent:
            low, high = values[SLOTS["eu_lo"]], values[SLOTS["eu_hi"]]
            if low is None or high is None or low == high:
                message = "a deadband in percent needs a range to be a part of"
                help_ = "fill in `eu_lo` and `eu_hi`, or give the deadband in engineering units"
                self.say("percent-without-range", row, "deadband", message, help_)

    def young(self, row: Row, values: Sequence[Any]) -> None:
        """Warn of a point that is stale before it is read again."""
        if (
            "max_age_s" not in self.map.header
            or not row.cells[self.map.header.index("max_age_s")].strip()
        ):
            return
        age_s, scan = values[SLOTS["max_age_s"]], values[SLOTS["scan"]]
        period_s = self.ground.scans[scan]
        message = f"stale after {age_s:g} s, but scan `{scan}` reads it each {period_s:g} s"
        help_ = f"`max_age_s` of at least {2 * period_s:g}"
        self.say("max-age-too-short", row, "max_age_s", message, help_)

    def ragged(self, row: Row, width: int) -> None:
        """Say that a row has another number of cells than the header."""
        extra = len(row.cells) > width
        message = f"{len(row.cells)} cells, but the header has {width}"
        help_ = (
            "put a cell that contains the delimiter in quotes" if extra else "empty cells count too"
        )
        self.say("ragged-row", row, width if extra else len(row.cells) - 1, message, help_)

    def say(self, code: str, row: Row, column: str | int, message: str, help_: str = "") -> None:
        """Say something at a cell."""
        number = self.map.header.index(column) if isinstance(column, str) else column
        self.found.say(code, self.map.table.place(row.line, number), message, help_)


def with_comma(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a reader that takes a decimal comma too."""
    return lambda cell: read(cell.replace(",", ".", 1))
