"""A CSV file as a table: delimiter by its header, and a place for every cell."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

from otgate.config.diagnostic import Diagnostics, Place
from otgate.config.source import Source

DELIMITERS = (",", ";", "\t")
QUOTED = re.compile('"[^"]*"')
SEPARATOR_LINE = re.compile(r"sep=([,;\t])\s*")
"""What some spreadsheets write above the header."""


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one record, and the lines it stands on."""

    cells: list[str]
    line: int
    last_line: int


@dataclass(slots=True)
class Table:
    """A CSV file that is read row by row."""

    source: Source
    delimiter: str
    skipped: int = 0
    """Lines above the header."""

    def rows(self, found: Diagnostics) -> Iterator[Row]:
        """Yield every row with anything in it, the header first; stop at broken quoting."""
        file = io.StringIO(self.source.text, newline="")
        for _ in range(self.skipped):
            file.readline()
        reader = csv.reader(file, delimiter=self.delimiter, strict=True)
        line = self.skipped
        try:
            for cells in reader:
                first, line = line + 1, self.skipped + reader.line_num
                if any(cells):
                    yield Row(cells, first, line)
        except csv.Error:
            message = "a quote that opens in this row is not closed, or text follows it"
            help_ = 'put the whole cell in quotes and write a quote inside as `""`'
            found.say("bad-csv", self.source.place(line + 1, 1), message, help_)

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
    header = source.text.partition("\n")[0]
    if named := SEPARATOR_LINE.fullmatch(header):
        return Table(source, named[1], skipped=1)
    bare = QUOTED.sub("", header)
    return Table(source, max(DELIMITERS, key=bare.count))
