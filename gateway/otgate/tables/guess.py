"""A mapping guessed from a table's header and cells, with what each guess stands on."""

import re
from collections.abc import Iterator, Mapping, Sequence

from otgate.config.written import written
from otgate.foreign.names import one_line, plain
from otgate.foreign.sheet import Row, Sheet, Spoilt, letters
from otgate.foreign.text import ForeignRefused
from otgate.tables.heading import Heading
from otgate.tables.translation import doubted

SYNONYMS: Mapping[str, Sequence[str]] = {
    "id": ("id", "tag", "tag name", "tagname", "point", "point id", "signal", "point name", "key",
           "variable", "kennung", "punkt", "repere", "etiqueta"),
    "name": ("name", "label", "title", "bezeichnung", "signalname", "libelle", "nombre"),
    "description": ("description", "desc", "comment", "remark", "beschreibung", "bemerkung",
                    "kommentar", "descripcion", "remarque"),
    "address": ("address", "register", "reg", "register number", "index", "point index", "offset",
                "modbus address", "adresse", "registeradresse", "register address", "direccion",
                "reference", "object reference"),
    "type": ("type", "data type", "datatype", "format", "datentyp", "typ", "tipo"),
    "order": ("order", "byte order", "word order", "endian", "endianness"),
    "scale": ("scale", "factor", "multiplier", "gain", "scaling", "scale factor", "faktor",
              "skalierung", "multiplikator", "facteur", "slope"),
    "offset": ("offset value", "intercept", "bias", "additive", "nullpunkt"),
    "unit": ("unit", "units", "eu", "engineering unit", "uom", "einheit", "unite", "unidad"),
    "eu_lo": ("eu lo", "min", "minimum", "range min", "low", "messbereich von"),
    "eu_hi": ("eu hi", "max", "maximum", "range max", "high", "messbereich bis"),
    "raw_lo": ("raw lo", "raw min"),
    "raw_hi": ("raw hi", "raw max"),
    "kind": ("kind", "signal type", "point type", "category", "signalart", "art"),
    "deadband": ("deadband", "dead band", "hysteresis", "totband"),
    "scan": ("scan", "scan class", "scan rate", "group", "poll group", "gruppe"),
    "states": ("states", "state text", "values", "enumeration", "zustaende"),
    "substation": ("substation", "station", "umspannwerk", "poste"),
    "voltage_level": ("voltage level", "voltage", "spannungsebene"),
    "bay": ("bay", "feeder", "feld", "cell", "travee"),
    "equipment": ("equipment", "asset", "betriebsmittel"),
    "phase": ("phase", "leiter"),
    "external_id": ("external id", "guid", "uuid", "historian tag", "cim id", "mrid"),
    "tags": ("tags",),
    "owner": ("owner", "responsible"),
}  # fmt: skip
"""What people call the columns, in the letters of an id."""

DEVICES = ("device", "rtu", "ied", "plc", "station name", "geraet", "gerat")
UNITS = ("slave", "slave id", "unit id", "unit identifier", "slave address", "station address")
INVERSE = ("divisor", "divider", "teiler", "diviseur")
TYPES = {
    "int16": "i16", "sint16": "i16", "int": "i16", "integer": "i16", "short": "i16",
    "uint16": "u16", "uint": "u16", "word": "u16", "unsigned": "u16", "ushort": "u16",
    "int32": "i32", "dint": "i32", "long": "i32", "sint32": "i32",
    "uint32": "u32", "udint": "u32", "dword": "u32", "ulong": "u32",
    "int64": "i64", "lint": "i64", "uint64": "u64", "ulint": "u64", "lword": "u64",
    "float": "f32", "float32": "f32", "real": "f32", "single": "f32",
    "double": "f64", "float64": "f64", "lreal": "f64",
    "bool": "bool", "boolean": "bool", "bit": "bool", "binary": "bool",
}  # fmt: skip
"""What machine numbers are called elsewhere."""

KINDS = {
    "ai": "measurement", "analog": "measurement", "analog_input": "measurement",
    "analogue": "measurement", "measurand": "measurement", "messwert": "measurement",
    "di": "status", "digital": "status", "digital_input": "status", "binary": "status",
    "binary_input": "status", "status": "status", "meldung": "status", "alarm": "event",
    "counter": "counter", "energy": "counter", "zaehlwert": "counter", "zaehler": "counter",
    "setpoint": "setting", "sollwert": "setting", "text": "text", "string": "text",
}  # fmt: skip
FIRST_ROWS = 20
SAMPLES = 3
MOST_WORDS = 40

COMMENT = """\
# What `otgate import table --guess` took the columns of {file} for. Read it before it is used:
# every line is a guess, and a wrong scale or address reads on without an error.
"""


def guessed(sheet: Sheet, driver: str | None) -> str:
    """Return a mapping as text.

    Raises:
        ForeignRefused: no row looks like a header.
    """
    heading = likely_heading(sheet)
    return "\n".join(Guess(sheet, heading, driver).lines()) + "\n"


