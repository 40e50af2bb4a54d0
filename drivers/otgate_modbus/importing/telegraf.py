"""`otgate import telegraf`: inputs of Telegraf's plug-in `inputs.modbus`.

Format: the plug-in's own documentation, Telegraf 1.30 to 1.33, styles `register`, `request` and
`metric`.
"""

import re
import tomllib
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from otgate.foreign.names import quoted
from otgate.foreign.text import ENCODINGS, ForeignRefused, read_text, seconds
from otgate.importer import Imported
from otgate_modbus.address import BIT_TABLES, Table
from otgate_modbus.importing.gathering import (
    Gathering,
    LeftOut,
    Register,
    Server,
    factor,
    whole,
)

DESCRIPTION = """\
Read a configuration of Telegraf. Each unit of each inputs.modbus becomes a device, each field a
point, the interval a scan class; styles register, request and metric. The other inputs of the
file, tags, outputs and processors are not carried over.

  otgate import telegraf telegraf.conf --output config/sub7 --site sub7
"""
MAX_BYTES = 1 << 20
MAX_INPUTS = 1_000
LONG_KEY = re.compile(r"(?<![\w\"'-])(?:[\w\"'-]++[ \t]*+\.[ \t]*+){32}")
"""A dotted key that no configuration has, and that costs the square of its length to read."""

DEFAULT_INTERVAL_S = 10.0
"""The agent's interval where the file gives none."""

STYLES: Mapping[str, tuple[Table, bool]] = {
    "discrete_inputs": (Table.DI, True),
    "coils": (Table.CO, True),
    "holding_registers": (Table.HR, False),
    "input_registers": (Table.IR, False),
}
TABLES = {"coil": Table.CO, "discrete": Table.DI, "holding": Table.HR, "input": Table.IR}
TYPES = {
    "INT8L": "i8_low", "INT8H": "i8_high", "UINT8L": "u8_low", "UINT8H": "u8_high",
    "INT16": "i16", "UINT16": "u16", "INT32": "i32", "UINT32": "u32",
    "INT64": "i64", "UINT64": "u64", "FLOAT16": "f16", "FLOAT32": "f32", "FLOAT64": "f64",
}  # fmt: skip
IEEE = {"FLOAT16-IEEE": "f16", "FLOAT32-IEEE": "f32", "FLOAT64-IEEE": "f64"}
FIXED = {"FIXED": "i", "UFIXED": "u", "FLOAT32": "u"}
"""Fixed point, in the style `register`: the number of registers says how wide."""

SHORT_ORDERS = {"AB": "ABCD", "BA": "BADC", "": "ABCD"}
ORDERS = frozenset({"ABCD", "DCBA", "BADC", "CDAB"})
WIDE = {"ABCD": "ABCDEFGH", "DCBA": "HGFEDCBA", "BADC": "BADCFEHG", "CDAB": "GHEFCDAB"}
"""What an order of four bytes is for eight: CDAB has the last register first."""

CARRIED = frozenset(
    {
        *("name", "slave_id", "timeout", "controller", "baud_rate", "parity", "stop_bits"),
        *("transmission_mode", "configuration_type", "request", "metric", "workarounds"),
        *(*STYLES, "interval", "data_bits"),
        *("debug_connection", "optimization", "optimization_max_register_fill", "alias"),
    }
)
"""Keys of the plug-in that are carried over, or mean nothing to a gateway that plans reads."""

WORKAROUNDS = {
    "max_bit_registers_per_request": "max_bits",
    "max_word_registers_per_request": "max_registers",
}


