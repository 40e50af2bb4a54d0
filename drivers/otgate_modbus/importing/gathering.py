"""Points gathered by server and unit, and what of each server's settings can be carried over."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, DivisionByZero, InvalidOperation
from typing import Any

from otgate.cell import BadCell
from otgate.errors import Mistakes, Refused
from otgate.foreign.names import Ids, one_line, plain, prose, quoted
from otgate.importer import ImportedDevice, Remark
from otgate.model import Kind, Point
from otgate_modbus.address import SPELLED, Table, read_address
from otgate_modbus.encoding import read_type
from otgate_modbus.settings import settings_of

MAX_POINTS = 50_000
MOST_REMARKS = 1000
MIN_PERIOD_S, MAX_PERIOD_S = 0.01, 86_400.0
"""What a scan class may repeat at: the site file's bounds."""

PLACEHOLDER = "tcp://HOST"
"""A url in which somebody has to write the host."""


class Remarks:
    """What is said of an import, each sentence of a place once."""

    def __init__(self) -> None:
        self._said: dict[Remark, None] = {}
        self._more = 0

    def say(self, place: str, text: str) -> None:
        """Add a remark; those beyond the first thousand are counted."""
        if len(self._said) < MOST_REMARKS:
            self._said[Remark(text, place=place)] = None
        else:
            self._more += 1

    def __iter__(self) -> Iterator[Remark]:
        yield from self._said
        if self._more:
            yield Remark(f"{self._more:,} more remarks are not listed")


class LeftOut(Exception):
    """One point cannot be carried over; the text says why, the same for all of its sort."""


@dataclass(frozen=True, slots=True)
class Register:
    """One value as another tool describes it, in our words."""

    name: str
    table: Table
    number: int
    """Address of the protocol, from 0."""
    type: str = ""
    order: str = ""
    scale: float = 1.0
    offset: float = 0.0
    bit: int | None = None
    others: tuple[int, ...] = ()
    period_s: float = 1.0
    description: str = ""
    external_id: str = ""
    scan: str = ""
    """Name of its scan class, where the other tool has one; else it is named by its period."""


@dataclass(slots=True)
class Server:
    """One unit of one endpoint, and what was gathered of it."""

    name: str
    source: str
    url: str
    unit: int
    settings: dict[str, Any] = field(default_factory=dict)
    registers: list[Register] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


class Gathering:
    """Every server of an import, in the order in which they were first named."""

    def __init__(self) -> None:
        self.servers: dict[tuple[str, int], Server] = {}
        self.remarks = Remarks()
        self.count = 0

    def server(self, name: str, source: str, url: str, unit: int) -> Server:
        """Return the server of an endpoint and unit, new or as it is."""
        return self.servers.setdefault((url, unit), Server(name, source, url, unit))

    def add(self, server: Server, register: Register) -> None:
        """Keep a value.

        Raises:
            LeftOut: it lies where no server has anything, or its type is none of ours.
            Refused: there are more than any import has.
        """
        self.count += 1
        if self.count > MAX_POINTS:
            raise Refused(f"more than {MAX_POINTS:,} points: split the file")
        try:
            read_address(address_of(register), 0)
            if register.type:
                read_type(register.type)
        except BadCell as bad:
            raise LeftOut(bad.message) from None
        server.registers.append(register)

    def leave_out(self, server: Server, place: str, name: object, why: LeftOut) -> None:
        """Count a value that is not carried over, and name it."""
        server.left_out[str(why)] += 1
        self.remarks.say(place, f"{quoted(str(name))} is left out: {why}")

    def devices(self) -> Iterator[ImportedDevice]:
        """Yield a device for each server that has points."""
        ids = Ids()
        for server in self.servers.values():
            if not server.registers:
                why = ", ".join(server.left_out) or "it has none"
                self.remarks.say("", f"{quoted(server.name)}: no point was carried over: {why}")
                continue
            yield self.device(server, ids.give(server.name or f"unit{server.unit}"))

    def device(self, server: Server, device_id: str) -> ImportedDevice:
        """Return one server as a device."""
        scans = scans_of(server.registers)
        return ImportedDevice(
            id=device_id,
            driver="modbus",
            source=server.source,
            settings=self.settled(server),
            files={},
            scans=dict(scans.values()),
            points=points_of(server.registers, scans),
            left_out=dict(server.left_out),
        )

    def settled(self, server: Server) -> dict[str, Any]:
        """Return the driver's block, without the settings that it would not take."""
        block = {"url": server.url, "unit": server.unit, "base": 0}
        try:
            settings_of(block)
        except Mistakes as wrong:
            where = quoted(server.name)
            self.remarks.say("", f"{where}: {wrong}; replace `url: {PLACEHOLDER}` in its entry")
            block["url"] = PLACEHOLDER
        for key, value in server.settings.items():
            try:
                settings_of({**block, "url": "tcp://localhost", key: value})
            except Mistakes as wrong:
                self.remarks.say("", f"{quoted(server.name)}: {key} is not carried over: {wrong}")
            else:
                block[key] = value
        return block


