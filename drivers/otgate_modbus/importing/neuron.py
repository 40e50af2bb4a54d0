"""`otgate import neuron`: tags of a Modbus node of EMQX Neuron.

Format: Neuron's documentation, 2.4 to 2.12: a table of tags, as its export writes it (XLSX) or as
CSV. The table knows no connection: the command line says where the device is.
"""

import re
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from otgate.foreign.names import quoted
from otgate.foreign.sheet import Row, Sheet, Spoilt, read_sheet
from otgate.foreign.text import ENCODINGS, ForeignRefused
from otgate.importer import Imported
from otgate_modbus.address import BIT_TABLES, DIGITS, Table
from otgate_modbus.importing.gathering import Gathering, LeftOut, Register, Server, factor

DESCRIPTION = """\
Read the tags of a Modbus node of EMQX Neuron: the table that its export writes, XLSX or CSV. Each
unit becomes a device, each group a scan class. The table knows no connection and no intervals:
give --url and --period.

  otgate import neuron tags.xlsx --url tcp://10.0.0.5 --output config/sub7 --site sub7
"""
NEEDED = ("group", "name", "address", "type")
ADDRESS = re.compile(
    r"(?P<unit>[0-9]{1,3})!(?P<area>[0134])(?P<number>[0-9]{4,5})"
    r"(?:\.(?P<part>[0-9]{1,3})(?P<packing>[A-Z]?))?(?:#(?P<order>[BL]{1,2}))?"
    r"(?:\.(?P<late>[0-9]{1,3})(?P<late_packing>[A-Z]?))?",
    re.IGNORECASE,
)
TYPES = {
    "INT16": "i16", "UINT16": "u16", "WORD": "u16", "INT32": "i32", "UINT32": "u32",
    "DWORD": "u32", "INT64": "i64", "UINT64": "u64", "LWORD": "u64",
    "FLOAT": "f32", "DOUBLE": "f64",
}  # fmt: skip
BITS = frozenset({"BIT", "BOOL"})
ORDERS = {
    "": "", "L": "", "LL": "", "B": "BADC", "LB": "BADC", "BL": "CDAB", "BB": "DCBA",
}  # fmt: skip
"""Neuron's endianness: `LL` is 1,2,3,4, `LB` 2,1,4,3, `BL` 3,4,1,2, `BB` 4,3,2,1."""

WIDE = {"": "ABCDEFGH", "BADC": "BADCFEHG", "CDAB": "GHEFCDAB", "DCBA": "HGFEDCBA"}


class Where(NamedTuple):
    """An address of Neuron, taken apart."""

    unit: int
    table: Table
    number: int
    part: int | None
    """A bit of a register, or the length of a text."""
    packing: str
    order: str


class NeuronImporter:
    """The importer of Neuron's tags; see `otgate.importer.Importer`."""

    summary = "the tags of a Modbus node of EMQX Neuron (XLSX or CSV)"
    description = DESCRIPTION

    def arguments(self, parser: ArgumentParser) -> None:
        """Add the arguments of `otgate import neuron`."""
        parser.add_argument("file", metavar="FILE", type=Path, help="the exported tags")
        parser.add_argument("--url", default="tcp://HOST", help="where the device is")
        parser.add_argument(
            "--period", type=float, default=1.0, metavar="S", help="of every group (default: 1)"
        )
        parser.add_argument(
            "--first", type=int, choices=[0, 1], default=1, help="the node's start address"
        )
        parser.add_argument("--encoding", choices=ENCODINGS, help="of a file that is not UTF-8")

    def read(self, options: Namespace) -> Imported:
        """Read the file.

        Raises:
            Refused: it is no table, or not one of tags.
        """
        sheet = read_sheet(options.file, encoding=options.encoding)
        if not sheet.rows:
            raise ForeignRefused(sheet.file, "the table is empty")
        columns = header_of(sheet)
        gathering = Gathering()
        for remark in sheet.remarks:
            gathering.remarks.say("", remark)
        if options.url == "tcp://HOST":
            gathering.remarks.say("", "the table knows no connection: replace HOST in each url")
        reading = Tags(gathering, sheet, columns, options)
        for row in sheet.rows[1:]:
            reading.take(row)
        return Imported(list(gathering.devices()), list(gathering.remarks))


