"""One sheet of a workbook, and its texts and formats, read by expat as they unpack."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from math import isfinite
from xml.parsers import expat

from otgate.foreign.markup import Node
from otgate.foreign.sheet import (
    MAX_CELL,
    MAX_COLUMNS,
    MAX_ROWS,
    Cell,
    Numeric,
    Row,
    Spoilt,
    too_many,
)
from otgate.foreign.text import ForeignRefused

MAX_CELLS = 500_000
MAX_STRINGS = 200_000
MAX_MARKS = 3_000_000
"""Angle brackets of a part: a cell has at most eight."""

MAX_TEXT = 16 << 20
"""Characters of all texts together."""

MAX_MERGED = 50_000
"""Cells that merged cells cover."""

DAY = timedelta(days=1)
DATES = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
"""Number formats that are dates or times: ECMA-376 part 1, §18.8.30."""

PERCENTS = frozenset({9, 10})
LITERAL = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.')
"""What of a number format is text, colour or filling."""

DATE_LETTERS = re.compile("[ymdhs]", re.IGNORECASE)
CONTROL = re.compile("_x([0-9A-Fa-f]{4})_")
"""How a text spells a character that XML lacks: ECMA-376 part 1, §22.9.2.19."""

REFERENCE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
EATEN = (
    "if `1-2` or `3/4` was typed there the spreadsheet made a date of it: format the column as text"
)
UNSAVED = "open the workbook in a spreadsheet and save it, so that the results are in it"


class Formats:
    """Which cell formats make a date, or percent, of a number."""

    def __init__(self, styles: Node | None, *, from_1904: bool) -> None:
        self.epoch = datetime(1904, 1, 1) if from_1904 else datetime(1899, 12, 30)  # noqa: DTZ001  a sheet has no zone
        self.of: list[int] = []
        self._meant: dict[int, str] = {}
        self.codes: dict[int, str] = {}
        if styles is not None:
            for one in styles.below("numFmts", "numFmt"):
                self.codes[number_of(one.get("numFmtId"))] = one.get("formatCode")
            self.of = [number_of(one.get("numFmtId")) for one in styles.below("cellXfs", "xf")]

    def meant(self, style: int) -> str:
        """Return ``date``, ``percent`` or nothing for a cell's style."""
        if style not in self._meant:
            self._meant[style] = self._looked_up(style)
        return self._meant[style]

    def _looked_up(self, style: int) -> str:
        number = self.of[style] if 0 <= style < len(self.of) else 0
        code = LITERAL.sub("", self.codes.get(number, "").partition(";")[0])
        if number in DATES or (number in self.codes and DATE_LETTERS.search(code)):
            return "date"
        return "percent" if number in PERCENTS or "%" in code else ""

    def date(self, days: float) -> str:
        """Write a day number as a date, or a time of day."""
        try:
            moment = self.epoch + days * DAY
        except OverflowError:
            return f"{days:g}"
        if days < 1:
            return f"{moment:%H:%M}"
        return (
            f"{moment:%Y-%m-%d}" if moment.hour + moment.minute == 0 else f"{moment:%Y-%m-%d %H:%M}"
        )


def number_of(text: str) -> int:
    """Return a small number, 0 where there is none."""
    return int(text) if text.isdecimal() and len(text) < 9 else 0


