"""A foreign table: rows of cells that know where they stand, from CSV or from a workbook."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from otgate.foreign.text import MAX_BYTES, ForeignRefused, decoded, read_bytes

DELIMITERS = (";", ",", "\t", "|")
QUOTED = re.compile('"[^"]*"')
SEPARATOR_LINE = re.compile(r"sep=([,;\t|])\s*")
"""What some spreadsheets write above the header."""

MAX_ROWS = 60_000
MAX_COLUMNS = 1_000
LONG_LINE = re.compile("[^\n]{1000001}")
MAX_CELL = 32_767
"""Characters of a cell: a workbook's own limit."""

ZIP = b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class Spoilt:
    """A cell whose value is not what somebody wrote there, or not there at all."""

    shown: str
    why: str
    help: str


class Numeric(str):
    """A number of a workbook: `1.10` and `1.1` were the same there."""

    __slots__ = ()


Cell = str | Spoilt


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one row that are not empty, by column from 0."""

    number: int
    """Its number in a workbook, the line that it begins on in CSV; from 1."""
    cells: Mapping[int, Cell]
    width: int
    """Columns up to its last one, empty ones included."""

    def at(self, column: int) -> Cell:
        """Return a cell, empty where it is not there."""
        return self.cells.get(column, "")


@dataclass(slots=True)
class Sheet:
    """A table as it was written."""

    file: str
    rows: Sequence[Row]
    name: str = ""
    """Of the sheet of a workbook; empty for CSV."""
    decimal_comma: bool = False
    """Whether numbers are written with one, as files with `;` between their cells are."""
    remarks: list[str] = field(default_factory=list)

    def place(self, row: int, column: int | None = None) -> str:
        """Say where a row or a cell is: ``file.csv:7`` or ``file.xlsx, Points!B7``."""
        if not self.name:
            return (
                f"{self.file}:{row}"
                if column is None
                else f"{self.file}:{row}, column {letters(column)}"
            )
        at = f"row {row}" if column is None else f"{letters(column)}{row}"
        return f"{self.file}, {self.name}!{at}"


def letters(column: int) -> str:
    """Return a column's letters: 0 is A, 26 is AA."""
    text = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


def read_csv(raw: bytes, file: str, encoding: str | None = None) -> Sheet:
    """Read the bytes of a CSV file; cells are stripped.

    Raises:
        ForeignRefused: it is no text, its quoting is broken, or it is larger than any real one.
    """
    text = decoded(raw, file, encoding)
    if found := LONG_LINE.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise ForeignRefused(file, "a line of more than a million characters", line)
    head, skipped = text.partition("\n")[0], 0
    named = SEPARATOR_LINE.fullmatch(head)
    if named:
        text, skipped = text.partition("\n")[2], 1
    delimiter = named[1] if named else delimiter_of(text)
    rows = list(csv_rows(text, file, delimiter, skipped))
    return Sheet(file, rows, decimal_comma=delimiter == ";")


def delimiter_of(text: str) -> str:
    """Return what most often stands between the cells of the first lines."""
    lines = (
        [QUOTED.sub("", line) for line in text.splitlines()[:10]]
        if len(text) < 65536
        else [QUOTED.sub("", line) for line in text[:65536].splitlines()[:10]]
    )
    return max(DELIMITERS, key=lambda one: sum(line.count(one) for line in lines))


def csv_rows(text: str, file: str, delimiter: str, skipped: int) -> Iterator[Row]:
    """Yield the rows that have anything in them."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 0
    try:
        for number, cells in enumerate(reader, 1):
            first, line = line + 1, reader.line_num
            if number > MAX_ROWS or len(cells) > MAX_COLUMNS:
                raise too_many(file, first + skipped)
            found = {at: cell for at, cell in enumerate(map(str.strip, cells)) if cell}
            if found:
                yield Row(first + skipped, found, len(cells))
    except csv.Error:
        message = "a quote that opens in this row is not closed, or text follows it"
        raise ForeignRefused(file, message, line + 1 + skipped) from None


def too_many(file: str, row: int) -> ForeignRefused:
    """Return the refusal of a table that is larger than any real one."""
    message = f"more than {MAX_ROWS:,} rows or {MAX_COLUMNS:,} columns: split the table"
    return ForeignRefused(file, message, row)


def read_sheet(path: Path, sheet: str | None = None, encoding: str | None = None) -> Sheet:
    """Read a table: CSV, or one sheet of a workbook, the first that is to be seen.

    Raises:
        ForeignRefused: it is neither, or cannot be read.
    """
    from otgate.foreign.workbook import read_workbook  # noqa: PLC0415  most tables are CSV

    raw = read_bytes(path, MAX_BYTES)
    file = path.name
    if raw.startswith(ZIP):
        return read_workbook(raw, file, sheet)
    if sheet is not None:
        raise ForeignRefused(file, "only a workbook has sheets: --sheet means nothing here")
    return read_csv(raw, file, encoding)
