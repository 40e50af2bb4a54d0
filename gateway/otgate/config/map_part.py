"""One reading of a point map file: what is put into its cells, and how far addresses move on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from otgate.cell import BadCell
from otgate.config.columns import COLUMNS
from otgate.config.diagnostic import Diagnostics, Place, Use
from otgate.config.filling import MARK, Unfilled, Values, as_text, filled
from otgate.config.source import Source
from otgate.config.table import Row, Table, table_of

Move = Callable[[str, int], str]
"""Returns an address so much further on; raises `BadCell` where there is none."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Points that are otherwise than in a map, by id: cells by column, or None where absent."""

    points: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)
    places: Mapping[tuple[str, str], Place] = field(default_factory=dict)
    """Where each cell is said, by point and column; ``""`` is the whole point."""

    @property
    def columns(self) -> list[str]:
        """The columns that are changed, in the order of a point map."""
        said = {name for cells in self.points.values() for name in cells or ()}
        return [name for name in COLUMNS if name in said]


@dataclass(frozen=True, slots=True)
class Part:
    """A point map file, and what its cells are filled with."""

    source: Source
    values: Values = field(default_factory=dict)
    moves: Mapping[str, int] = field(default_factory=dict)
    """By how much the addresses in these columns are further on."""
    move: Move | None = None
    use: Use | None = None
    """What to call it, where the file is read several times."""
    table: Table | None = None
    """The cells of a foreign table, in which a `${` is a `${`."""


class Sheet:
    """The rows of a part as they are meant, and where each cell is written."""

    def __init__(self, part: Part, changes: Changes, found: Diagnostics) -> None:
        self.part = part
        self.changes = changes
        self.found = found
        self.table: Table = part.table or table_of(part.source)
        self.header: Sequence[str] = ()
        self.width = 0
        self.changed: dict[tuple[int, int], Place] = {}
        self.unfilled: set[str] = set()
        self.fills = part.table is None and MARK in part.source.text
        self.plain = not (self.fills or any(part.moves.values()) or changes.points)

    def columned(self, header: Sequence[str]) -> None:
        """Take the names of the file's columns, and add those that only changes have."""
        self.width = len(header)
        more = [name for name in self.changes.columns if name not in header]
        self.header = [*header, *more]

    def place(self, line: int, column: int) -> Place:
        """Return the place of a cell; of the row's id where the file has no such column."""
        if place := self.changed.get((line, column)):
            return place
        beyond = self.width <= column < len(self.header)
        return self.table.place(line, self.header.index("id") if beyond else column)

    def meant(self, row: Row, named: set[str]) -> Row | None:
        """Return a row with its cells filled, moved and changed.

        None of a point that is absent, or whose cells ask for what there is not. Its id goes to
        ``named`` where points are changed.
        """
        if self.plain:
            return row
        cells = self.filled(row)
        if cells is None:
            return None
        for name, by in self.part.moves.items():
            if by and name in self.header[: self.width]:
                at = self.header.index(name)
                cells[at] = self.moved(row.line, at, cells[at].strip(), by)
        cells += [""] * (len(self.header) - self.width)
        name = cells[self.header.index("id")].strip()
        named.add(name)
        if name in self.changes.points:
            changed = self.changes.points[name]
            if changed is None:
                return None
            self.change(row.line, name, changed, cells)
        return Row(cells, row.line, row.last_line)

    def filled(self, row: Row) -> list[str] | None:
        """Return cells with their values written out; say once what there is not."""
        if not self.fills:
            return list(row.cells)
        cells = []
        for at, cell in enumerate(row.cells):
            try:
                cells.append(as_text(filled(cell, self.part.values)))
            except Unfilled as wrong:
                if wrong.message not in self.unfilled:
                    self.unfilled.add(wrong.message)
                    place = self.table.place(row.line, at)
                    self.found.say("unknown-parameter", place, wrong.message, wrong.help)
                return None
        return cells

    def moved(self, line: int, column: int, cell: str, by: int) -> str:
        """Return an address further on."""
        if not cell or self.part.move is None:
            return cell
        try:
            return self.part.move(cell, by)
        except BadCell as bad:
            self.found.say(bad.code, self.table.place(line, column), bad.message, bad.help_text)
            return cell

    def change(self, line: int, name: str, changed: Mapping[str, Any], cells: list[str]) -> None:
        """Put changed cells in the place of a row's own."""
        for column, value in changed.items():
            at = self.header.index(column)
            cells[at] = as_text(value)
            if (name, column) in self.changes.places:
                self.changed[line, at] = self.changes.places[name, column]