class TelegrafImporter:
    """The importer of Telegraf's configurations; see `otgate.importer.Importer`."""

    summary = "inputs.modbus of a Telegraf configuration"
    description = DESCRIPTION

    def arguments(self, parser: ArgumentParser) -> None:
        """Add the arguments of `otgate import telegraf`."""
        parser.add_argument(
            "file", metavar="FILE", type=Path, help="telegraf.conf, or a part of it"
        )
        parser.add_argument("--encoding", choices=ENCODINGS, help="of a file that is not UTF-8")

    def read(self, options: Namespace) -> Imported:
        """Read the file.

        Raises:
            Refused: it is no TOML, or has no such input.
        """
        file = str(options.file)
        config = parsed(read_text(options.file, MAX_BYTES, options.encoding), file)
        inputs = tables(mapping(config.get("inputs")).get("modbus"))
        if not inputs:
            raise ForeignRefused(file, "there is no [[inputs.modbus]] in this file")
        if len(inputs) > MAX_INPUTS:
            raise ForeignRefused(file, f"more than {MAX_INPUTS:,} inputs")
        gathering = Gathering()
        for name in sorted(mapping(config.get("inputs"))):
            if name != "modbus":
                gathering.remarks.say("", f"inputs.{quoted(name)[1:-1]} is no Modbus: left out")
        interval_s = span(mapping(config.get("agent")).get("interval")) or DEFAULT_INTERVAL_S
        for number, given in enumerate(inputs, 1):
            Input(gathering, options.file.name, number, given, interval_s).read()
        return Imported(list(gathering.devices()), list(gathering.remarks))


def parsed(text: str, file: str) -> Mapping[str, Any]:
    """Parse TOML.

    Raises:
        ForeignRefused: it is none.
    """
    if found := LONG_KEY.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise ForeignRefused(file, "a key has more than 32 parts", line)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        hint = "; write values in the place of ${VARIABLES} without quotes" if "${" in text else ""
        raise ForeignRefused(file, f"this is not TOML: {error}{hint}") from None
    except (RecursionError, ValueError):
        raise ForeignRefused(file, "this is not TOML that can be read: nested too deep") from None


def mapping(value: object) -> Mapping[str, Any]:
    """Return a table as it is, and an empty one of anything else."""
    return value if isinstance(value, dict) else {}


def tables(value: object) -> list[Mapping[str, Any]]:
    """Return the tables of an array, or a table that stands by itself."""
    if isinstance(value, dict):
        return [value]
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def span(value: object) -> float | None:
    """Return seconds of a span such as ``10s``, of a number, or None."""
    if isinstance(value, str):
        return seconds(value)
    return float(value) if isinstance(value, int | float) and value > 0 else None