def address_of(register: Register) -> str:
    """Spell where a value lies."""
    bit = "" if register.bit is None else f".{register.bit}"
    others = "".join(f"+{number}" for number in register.others)
    return f"{SPELLED[register.table]} {register.number}{bit}{others}"


def scans_of(registers: Iterable[Register]) -> dict[tuple[str, float], tuple[str, float]]:
    """Return name and period of the scan class of each name and period that was asked for."""
    wanted = list(dict.fromkeys((each.scan, each.period_s) for each in registers))
    periods = {period_s for _, period_s in wanted}
    ids = Ids()
    found = {}
    for scan, period_s in wanted:
        named = scan or ("normal" if len(periods) == 1 else f"every_{spelled(period_s)}")
        found[scan, period_s] = (ids.give(named), within(period_s))
    return found


def within(period_s: float) -> float:
    """Return the nearest period that a scan class can have."""
    return min(max(period_s, MIN_PERIOD_S), MAX_PERIOD_S)


def spelled(period_s: float) -> str:
    """Spell a period as a part of an id."""
    return f"{period_s:g}s" if period_s == int(period_s) else f"{1000 * period_s:g}ms"


def points_of(
    registers: Iterable[Register], scans: Mapping[tuple[str, float], tuple[str, float]]
) -> list[Point]:
    """Return the rows of a point map; ids are made of names, each once."""
    ids = Ids()
    return [
        Point(
            id=point_id(ids, each),
            kind=kind_of(each),
            address=address_of(each),
            name=prose(each.name),
            description=prose(each.description),
            type=each.type,
            order=each.order,
            scale=each.scale,
            offset=each.offset,
            scan=scans[each.scan, each.period_s][0],
            external_id=external_id(each),
        )
        for each in registers
    ]


def point_id(ids: Ids, register: Register) -> str:
    """Return an id of a name; of the address where the name has no character for one."""
    return ids.give(register.name if plain(register.name) else address_of(register))


def external_id(register: Register) -> str:
    """Return what the other tool calls it, where an id could not be that."""
    given = one_line(register.external_id or register.name)[:200]
    return "" if given == plain(given) else given


def kind_of(register: Register) -> Kind:
    """Return what a value is to people, as far as its place and type say."""
    if register.table in {Table.CO, Table.DI} or register.bit is not None:
        return Kind.STATUS
    return Kind.TEXT if register.type.startswith(("string", "chars")) else Kind.MEASUREMENT


def factor(multiplier: object, divider: object = 1) -> float:
    """Return a scale from a multiplier and a divider: 1 and 10 are 0.1.

    Raises:
        LeftOut: one of them is no number, or the divider is 0.
    """
    try:
        scale = float(Decimal(str(multiplier)) / Decimal(str(divider)))
    except (DivisionByZero, InvalidOperation, OverflowError):
        raise LeftOut("its scale is no number") from None
    if scale != scale or scale in {float("inf"), float("-inf")}:  # noqa: PLR0124  only NaN is unequal to itself
        raise LeftOut("its scale is no number")
    return scale


def whole(value: object, low: int, high: int, what: str) -> int:
    """Return a whole number within bounds.

    Raises:
        LeftOut: it is none.
    """
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return value
    raise LeftOut(f"its {what} is no number from {low} to {high}")
