"""A CSV file as a table: delimiter by its header, and a place for every cell."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from otgate.config.diagnostic import Diagnostics, Place
from otgate.config.source import Source

DELIMITERS = (",", ";", "\t")
QUOTED = re.compile('"[^"]*"')
MAX_LINES = 100_000
MAX_ROW = 1 << 16
"""Characters of one row, so that a quote which is never closed does not swallow the file."""

LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
SEPARATOR_LINE = re.compile(r"sep=([,;\t])\s*")
"""What some spreadsheets write above the header."""


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one record, and the lines it stands on."""

    cells: list[str]
    line: int
    last_line: int


class TooLong(Exception):
    """A row, or a table, that is longer than any real one."""


class BoundedLines:
    """The lines of a text with their ends, up to a row that is too long."""

    def __init__(self, text: str, skipped: int) -> None:
        self._lines = islice(LINE.finditer(text), skipped, None)
        self._left, self._row = MAX_LINES, 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)[0]
        self._left -= 1
        self._row += len(line)
        if self._row > MAX_ROW:
            raise TooLong(
                f"this row is longer than {MAX_ROW >> 10} kB",
                "one row is one point; close every quote, and end every line",
            )
        if self._left < 0:
            raise TooLong(
                f"more than {MAX_LINES:,} lines", "split it, e.g. one point map per device"
            )
        return line

    def row_ends(self) -> None:
        """Begin to measure another row."""
        self._row = 0


@dataclass(slots=True)
class Table:
    """A CSV file that is read row by row."""

    source: Source
    delimiter: str
    skipped: int = 0
    """Lines above the header."""

    def rows(self, found: Diagnostics) -> Iterator[Row]:
        """Yield every row with anything in it, the header first; stop at broken quoting."""
        lines = BoundedLines(self.source.text, self.skipped)
        reader = csv.reader(lines, delimiter=self.delimiter, strict=True)
        line = self.skipped
        try:
            for cells in reader:
                lines.row_ends()
                first, line = line + 1, self.skipped + reader.line_num
                if any(cells):
                    yield Row(cells, first, line)
        except csv.Error:
            message = "a quote that opens in this row is not closed, or text follows it"
            help_ = 'put the whole cell in quotes and write a quote inside as `""`'
            found.say("bad-csv", self.source.place(line + 1, 1), message, help_)
        except TooLong as long:
            found.say("file-too-large", self.source.place(line + 1, 1), *long.args)

    def place(self, line: int, column: int) -> Place:
        """Return the place of a cell: its row's first line, its number from 0."""
        lines = self.source.lines
        number, start = line, 0
        for _ in range(column):
            number, start = self.after(number, start)
            if start > len(lines[number - 1]):
                break
        last, end = self.after(number, start)
        stop = end if last == number else len(lines[number - 1]) + 1
        return self.source.place(number, start + 1, stop)

    def after(self, line: int, start: int) -> tuple[int, int]:
        """Return where the cell after the one at ``line`` and ``start`` begins."""
        lines, text = self.source.lines, self.source.lines[line - 1]
        quoted = False
        while True:
            for offset in range(start, len(text)):
                if text[offset] == '"':
                    quoted = not quoted
                elif text[offset] == self.delimiter and not quoted:
                    return line, offset + 1
            if not quoted or line >= len(lines):
                return line, len(text) + 1
            line, start, text = line + 1, 0, lines[line]


def table_of(source: Source) -> Table:
    """Find out how the cells of a file are separated."""
    header = source.text[:MAX_ROW].partition("\n")[0]
    if named := SEPARATOR_LINE.fullmatch(header):
        return Table(source, named[1], skipped=1)
    bare = QUOTED.sub("", header)
    return Table(source, max(DELIMITERS, key=bare.count))