class Input:
    """One ``[[inputs.modbus]]``."""

    def __init__(
        self,
        gathering: Gathering,
        file: str,
        number: int,
        given: Mapping[str, Any],
        interval_s: float,
    ) -> None:
        self.gathering = gathering
        self.given = given
        self.place = f"inputs.modbus[{number}]"
        self.source = f"{file}: {self.place}"
        self.name = text(given.get("name")) or f"modbus{number}"
        self.period_s = span(given.get("interval")) or interval_s
        self.several = False
        """Whether it reads more than one unit."""
        self.lower_strings = False
        self.settings: dict[str, Any] = {}

    def say(self, message: str) -> None:
        """Say something of this input."""
        self.gathering.remarks.say(self.place, message)

    def read(self) -> None:
        """Gather its points."""
        url = self.url()
        if url is None:
            return
        self.work_around(mapping(self.given.get("workarounds")))
        self.settle()
        style = text(self.given.get("configuration_type")) or "register"
        if style == "register":
            self.registers(url)
        elif style in {"request", "metric"}:
            parts = tables(self.given.get(style))
            self.several = len({str(one.get("slave_id", 0)) for one in parts}) > 1
            for number, one in enumerate(parts, 1):
                self.fields(url, one, f"{self.place}.{style}[{number}]", style)
        else:
            self.say(f"configuration_type {quoted(style)} is none that is known: left out")
        for key in self.given.keys() - CARRIED:
            self.say(f"{quoted(key)} is not carried over")

    def url(self) -> str | None:
        """Return the endpoint, or None where this gateway has no such line."""
        controller = text(self.given.get("controller"))
        mode = text(self.given.get("transmission_mode")).lower() or "auto"
        if "ascii" in mode:
            self.say("Modbus ASCII is not spoken by this gateway: left out")
            return None
        scheme, _, rest = controller.partition("://")
        if scheme in {"file", "serial"} and rest.startswith("/"):
            return self.serial(rest)
        if scheme == "tcp":
            kind = "rtu+tcp" if "rtu" in mode else "tcp"
            return f"{kind}://{urlsplit(controller).netloc if '${' not in rest else rest}"
        self.say(f"controller {quoted(controller)} is no place that this gateway reads: left out")
        return None

    def serial(self, path: str) -> str:
        """Return the URL of a serial port."""
        given = self.given
        if given.get("data_bits", 8) != 8:
            self.say("data_bits: an RTU line has 8 (Serial Line V1.02, §2.5.1)")
        baud = given.get("baud_rate", 9600)
        parity = (text(given.get("parity")) or "N")[:1].upper()
        return f"serial://{path}?baud={baud}&parity={parity}&stop={given.get('stop_bits', 1)}"

    def settle(self) -> None:
        """Carry over what holds for the link."""
        timeout_s = span(self.given.get("timeout"))
        if timeout_s:
            self.settings["timeout_s"] = timeout_s

    def work_around(self, given: Mapping[str, Any]) -> None:
        """Carry over what some devices need."""
        quirks = {
            "connect_delay_s": span(given.get("pause_after_connect")),
            "request_gap_s": span(given.get("pause_between_requests")),
        }
        if any(quirks.values()):
            self.settings["quirks"] = {key: value for key, value in quirks.items() if value}
        for theirs, ours in WORKAROUNDS.items():
            if given.get(theirs):
                self.settings[ours] = given[theirs]
        if given.get("one_request_per_field"):
            self.settings["gap"] = 0
            self.say("one_request_per_field became `gap: 0`; neighbours are still read together")
        if given.get("read_coils_starting_at_zero") or given.get("close_connection_after_gather"):
            self.say(
                "a workaround is not carried over: reads of coils from 0, or closing after each"
            )
        where = text(given.get("string_register_location"))
        self.lower_strings = where == "lower"
        if where == "upper":
            self.say("strings in upper bytes alone are not carried over as such: check each one")

    def server(self, url: str, unit: object, place: str) -> Server | None:
        """Return the server of a unit."""
        if not isinstance(unit, int) or not 0 <= unit <= 255:
            self.gathering.remarks.say(place, "its slave_id is no number from 0 to 255: left out")
            return None
        server = self.gathering.server(self.name, self.source, url, unit)
        if self.several:
            server.name = f"{self.name} {unit}"
        server.settings.update(self.settings)
        return server

    def registers(self, url: str) -> None:
        """Gather the style `register`: a list per table, one unit."""
        server = self.server(url, self.given.get("slave_id", 0), self.place)
        if server is None:
            return
        for key, (table, _) in STYLES.items():
            for given in tables(self.given.get(key)):
                read = partial(self.original, table=table)
                self.take(server, self.place, given, read)

    def original(self, given: Mapping[str, Any], table: Table) -> Register:
        """Return a field of the style `register`."""
        numbers = addresses(given.get("address"))
        common = {**self.named(given, self.given), "table": table, "number": numbers[0]}
        if table in BIT_TABLES:
            return Register(**common, type="bool")
        said = text(given.get("data_type")).upper()
        kind = IEEE.get(said) or fixed(said, len(numbers)) or TYPES.get(said)
        if said == "STRING":
            return Register(**common, **self.string(len(numbers), text(given.get("byte_order"))))
        if kind is None:
            raise LeftOut(f"data_type {quoted(said)}")
        order = order_of(text(given.get("byte_order")), kind)
        return Register(**common, type=kind, order=order, scale=scale_of(given))

    def fields(self, url: str, one: Mapping[str, Any], place: str, style: str) -> None:
        """Gather a request or a metric: fields of one unit."""
        server = self.server(url, one.get("slave_id", 0), place)
        if server is None:
            return
        if one.get("tags"):
            self.gathering.remarks.say(place, "its tags are not carried over")
        order = text(one.get("byte_order")) or "ABCD"
        table = text(one.get("register")) if style == "request" else ""
        for given in tables(one.get("fields")):
            if not given.get("omit"):
                said = table or text(given.get("register")) or "holding"
                read = partial(self.field, one=one, said=said, order=order)
                self.take(server, place, given, read)

    def field(
        self, given: Mapping[str, Any], one: Mapping[str, Any], said: str, order: str
    ) -> Register:
        """Return a field of a request or a metric."""
        table = TABLES.get(said.lower())
        if table is None:
            raise LeftOut(f"register {quoted(said)}")
        number = whole(given.get("address"), 0, 65535, "address")
        common = {**self.named(given, one), "table": table, "number": number}
        if table in BIT_TABLES:
            return Register(**common, type="bool")
        kind = text(given.get("type")).upper()
        if kind == "BIT":
            return Register(**common, type="bool", bit=whole(given.get("bit", 0), 0, 15, "bit"))
        if kind == "STRING":
            return Register(
                **common, **self.string(whole(given.get("length"), 1, 125, "length"), order)
            )
        if kind not in TYPES:
            raise LeftOut(f"type {quoted(kind)}")
        ours = TYPES[kind]
        return Register(**common, type=ours, order=order_of(order, ours), scale=scale_of(given))

    def string(self, registers: int, order: str) -> dict[str, Any]:
        """Return type and order of a text."""
        kind = f"chars({registers})" if self.lower_strings else f"string({2 * registers})"
        return {"type": kind, "order": order_of(order, kind)}

    def named(self, given: Mapping[str, Any], around: Mapping[str, Any]) -> dict[str, Any]:
        """Return how a field is called, and when it is read."""
        name = text(given.get("name"))
        measurement = text(given.get("measurement")) or text(around.get("measurement"))
        return {
            "name": name,
            "external_id": f"{measurement}.{name}" if measurement else name,
            "period_s": self.period_s,
        }

    def take(
        self,
        server: Server,
        place: str,
        given: Mapping[str, Any],
        read: Callable[[Mapping[str, Any]], Register],
    ) -> None:
        """Gather one field, or say why it is left out."""
        try:
            self.gathering.add(server, read(given))
        except LeftOut as left:
            self.gathering.leave_out(server, place, given.get("name", ""), left)