def header_of(sheet: Sheet) -> Mapping[str, int]:
    """Return the columns by their names.

    Raises:
        ForeignRefused: one that is needed is missing.
    """
    row = sheet.rows[0]
    found = {cell.lower(): at for at, cell in row.cells.items() if isinstance(cell, str)}
    missing = [name for name in NEEDED if name not in found]
    if missing:
        names = ", ".join(f"`{name}`" for name in missing)
        raise ForeignRefused(sheet.file, f"no column {names} in the header", row.number)
    return found


class Tags:
    """One pass over the rows of tags."""

    def __init__(
        self, gathering: Gathering, sheet: Sheet, columns: Mapping[str, int], options: Namespace
    ) -> None:
        self.gathering = gathering
        self.sheet = sheet
        self.columns = columns
        self.options = options

    def cell(self, row: Row, name: str) -> str:
        """Return a cell; one that the spreadsheet has spoilt is said, and left out."""
        column = self.columns.get(name)
        cell = "" if column is None else row.at(column)
        if isinstance(cell, Spoilt):
            place = self.sheet.place(row.number, column)
            self.gathering.remarks.say(place, f"{cell.why} stands here: {cell.help}")
            raise LeftOut(f"`{name}` is {cell.why}")
        return cell

    def take(self, row: Row) -> None:
        """Gather one tag, or say why it is left out."""
        try:
            where = self.where(row)
        except LeftOut as left:
            self.gathering.remarks.say(self.sheet.place(row.number), f"left out: {left}")
            return
        source = f"{self.sheet.file}: unit {where.unit}"
        name = f"unit{where.unit}"
        server = self.gathering.server(name, source, self.options.url, where.unit)
        try:
            self.gathering.add(server, self.register(row, where, server))
        except LeftOut as left:
            column = self.columns["name"]
            place = self.sheet.place(row.number, column)
            self.gathering.leave_out(server, place, row.at(column), left)

    def where(self, row: Row) -> Where:
        """Return where a tag is."""
        said = self.cell(row, "address")
        found = ADDRESS.fullmatch(said)
        if found is None:
            raise LeftOut(f"{quoted(said)} is no address of a Modbus tag")
        part = found["part"] or found["late"]
        return Where(
            int(found["unit"]),
            DIGITS[found["area"]],
            int(found["number"]) - self.options.first,
            None if part is None else int(part),
            (found["packing"] or found["late_packing"] or "").upper(),
            (found["order"] or "").upper(),
        )

    def register(self, row: Row, where: Where, server: Server) -> Register:
        """Return one tag in our words."""
        attribute = self.cell(row, "attribute").lower()
        if attribute and "read" not in attribute and "subscribe" not in attribute:
            raise LeftOut(f"attribute {quoted(attribute)}: it is not read")
        if where.unit > 255:
            raise LeftOut("its unit is no number from 0 to 255")
        kind, order, bit = self.encoded(self.cell(row, "type").upper(), where)
        group, name = self.cell(row, "group"), self.cell(row, "name")
        if where.order in {"BB", "BL"}:
            text = "tags have #BB or #BL, which Neuron's versions do not agree on: check one value"
            self.gathering.remarks.say(server.name, text)
        return Register(
            name=name,
            table=where.table,
            number=where.number,
            type=kind,
            order=order,
            bit=bit,
            scale=factor(self.cell(row, "decimal") or 1),
            offset=factor(self.cell(row, "bias") or 0),
            period_s=self.options.period,
            description=self.cell(row, "description"),
            external_id=f"{group}/{name}" if group else name,
            scan=group or "normal",
        )

    def encoded(self, said: str, where: Where) -> tuple[str, str, int | None]:
        """Return type, order and bit."""
        if where.table in BIT_TABLES:
            return "bool", "", None
        if said in BITS:
            if where.part is None or where.part > 15:
                raise LeftOut("a bit of a register without its number from 0 to 15")
            return "bool", "", where.part
        if said == "STRING":
            return string_of(where)
        if said not in TYPES:
            raise LeftOut(f"type {quoted(said)}")
        order = ORDERS.get(where.order)
        if order is None:
            raise LeftOut(f"order {quoted(where.order)}")
        kind = TYPES[said]
        return kind, WIDE[order] if kind.endswith("64") and order else order, None


def string_of(where: Where) -> tuple[str, str, None]:
    """Return type and order of a text of so many bytes."""
    if not where.part or where.packing not in {"", "H", "L"}:
        raise LeftOut("a text of one byte in each register, or without a length")
    return f"string({where.part})", "BADC" if where.packing == "L" else "", None
