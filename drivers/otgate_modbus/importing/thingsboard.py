"""`otgate import thingsboard`: a Modbus connector of the ThingsBoard IoT Gateway.

Format: the connector's documentation, gateway 3.x (`master`, `slaves`) and 2.x (`server`,
`devices`).
"""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from otgate.foreign.names import quoted
from otgate.foreign.text import ENCODINGS, ForeignRefused, read_text
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
Read a Modbus connector of the ThingsBoard IoT Gateway (modbus.json). Each slave becomes a device,
each entry of its attributes and timeseries a point, its poll period a scan class. Attribute
updates and RPCs write, and are not carried over.

  otgate import thingsboard modbus.json --output config/sub7 --site sub7
"""
MAX_BYTES = 2 << 20
"""Of a connector; JSON of nothing but brackets takes thirty times its size."""

MAX_SLAVES = 1_000
LISTS = ("attributes", "timeseries")
WRITES = ("attributeUpdates", "rpc")
DEFAULT_PERIOD_MS = 5000

SIZED = {
    "8int": "i8_high", "8uint": "u8_high", "16int": "i16", "16uint": "u16", "16float": "f16",
    "32int": "i32", "32uint": "u32", "32float": "f32",
    "64int": "i64", "64uint": "u64", "64float": "f64",
}  # fmt: skip
COUNTED = {"int": "i", "integer": "i", "long": "i", "uint": "u", "float": "f", "double": "f"}
"""Types whose width is that of the registers that are read."""

ORDERS = {
    ("BIG", "BIG"): ("ABCD", "ABCDEFGH"),
    ("BIG", "LITTLE"): ("CDAB", "GHEFCDAB"),
    ("LITTLE", "BIG"): ("BADC", "BADCFEHG"),
    ("LITTLE", "LITTLE"): ("DCBA", "HGFEDCBA"),
}
"""Byte order within registers, and order of registers, in our words for 4 and 8 bytes."""

WIDE = ("i64", "u64", "f64")


class ThingsBoardImporter:
    """The importer of ThingsBoard's connectors; see `otgate.importer.Importer`."""

    summary = "a Modbus connector of the ThingsBoard IoT Gateway"
    description = DESCRIPTION

    def arguments(self, parser: ArgumentParser) -> None:
        """Add the arguments of `otgate import thingsboard`."""
        parser.add_argument("file", metavar="FILE", type=Path, help="modbus.json")
        parser.add_argument("--encoding", choices=ENCODINGS, help="of a file that is not UTF-8")

    def read(self, options: Namespace) -> Imported:
        """Read the file.

        Raises:
            Refused: it is no JSON, or no Modbus connector.
        """
        config = parsed(read_text(options.file, MAX_BYTES, options.encoding), str(options.file))
        slaves = list(islice(slaves_of(connector(config)), MAX_SLAVES + 1))
        if not slaves:
            text = "there is no `master.slaves` and no `server.devices` in this file"
            raise ForeignRefused(str(options.file), text)
        if len(slaves) > MAX_SLAVES:
            raise ForeignRefused(str(options.file), f"more than {MAX_SLAVES:,} slaves")
        gathering = Gathering()
        if "slave" in connector(config):
            gathering.remarks.say("slave", "this gateway is no Modbus server: not carried over")
        for place, slave in slaves:
            Slave(gathering, f"{options.file.name}: {place}", place, slave).read()
        return Imported(list(gathering.devices()), list(gathering.remarks))