def text(value: object) -> str:
    """Return text as it is, and none of anything else."""
    return value if isinstance(value, str) else ""


def addresses(value: object) -> Sequence[int]:
    """Return the registers of a field of the style `register`, which lie side by side."""
    numbers = value if isinstance(value, list) else [value]
    found = [whole(number, 0, 65535, "address") for number in numbers[:125]]
    if not found or found != list(range(found[0], found[0] + len(found))):
        raise LeftOut("its registers do not lie side by side")
    return found


def fixed(said: str, registers: int) -> str | None:
    """Return the type of a fixed point value of so many registers."""
    if said not in FIXED or registers not in {1, 2, 4}:
        return None
    return f"{FIXED[said]}{16 * registers}"


def order_of(said: str, kind: str) -> str:
    """Return the order of a point; empty where it is the device's, ABCD.

    Raises:
        LeftOut: there is no such order.
    """
    order = SHORT_ORDERS.get(said.upper(), said.upper())
    if order not in ORDERS:
        raise LeftOut(f"byte order {quoted(said)}")
    if kind.endswith("64"):
        return "" if order == "ABCD" else WIDE[order]
    return "" if order == "ABCD" else order


def scale_of(given: Mapping[str, Any]) -> float:
    """Return the factor of a field; Telegraf takes 0 for none."""
    return factor(given.get("scale") or 1)
