"""Point maps: the CSV rows of a device as points, each mistake at its cell."""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from otgate.config.codes import severity_of
from otgate.config.columns import (
    COLUMNS,
    PLACE,
    SPREADSHEET_ERRORS,
    BadCell,
    ratio_reader,
    scan_reader,
    tags_reader,
)
from otgate.config.diagnostic import Diagnostics, Place, Severity, Use
from otgate.config.guard import unguarded
from otgate.config.map_part import Changes, Part, Sheet
from otgate.config.nearest import did_you_mean, nearest
from otgate.config.point_columns import SLOTS, PointColumns, blank_values
from otgate.config.source import Source
from otgate.config.table import Row, Table
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

    points: PointColumns
    lines: "array[int]" = field(default_factory=lambda: array("L"))
    """The line of each point, in order."""
    sheets: list[Sheet] = field(default_factory=list)
    firsts: list[int] = field(default_factory=list)
    """The number of each sheet's first point."""

    def place(self, point: int, column: str | None) -> Place:
        """Return the place of a point's cell; of its id where there is no such column."""
        sheet = self.sheet(point)
        at = sheet.header.index(column) if column in sheet.header else sheet.header.index("id")
        return sheet.place(self.lines[point], at)

    def use(self, point: int) -> Use | None:
        """Return how the part of the map is called that a point is in."""
        return self.sheet(point).part.use

    def sheet(self, point: int) -> Sheet:
        """Return what a point was read from."""
        return self.sheets[bisect_right(self.firsts, point) - 1]


Cell = tuple[int, int, Callable[[str], Any], dict[str, Any] | None]
"""A column in the file, its slot in a point, its reader, and what was read already."""


def read_points(
    source: Source, ground: Ground, found: Diagnostics, changes: Changes | None = None
) -> PointMap | None:
    """Read every row of one file; leave out those with a mistake, having said all of them."""
    return read_parts([Part(source)], ground, found, changes or Changes())


def read_table(table: Table, ground: Ground, found: Diagnostics) -> PointMap | None:
    """Read the rows of a table in the same way."""
    return read_parts([Part(table.source, table=table)], ground, found, Changes())


def read_parts(
    parts: Sequence[Part], ground: Ground, found: Diagnostics, changes: Changes
) -> PointMap | None:
    """Read the files of a device one after another, or say why one cannot be read."""
    opened = []
    for part in parts:
        with found.of(part.use or found.use):
            opened.append(open_sheet(part, changes, found))
    sheets = [(sheet, rows) for sheet, rows in filter(None, opened)]
    if len(sheets) < len(parts):
        return None
    columns = {name for sheet, _ in sheets for name in sheet.header}
    read = PointMap(points_of(sorted(columns), ground))
    seen = Seen()
    for sheet, rows in sheets:
        read.sheets.append(sheet)
        read.firsts.append(len(read.points))
        with found.of(sheet.part.use or found.use):
            Rows(read, sheet, seen, ground, found).read(rows)
    read.points.pack()
    if not any(sheet.unfilled for sheet in read.sheets):
        say_strangers(changes, seen, found)
    if not read.points and not found.errors:
        source = parts[0].source
        found.say("empty-file", source.place(1, 1), f"`{source.name}` declares no point")
    return read


def open_sheet(
    part: Part, changes: Changes, found: Diagnostics
) -> tuple[Sheet, Iterator[Row]] | None:
    """Read the header of a file; return its rows too, or say why they cannot be read."""
    sheet = Sheet(part, changes, found)
    before, rows = found.errors, sheet.table.rows(found)
    head = next(rows, None)
    if head is None:
        if found.errors == before:
            place, message = part.source.place(1, 1), f"`{part.source.name}` is empty"
            found.say("empty-file", place, message, "begin with a header")
        return None
    header = read_header(head, sheet.table, found)
    if header is None:
        return None
    sheet.columned(header)
    return sheet, rows


def say_strangers(changes: Changes, seen: "Seen", found: Diagnostics) -> None:
    """Say which points are changed that the map does not have."""
    for name in changes.points:
        if name not in seen.named:
            help_ = did_you_mean(name, seen.named, otherwise="it has")
            place = changes.places[name, ""]
            found.say("unknown-point", place, f"the map has no point `{name}`", help_)


def read_header(head: Row, table: Table, found: Diagnostics) -> Sequence[str] | None:
    """Read the names of the columns, or say why the map cannot be read by them."""
    header = [cell.strip() for cell in head.cells]
    before = found.errors
    for number, name in enumerate(header):
        if found.full(table.source.name):
            break
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


@dataclass(slots=True)
class Seen:
    """What the sheets of a device have in common."""

    ids: dict[str, tuple[int, int]] = field(default_factory=dict)
    """The sheet and the line on which each point stands first."""
    places: dict[Places, Places] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    """The points of the files, absent ones too."""


class Rows:
    """One pass over the rows of a map."""

    def __init__(
        self, read: PointMap, sheet: Sheet, seen: Seen, ground: Ground, found: Diagnostics
    ) -> None:
        self.map = read
        self.sheet = sheet
        self.header = sheet.header
        self.seen = seen
        self.ground = ground
        self.found = found
        self.place_columns = [
            self.header.index(name) if name in self.header else -1 for name in PLACE
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
        comma = self.sheet.table.delimiter == ";"
        for number, name in enumerate(self.header):
            if name not in COLUMNS or name in PLACE or name in self.header[:number]:
                continue
            column = COLUMNS[name]
            read = special.get(name, column.read)
            if comma and name in DECIMAL_COMMA:
                read = with_comma(read)
            yield number, SLOTS[name], read, {} if column.shared else None

    def read(self, rows: Iterator[Row]) -> None:
        """Read all rows."""
        width = self.sheet.width
        name = self.sheet.table.source.name
        for written in rows:
            if self.found.full(name):
                self.found.leave_unread(name)
                break
            if len(written.cells) != width:
                self.ragged(written, width)
                continue
            before = self.found.errors
            row = self.sheet.meant(written, self.seen.named)
            if row is None:
                continue
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
        return self.seen.places.setdefault(place, place)

    def identify(self, row: Row, values: Sequence[Any]) -> None:
        """Check that a row names a point, and no row before it the same."""
        for name in ("id", "kind", "address"):
            if not values[SLOTS[name]]:
                self.say("missing-cell", row, name, f"a point needs its `{name}`")
        here = (len(self.map.sheets) - 1, row.line)
        first = self.seen.ids.setdefault(values[0], here)
        if first != here and values[0]:
            message = f"point `{values[0]}` is declared twice"
            self.say("duplicate-id", row, "id", message, self.declared(first, row.line))

    def declared(self, first: tuple[int, int], line: int) -> str:
        """Say where a point is declared first."""
        sheet, at = first
        name = self.map.sheets[sheet].part.source.name
        if name == self.sheet.part.source.name:
            again = at == line and "write `${n}` into the ids of a block"
            return again or f"it is first declared on line {at}"
        return f"it is first declared in `{name}` on line {at}"

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
        if "max_age_s" not in self.header or not row.cells[self.header.index("max_age_s")].strip():
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
        file, weight = self.sheet.table.source.name, Severity(severity_of(code))
        if self.found.full(file, weight):  # whose places nobody will see
            self.found.leave_out(file, weight)
            return
        number = self.header.index(column) if isinstance(column, str) else column
        self.found.say(code, self.sheet.place(row.line, number), message, help_)


def with_comma(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a reader that takes a decimal comma too."""
    return lambda cell: read(cell.replace(",", ".", 1))