def likely_heading(sheet: Sheet) -> Heading:
    """Return the first of the rows that have the most known names.

    Raises:
        ForeignRefused: there is none with any.
    """
    known = {plain(word) for words in SYNONYMS.values() for word in words}

    def score(row: Row) -> int:
        return sum(plain(cell) in known for cell in row.cells.values() if isinstance(cell, str))

    rows = sheet.rows[:FIRST_ROWS]
    best = max(rows, key=score, default=None)
    if best is None or not score(best):
        raise ForeignRefused(sheet.file, f"no header among the first {FIRST_ROWS} rows")
    return Heading(sheet, best)


class Guess:
    """One table, looked at."""

    def __init__(self, sheet: Sheet, heading: Heading, driver: str | None) -> None:
        self.sheet = sheet
        self.heading = heading
        self.driver = driver
        self.rows = [row for row in sheet.rows if row.number > heading.row.number]
        self.left = dict(heading.names)

    def lines(self) -> Iterator[str]:
        """Yield the mapping, line by line."""
        yield from COMMENT.format(file=one_line(self.sheet.file)).splitlines()
        yield "config_version: 1"
        if self.sheet.name:
            yield entry("sheet", self.sheet.name)
        yield f"header: {self.heading.row.number}"
        if self.sheet.decimal_comma:
            yield "decimal: ','"
        yield f"driver: {self.driver}" if self.driver else "# driver: modbus"
        device = self.taken(DEVICES)
        if device is not None:
            yield entry("device", self.name(device)) + self.seen(device)
        unit = self.taken(UNITS)
        if unit is not None:
            yield "each:"
            yield f"  {entry('unit', self.name(unit))}{self.seen(unit)}"
        found = {target: self.taken(words) for target, words in SYNONYMS.items()}
        inverse = self.taken(INVERSE) if found["scale"] is None else None
        found["scale"] = inverse if inverse is not None else found["scale"]
        yield "columns:"
        for target, column in found.items():
            if column is not None:
                yield f"  {entry(target, self.name(column))}{self.seen(column, target)}"
        yield from self.missing(found)
        yield from self.cells(found, inverse)
        for column in self.left:
            yield f"# not used: {one_line(self.name(column))}{self.seen(column)}"

    def taken(self, words: Sequence[str]) -> int | None:
        """Return the first column that is called one of these, and take it."""
        for word in words:
            for column, name in self.left.items():
                if plain(name) == plain(word) or plain(without_unit(name)) == plain(word):
                    del self.left[column]
                    return column
        return None

    def name(self, column: int) -> str:
        """Return how a mapping names a column: by letter where another has its name."""
        name = self.heading.names[column]
        same = [
            other for other in self.heading.names.values() if other.casefold() == name.casefold()
        ]
        return name if len(same) == 1 and "{" not in name else f"#{letters(column)}"

    def seen(self, column: int, target: str = "description") -> str:
        """Return a comment with what stands in a column, taken for one of a point map."""
        cells = dict.fromkeys(self.shown(row, column, target) for row in self.rows[:200])
        samples = [cell for cell in cells if cell][:SAMPLES]
        return f"  # {', '.join(samples)}" if samples else "  # empty"

    def shown(self, row: Row, column: int, target: str) -> str:
        """Return a cell as a comment can show it."""
        cell = doubted(row.at(column), target)
        if isinstance(cell, Spoilt):
            return f"({cell.why})"
        return one_line(cell)[:24]

    def missing(self, found: Mapping[str, int | None]) -> Iterator[str]:
        """Yield lines for what a point map needs and no column seems to say."""
        if found["address"] is None:
            yield "  # address: which column says where a point is?"
        if found["id"] is None and found["name"] is None:
            yield "  # id: which column names a point?"
        if found["kind"] is None:
            yield "  # kind: {value: measurement}"

    def cells(self, found: Mapping[str, int | None], inverse: int | None) -> Iterator[str]:
        """Yield how the cells of some columns are to be read."""
        lines = [*self.words(found["type"], TYPES), *self.words(found["kind"], KINDS)]
        if inverse is not None:
            lines += [f"  {entry(self.name(inverse), '')[:-3]}", "    inverse: true"]
        if lines:
            yield "cells:"
            yield from lines

    def words(self, column: int | None, known: Mapping[str, str]) -> Iterator[str]:
        """Yield the words of a column and what they seem to mean."""
        if column is None:
            return
        cells = dict.fromkeys(row.at(column) for row in self.rows)
        words = [cell for cell in cells if isinstance(cell, str) and cell][:MOST_WORDS]
        means = {
            word: known.get(plain(word), known.get(plain(word).replace("_", ""))) for word in words
        }
        if not any(meant and meant != word for word, meant in means.items()):
            return
        yield f"  {entry(self.name(column), '')[:-3]}"
        yield "    words:"
        for word, meant in means.items():
            if meant is not None:
                yield f"      {entry(word, meant)}"
            elif word not in known.values():
                yield f"      # {one_line(word)[:40]}: ?"


def meaning(word: str, known: Mapping[str, str]) -> str | None:
    """Return what a word seems to mean."""
    bare = plain(word)
    return known.get(bare, known.get(bare.replace("_", "")))


BRACKETS = re.compile(r"\s*[\[(][^\])]*[\])]\s*$")


def without_unit(name: str) -> str:
    """Return a name without what stands in brackets at its end."""
    return BRACKETS.sub("", name)


def entry(key: str, value: str) -> str:
    """Return one line of a mapping, quoted where YAML needs it."""
    return written({key: value}).strip()