class Streaming:
    """A part read by expat as it unpacks; names come without their namespace."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.CharacterDataHandler = self._characters
        self.starts: Mapping[str, Callable[[Mapping[str, str]], None]] = {}
        self.ends: Mapping[str, Callable[[], None]] = {}
        self.marks = 0
        self.text: list[str] | None = None
        """Where text goes that is wanted."""
        self.length = 0

    def run(self, chunks: Iterator[bytes]) -> None:
        """Read all of it.

        Raises:
            ForeignRefused: it is no XML, or has more in it than any real one.
        """
        try:
            for chunk in chunks:
                self.marks += chunk.count(b"<")
                if self.marks > MAX_MARKS:
                    raise ForeignRefused(self.file, f"a part has more than {MAX_MARKS:,} elements")
                self.parser.Parse(chunk, False)  # noqa: FBT003  expat's own signature
            self.parser.Parse(b"", True)  # noqa: FBT003  expat's own signature
        except (expat.ExpatError, ValueError, LookupError) as error:
            raise ForeignRefused(self.file, f"a part of the workbook is no XML: {error}") from None

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        begin = self.starts.get(name.rpartition(":")[2])
        if begin is not None:
            begin(attributes)

    def _end(self, name: str) -> None:
        end = self.ends.get(name.rpartition(":")[2])
        if end is not None:
            end()

    def _doctype(self, *_: object) -> None:
        raise ForeignRefused(self.file, "a part of the workbook declares a document type (DTD)")

    def _characters(self, text: str) -> None:
        if self.text is not None:
            self.length += len(text)
            if self.length > MAX_TEXT:
                raise ForeignRefused(self.file, f"more than {MAX_TEXT >> 20} million characters")
            self.text.append(text)


class Strings(Streaming):
    """The shared strings; runs of rich text are joined, pronunciations left out."""

    def __init__(self, file: str) -> None:
        super().__init__(file)
        self.texts: list[str] = []
        self.runs: list[str] = []
        self.spoken = False
        self.starts = {"si": self.begin, "t": self.open, "rPh": self.speak}
        self.ends = {"si": self.end, "t": self.close, "rPh": self.spoke}

    def begin(self, _: Mapping[str, str]) -> None:
        """Begin a text."""
        self.runs = []

    def open(self, _: Mapping[str, str]) -> None:
        """Begin a run of it."""
        self.text = None if self.spoken else self.runs

    def close(self) -> None:
        """End a run."""
        self.text = None

    def speak(self, _: Mapping[str, str]) -> None:
        """Begin a pronunciation."""
        self.spoken = True

    def spoke(self) -> None:
        """End a pronunciation."""
        self.spoken = False

    def end(self) -> None:
        """Keep a text."""
        if len(self.texts) >= MAX_STRINGS:
            raise ForeignRefused(self.file, f"the workbook has more than {MAX_STRINGS:,} texts")
        self.texts.append(unescaped("".join(self.runs)))


def unescaped(text: str) -> str:
    """Return a text with the characters that XML lacks."""
    if "_x" not in text:
        return text
    return CONTROL.sub(lambda found: chr(int(found[1], 16)), text)


@dataclass(slots=True)
class Written:
    """One cell as the sheet writes it."""

    column: int
    kind: str
    style: int
    value: list[str] = field(default_factory=list)
    formula: bool = False
    there: bool = False
    """Whether it has a value at all."""


class Reading(Streaming):
    """The rows of one sheet."""

    def __init__(self, file: str, name: str, strings: Sequence[str], formats: Formats) -> None:
        super().__init__(file)
        self.name = name
        self.strings = strings
        self.formats = formats
        self.rows: list[Row] = []
        self.remarks: list[str] = []
        self.merged: list[str] = []
        self.number = self.column = self.count = self.seen = self.hidden = 0
        self.cells: dict[int, Cell] = {}
        self.cell: Written | None = None
        self.starts = {
            "row": self.begin_row,
            "c": self.begin_cell,
            "f": self.formula,
            "v": self.value,
            "t": self.value,
            "mergeCell": self.merge,
        }
        self.texts: Mapping[str, Callable[[str], Cell]] = {
            "s": self.shared,
            "str": written_text,
            "inlineStr": written_text,
            "b": lambda value: "true" if value == "1" else "false",
        }
        self.ends = {"row": self.end_row, "c": self.end_cell, "v": self.stop, "t": self.stop}

    def begin_row(self, attributes: Mapping[str, str]) -> None:
        """Begin a row."""
        said = number_of(attributes.get("r", ""))
        self.seen += 1
        if self.seen > 2 * MAX_ROWS:
            raise too_many(self.file, self.number)
        if said and said <= self.number:
            raise ForeignRefused(self.file, f"row {said} stands after row {self.number}")
        self.number = said or self.number + 1
        self.column = -1
        self.cells = {}
        self.hidden += attributes.get("hidden") in {"1", "true"}

    def begin_cell(self, attributes: Mapping[str, str]) -> None:
        """Begin a cell."""
        self.count += 1
        if self.count > MAX_CELLS:
            raise too_full(self.file)
        found = REFERENCE.fullmatch(attributes.get("r", ""))
        self.column = column_of(found[1]) if found else self.column + 1
        style = number_of(attributes.get("s", ""))
        self.cell = Written(self.column, attributes.get("t", "n"), style)

    def formula(self, _: Mapping[str, str]) -> None:
        """Note that a cell is computed."""
        if self.cell is not None:
            self.cell.formula = True

    def value(self, _: Mapping[str, str]) -> None:
        """Begin the value of a cell."""
        if self.cell is not None:
            self.cell.there = True
            self.text = self.cell.value

    def stop(self) -> None:
        """End it."""
        self.text = None

    def end_cell(self) -> None:
        """Keep a cell that has anything in it."""
        cell, self.cell, self.text = self.cell, None, None
        if cell is None or (not cell.there and not cell.formula):
            return
        if cell.column >= MAX_COLUMNS:
            raise too_many(self.file, self.number)
        meant = self.meant(cell, "".join(cell.value))
        if meant:
            self.cells[cell.column] = meant

    def end_row(self) -> None:
        """Keep a row that has anything in it."""
        if self.cells:
            if len(self.rows) >= MAX_ROWS:
                raise too_many(self.file, self.number)
            self.rows.append(Row(self.number, self.cells, max(self.cells) + 1))

    def meant(self, cell: Written, value: str) -> Cell:
        """Return what a cell says."""
        if cell.kind in self.texts:
            return self.texts[cell.kind](value)
        if cell.formula and not value:
            return Spoilt("", "a formula without its result", UNSAVED)
        if cell.kind == "e":
            return Spoilt(value[:40], "a failed formula", "repair it, then save the workbook")
        if cell.kind == "d":
            return Spoilt(value[:40], "a date", EATEN)
        return self.number_meant(cell, value) if value else ""

    def shared(self, value: str) -> Cell:
        """Return one of the workbook's texts."""
        if not value.isdecimal() or number_of(value) >= len(self.strings):
            return Spoilt(value[:40], "a text that is not in the file", UNSAVED)
        return capped(self.strings[number_of(value)])

    def number_meant(self, cell: Written, value: str) -> Cell:
        """Return a number as text, unless its format makes it something else."""
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if not isfinite(number):
            return Spoilt(value[:40], "no number, though the sheet says so", UNSAVED)
        meant = self.formats.meant(cell.style)
        if meant == "date":
            return Spoilt(self.formats.date(number), "a date", EATEN)
        if meant == "percent":
            return f"{plain_number(float(Decimal(repr(number)) * 100))}%"
        return Numeric(plain_number(number))

    def merge(self, attributes: Mapping[str, str]) -> None:
        """Note merged cells, which stand behind the rows."""
        if len(self.merged) < MAX_MERGED:
            self.merged.append(attributes.get("ref", ""))

    def finished(self) -> list[Row]:
        """Return the rows, what is merged spread over what it covers."""
        if self.hidden:
            self.remarks.append(f"{self.hidden:,} rows are hidden in the sheet, and were read")
        if self.merged:
            self.spread()
        return self.rows

    def spread(self) -> None:
        """Give every cell of a merged range what its first one says."""
        places = {row.number: at for at, row in enumerate(self.rows)}
        covered = 0
        for reference in self.merged:
            ends = [REFERENCE.fullmatch(end) for end in reference.split(":")]
            if len(ends) != 2 or ends[0] is None or ends[1] is None:
                continue
            columns = range(column_of(ends[0][1]), column_of(ends[1][1]) + 1)
            rows = range(int(ends[0][2]), int(ends[1][2]) + 1)
            covered += len(columns) * len(rows)
            if covered > MAX_MERGED:
                raise ForeignRefused(self.file, f"merged cells cover more than {MAX_MERGED:,}")
            self.fill(rows, columns, places)
        text = f"cells were merged, first {self.merged[0][:20]}: what stands there holds for each"
        self.remarks.append(text)

    def fill(self, rows: range, columns: range, places: Mapping[int, int]) -> None:
        """Fill one merged range, downward; to the right a name would stand twice."""
        first = places.get(rows.start)
        if first is None or columns.start not in self.rows[first].cells:
            return
        meant = self.rows[first].cells[columns.start]
        for number in rows[1:]:
            at = places.get(number)
            if at is not None:
                row = self.rows[at]
                cells = {**row.cells, columns.start: meant}
                self.rows[at] = replace(row, cells=cells, width=max(cells) + 1)


def too_full(file: str) -> ForeignRefused:
    """Return the refusal of a sheet with more cells than any real one."""
    return ForeignRefused(file, f"the sheet has more than {MAX_CELLS:,} cells")


def check_size(file: str, chunks: Iterator[bytes]) -> None:
    """Refuse a sheet that is too large before it is parsed, which takes ten times as long.

    Raises:
        ForeignRefused: it has more cells than any real one.
    """
    cells = 0
    for chunk in chunks:
        cells += chunk.count(b"<c ") + chunk.count(b"<c>") + chunk.count(b"<c/")
        if cells > MAX_CELLS:
            raise too_full(file)


def column_of(text: str) -> int:
    """Return the number of a column from 0 by its letters."""
    number = 0
    for letter in text:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1


def written_text(value: str) -> str:
    """Return a text that stands in its cell."""
    return capped(unescaped(value))


def capped(text: str) -> str:
    """Return a text without surrounding space, cut where a workbook would cut it."""
    return text[:MAX_CELL].strip()


def plain_number(number: float) -> str:
    """Write a number as a person would: whole ones without a point."""
    if number == int(number) and abs(number) <= 2**53:
        return str(int(number))
    return repr(number)