def parsed(text: str, file: str) -> Any:
    """Parse JSON.

    Raises:
        ForeignRefused: it is none.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        message = f"this is not JSON: {error.msg}"
        raise ForeignRefused(file, message, error.lineno, error.colno) from None
    except (RecursionError, ValueError):
        raise ForeignRefused(file, "this is not JSON that can be read: nested too deep") from None


def mapping(value: object) -> Mapping[str, Any]:
    """Return an object as it is, and an empty one of anything else."""
    return value if isinstance(value, dict) else {}


def listed(value: object) -> list[Any]:
    """Return an array as it is, and an empty one of anything else."""
    return value if isinstance(value, list) else []


def connector(config: object) -> Mapping[str, Any]:
    """Return the connector's own configuration, out of what the platform wraps round it."""
    found = mapping(config)
    for name in ("Modbus", "modbus", "configurationJson"):
        found = mapping(found[name]) if name in found else found
    return found


def slaves_of(config: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every slave with its place; in the older format they share their server's keys."""
    for number, one in enumerate(listed(mapping(config.get("master")).get("slaves")), 1):
        yield f"slaves[{number}]", mapping(one)
    server = mapping(config.get("server"))
    for number, one in enumerate(listed(server.get("devices")), 1):
        yield f"devices[{number}]", {**server, **mapping(one)}


class Slave:
    """One device of a connector."""

    def __init__(
        self, gathering: Gathering, source: str, place: str, given: Mapping[str, Any]
    ) -> None:
        self.gathering = gathering
        self.given = given
        self.place = place
        self.source = source
        name = given.get("deviceName")
        self.name = name if isinstance(name, str) else ""

    def say(self, message: str) -> None:
        """Say something of this slave."""
        self.gathering.remarks.say(self.place, message)

    def read(self) -> None:
        """Gather its points."""
        url = self.url()
        unit = self.given.get("unitId", 1)
        if url is None:
            return
        if not isinstance(unit, int) or not 0 <= unit <= 255:
            self.say("its unitId is no number from 0 to 255: left out")
            return
        server = self.gathering.server(self.name or f"unit{unit}", self.source, url, unit)
        self.settle(server)
        for key in LISTS:
            for entry in listed(self.given.get(key)):
                self.take(server, mapping(entry), key)
        for key in WRITES:
            if count := len(listed(self.given.get(key))):
                server.left_out[f"{key}: this gateway writes nothing"] += count

    def url(self) -> str | None:
        """Return the endpoint, or None where this gateway has no such line."""
        given = self.given
        method = str(given.get("method", "socket")).lower()
        kind = str(given.get("type", "tcp")).lower()
        if method == "ascii":
            self.say("Modbus ASCII is not spoken by this gateway: left out")
            return None
        if kind == "serial":
            return self.serial()
        if kind not in {"tcp", "udp", "tls"}:
            self.say(f"type {quoted(kind)} is none that is known: left out")
            return None
        if kind == "tls" or given.get("security"):
            self.say("TLS is not carried over: set `url: tcps://` and `tls` in the device entry")
        scheme = "rtu+tcp" if kind == "tcp" and method == "rtu" else kind.replace("tls", "tcp")
        host = str(given.get("host", "HOST"))
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{given.get('port', 502)}"

    def serial(self) -> str:
        """Return the URL of a serial port."""
        given = self.given
        port = str(given.get("port") or given.get("serialPort") or "/dev/PORT")
        if given.get("bytesize", 8) != 8:
            self.say("bytesize: an RTU line has 8 bits (Serial Line V1.02, §2.5.1)")
        parity = str(given.get("parity", "N"))[:1].upper()
        baud, stop = given.get("baudrate", 19200), given.get("stopbits", 1)
        return f"serial://{port}?baud={baud}&parity={parity}&stop={stop}"

    def settle(self, server: Server) -> None:
        """Carry over what holds for the link."""
        timeout_s = self.given.get("timeout")
        if isinstance(timeout_s, int | float) and timeout_s > 0:
            server.settings["timeout_s"] = float(timeout_s)
            if timeout_s > self.period_s(LISTS[1]):
                server.settings["timeout_s"] = self.period_s(LISTS[1])
                self.say(f"timeout {timeout_s:g} s is longer than its poll period: shortened to it")
        if "LITTLE" in str(self.given.get("byteOrder", "LITTLE")).upper():
            self.say("byteOrder LITTLE swaps the bytes of every register: check one value")

    def period_s(self, key: str) -> float:
        """Return how often a list is read."""
        own = self.given.get(f"{key}PollPeriod", self.given.get("pollPeriod"))
        usable = isinstance(own, int | float) and own > 0
        return float(own if usable and own is not None else DEFAULT_PERIOD_MS) / 1000

    def take(self, server: Server, entry: Mapping[str, Any], key: str) -> None:
        """Gather the points of one entry, or count why it is left out."""
        try:
            for register in self.registers(entry, key):
                self.gathering.add(server, register)
        except LeftOut as left:
            self.gathering.leave_out(server, self.place, entry.get("tag", ""), left)

    def registers(self, entry: Mapping[str, Any], key: str) -> Iterator[Register]:
        """Yield the values of one entry: one, or each bit of an array of them."""
        code = whole(entry.get("functionCode"), 1, 65535, "functionCode")
        if code not in tuple(Table):
            raise LeftOut(f"functionCode {code} reads nothing")
        number = whole(entry.get("address"), 0, 65535, "address")
        made = partial(
            Register,
            table=Table(code),
            period_s=self.period_s(key),
            description=f"{key[:-1] if key == 'attributes' else key} of {self.name}".strip(),
        )
        name = str(entry.get("tag", ""))
        if Table(code) in BIT_TABLES:
            yield from bits(made, name, number, count_of(entry))
        else:
            yield self.register(made, name, number, entry)

    def register(
        self,
        made: Callable[..., Register],
        name: str,
        number: int,
        entry: Mapping[str, Any],
    ) -> Register:
        """Return the value of registers."""
        said, count = str(entry.get("type", "")).lower(), count_of(entry)
        if said in {"bit", "bits"} and entry.get("bit") is not None:
            bit = whole(entry["bit"], 0, 15, "bit")
            return made(name=name, number=number, bit=bit, type="bool")
        if said in {"bit", "bits"} and count == 1:
            return made(name=name, number=number, type="flags16")
        if said == "string":
            return made(name=name, number=number, type=f"string({2 * count})")
        kind = SIZED.get(said)
        if kind is None and said in COUNTED and count in {1, 2, 4}:
            kind = f"{COUNTED[said]}{16 * count}"
        if kind is None:
            raise LeftOut(f"type {quoted(said)} of {count} registers")
        scale = factor(entry.get("multiplier") or 1, entry.get("divider") or 1)
        return made(name=name, number=number, type=kind, order=self.order(entry, kind), scale=scale)

    def order(self, entry: Mapping[str, Any], kind: str) -> str:
        """Return the order of a value; the connector's own default is LITTLE for both."""
        said = tuple(
            str(entry.get(key) or self.given.get(key) or "LITTLE").upper()
            for key in ("byteOrder", "wordOrder")
        )
        if said not in ORDERS:
            raise LeftOut(f"byteOrder {quoted(said[0])}, wordOrder {quoted(said[1])}")
        four, eight = ORDERS[said[0], said[1]]
        if kind.endswith(("_high", "_low")):
            return ""
        if kind.endswith("16"):
            return "BADC" if said[0] == "LITTLE" else ""
        wanted = eight if kind in WIDE else four
        return "" if wanted in {"ABCD", "ABCDEFGH"} else wanted


def count_of(entry: Mapping[str, Any]) -> int:
    """Return how many registers or bits an entry reads."""
    names = ("objectsCount", "registersCount", "registerCount")
    said = next((entry[name] for name in names if name in entry), 1)
    return whole(said, 1, 2000, "objectsCount")


def bits(made: Callable[..., Register], name: str, number: int, count: int) -> Iterator[Register]:
    """Yield neighbouring bits, numbered where there are several."""
    for bit in range(count):
        yield made(name=name if count == 1 else f"{name}_{bit}", number=number + bit, type="bool")
