"""Rows of a table as cells of a point map, as a mapping says."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal, DivisionByZero, InvalidOperation

from otgate.config.columns import PLACE, SPREADSHEET_ERRORS
from otgate.config.filling import unescaped
from otgate.config.guard import unguarded
from otgate.config.mapping_file import INSERT, Cells, MappingFile, Word, Written
from otgate.foreign.sheet import Cell, Numeric, Row, Sheet, Spoilt
from otgate.foreign.worksheet import EATEN
from otgate.tables.heading import Heading

PROSE = frozenset({"name", "description", "owner", "external_id", *PLACE})
"""Columns whose cells may be lost without making a point another one."""

MONTH = r"(?:jan|feb|m[aä]r|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])[a-z]*\.?"
DATE_LIKE = re.compile(
    rf"[0-9]{{1,2}}[./-][0-9]{{1,2}}[./-](?:[0-9]{{2}}){{1,2}}|[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}"
    rf"|[0-9]{{1,2}}[.-]? ?{MONTH}(?:[ -][0-9]{{2,4}})?|{MONTH}[ -][0-9]{{2,4}}",
    re.IGNORECASE,
)
"""What spreadsheets of several countries write where they made a date of something."""

SCIENTIFIC = re.compile(r"[0-9](?:[.,][0-9]+)?E\+[0-9]+", re.IGNORECASE)
TENTHS = re.compile(r"[0-9]+\.1")


@dataclass(slots=True)
class Translated:
    """One row, translated; or why it cannot be."""

    row: Row
    device: str
    cells: dict[str, str]
    settings: dict[str, str] = field(default_factory=dict)
    lost: list[tuple[int, str]] = field(default_factory=list)
    """Columns of the table whose cells could not be used, and why."""
    hopeless: bool = False
    """Whether what was lost makes it no point."""


class Translation:
    """A mapping, compiled for the header of one table."""

    def __init__(self, mapping: MappingFile, heading: Heading) -> None:
        self.heading = heading
        self.sheet: Sheet = heading.sheet
        self.comma = decimal_comma(mapping, heading.sheet)
        self.cells = {heading.column(name): how for name, how in mapping.cells.items()}
        self.words = {
            column: {str(word).casefold(): spelled(meant) for word, meant in how.words.items()}
            for column, how in self.cells.items()
        }
        self.skip = {
            heading.column(name): {spelled(word).casefold() for word in words}
            for name, words in mapping.skip.items()
        }
        self.columns = {name: self.reader(how) for name, how in mapping.columns.items()}
        self.sources = {
            name: [heading.column(source) for source in how.sources]
            for name, how in mapping.columns.items()
        }
        self.device = None if mapping.device is None else self.reader(mapping.device)
        self.each = {key: self.reader(how) for key, how in mapping.each.items()}
        self.used = {at for columns in self.sources.values() for at in columns}

    def rows(self) -> Iterator[Translated]:
        """Yield every row below the header that says anything, and is not to be skipped."""
        for row in self.sheet.rows:
            if row.number <= self.heading.row.number or not self.used & row.cells.keys():
                continue
            if not any(self.text(row, at).casefold() in words for at, words in self.skip.items()):
                yield self.translated(row)

    def translated(self, row: Row) -> Translated:
        """Translate one row."""
        made = Translated(row, "", {})
        if self.device is not None:
            made.device = self.taken(made, "device", self.device)
        for key, read in self.each.items():
            made.settings[key] = self.taken(made, key, read)
        for name, read in self.columns.items():
            made.cells[name] = self.taken(made, name, read)
        return made

    def taken(self, made: Translated, name: str, read: "Reader") -> str:
        """Return one cell, empty where what it is made of cannot be used."""
        try:
            return read(made.row, name)
        except Unusable as lost:
            made.lost.append((lost.column, lost.why))
            made.hopeless = made.hopeless or name not in PROSE
            return ""

    def reader(self, how: Written) -> "Reader":
        """Return what makes a cell of a row."""
        if how.value is not None:
            constant = spelled(how.value)
            return lambda _row, _name: constant
        if how.column is not None:
            column = self.heading.column(how.column)
            return lambda row, name: self.cell(row, column, name)
        text = how.write or ""
        columns = {source: self.heading.column(source) for source in how.sources}

        def write(row: Row, name: str) -> str:
            found = {source: self.cell(row, at, name) for source, at in columns.items()}
            return INSERT.sub(lambda at: found[at[1]], text) if all(found.values()) else ""

        return write

    def text(self, row: Row, column: int) -> str:
        """Return a cell as it stands there, spoilt ones too."""
        cell = row.at(column)
        return cell.shown if isinstance(cell, Spoilt) else cell

    def cell(self, row: Row, column: int, name: str) -> str:
        """Return what a cell means for a column of the point map.

        Raises:
            Unusable: it is spoilt, or no number where one is calculated with.
        """
        cell = doubted(row.at(column), name)
        if isinstance(cell, Spoilt):
            shown = f", `{cell.shown}`" if cell.shown else ""
            raise Unusable(column, f"{cell.why}{shown}: {cell.help}")
        how = self.cells.get(column)
        plain = str(cell) if self.sheet.name else unescaped(unguarded(cell))
        if how is None or not plain:
            return plain
        meant = self.words[column].get(plain.casefold(), plain)
        return self.calculated(meant, column, how)

    def calculated(self, text: str, column: int, how: Cells) -> str:
        """Return a number added to, or divided into 1."""
        if not how.add and not how.inverse:
            return text
        number = text.replace(",", ".", 1) if self.comma else text
        try:
            result = Decimal(number) + Decimal(repr(how.add))
            result = 1 / result if how.inverse else result
        except (InvalidOperation, DivisionByZero):
            raise Unusable(column, f"`{text[:40]}` is no number to calculate with") from None
        whole = result == result.to_integral_value() and abs(result) < 10**15
        return str(int(result)) if whole else repr(float(result))


class Unusable(Exception):
    """A cell of the table cannot be used."""

    def __init__(self, column: int, why: str) -> None:
        super().__init__(why)
        self.column = column
        self.why = why


Reader = Callable[[Row, str], str]


def doubted(cell: Cell, name: str) -> Cell:
    """Return a cell, spoilt where a spreadsheet has made something else of it."""
    if isinstance(cell, Spoilt):
        return cell
    if cell in SPREADSHEET_ERRORS:
        return Spoilt(cell, "a failed formula", "repair it, then save again")
    if name not in PROSE and DATE_LIKE.fullmatch(cell):
        return Spoilt(cell, "a date", EATEN)
    return doubted_address(cell) if name == "address" else cell


def doubted_address(cell: str) -> Cell:
    """Return an address, spoilt where a spreadsheet has lost digits of it."""
    if SCIENTIFIC.fullmatch(cell):
        help_ = "the last digits are lost: format the column as text, or widen it, and save again"
        return Spoilt(cell, "a number written with an exponent", help_)
    if isinstance(cell, Numeric) and TENTHS.fullmatch(cell):
        help_ = "`.1` and `.10` are the same number to a spreadsheet: format the column as text"
        return Spoilt(cell, "bit 1 or bit 10", help_)
    return cell


def spelled(word: Word) -> str:
    """Return a word of a mapping as a cell."""
    if isinstance(word, bool):
        return "yes" if word else "no"
    return str(word)


def decimal_comma(mapping: MappingFile, sheet: Sheet) -> bool:
    """Return whether the table's numbers have a comma."""
    return sheet.decimal_comma if mapping.decimal is None else mapping.decimal == ","
