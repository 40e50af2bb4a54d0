"""How a value stands in Modbus registers and bits, written from the point map's columns.

This is the simulator's own reading of the map, made apart from the driver's, so that a mistake
in either shows as a wrong number.
"""

import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from otgate.errors import Refused
from otgate.model import Kind, Point


class Table(StrEnum):
    """The four tables of a Modbus server, as a point map spells them."""

    COIL = "co"
    DISCRETE = "di"
    HOLDING = "hr"
    INPUT = "ir"

    @property
    def is_bits(self) -> bool:
        """Whether an address of the table is a bit."""
        return self in {Table.COIL, Table.DISCRETE}


NOTATION = {"0": Table.COIL, "1": Table.DISCRETE, "3": Table.INPUT, "4": Table.HOLDING}
"""First digit of an address in 40001 notation."""
ADDRESS = re.compile(r"([a-z]{2})?\s*(0x[0-9a-f]+|\d+)(?:\.(\d+))?(?:\s*-\s*(\d+))?")
LIST = re.compile(r"([a-z]{2})?\s*(?:0x[0-9a-f]+|\d+)(?:\s*\+\s*(?:0x[0-9a-f]+|\d+))+")
TYPE = re.compile(r"([a-z]+?)(\d*)(?:_(high|low))?(?:\((\d+)\))?")
WHOLE = 0xFFFF
TEXTS = {"string": "utf-8", "latin": "latin-1", "chars": "utf-16-be"}
FLOATS = {16: ">e", 32: ">f", 64: ">d"}
WRAPS = frozenset({Kind.COUNTER})
"""Kinds whose value starts again at zero when the type is full; others stay at its end."""

Number = float | int | bool
Value = Number | str


@dataclass(frozen=True, slots=True)
class Place:
    """The addresses of a point in one table, and which bits of each are its own."""

    table: Table
    addresses: tuple[int, ...]
    mask: int = WHOLE

    def merged(self, held: int, word: int) -> int:
        """Put the point's bits of ``word`` into what the address holds."""
        return (held & ~self.mask) | (word & self.mask)


@dataclass(frozen=True, slots=True)
class Slot:
    """One point on the wire: where, and how a value becomes its words or bits."""

    place: Place
    words: Callable[[Value], list[int]]


@dataclass(frozen=True, slots=True)
class Address:
    """What an address cell says: table, number from 0, bits of a register, last of a range."""

    table: Table
    number: int
    bit: int | None
    last: int | None
    listed: tuple[int, ...] = ()
    """Every register of the value, where each is named."""


def slot_of(point: Point, base: int, default_order: str) -> Slot:
    """Return how ``point`` stands on the wire of a device with this base and order.

    Raises:
        Refused: its address or type is not one that the simulator knows.
    """
    address = read_address(point.address, base)
    if address.table.is_bits:
        return bits_slot(point, address)
    if address.bit is not None:
        return register_bits_slot(point, address)
    raw_words = words_of(point, point.type or ("enum" if point.states else "u16"))
    count = len(raw_words(0 if not is_text(point) else ""))
    order = arranged(order_of(point, default_order), count)
    addresses = address.listed or tuple(range(address.number, address.number + count))
    mask = half_mask(point.type)
    return Slot(Place(address.table, addresses, mask), lambda value: order(raw_words(value)))


def read_address(text: str, base: int) -> Address:
    """Read an address such as ``hr 100``, ``di 3-4``, ``hr 100.2-5`` or ``40101``.

    Raises:
        Refused: it is none.
    """
    if LIST.fullmatch(text.strip().lower()):
        return read_list(text, base)
    found = ADDRESS.fullmatch(text.strip().lower())
    if found is None:
        raise Refused(f"the simulator cannot read the address `{text}`")
    named, digits, bit, last = found.groups()
    written = int(digits, 16 if digits.startswith("0x") else 10)
    if base == 40001:
        table, number = NOTATION[digits[0]], int(digits[1:]) - 1
    elif named is None:
        raise Refused(f"the address `{text}` names no table")
    else:
        table, number = Table(named), written - base
    behind = None if last is None else int(last)
    if behind is not None and table.is_bits:
        behind -= written - number
    return Address(table, number, None if bit is None else int(bit), behind)


def read_list(text: str, base: int) -> Address:
    """Read an address such as ``hr 100+150``, whose table is named once."""
    first, *others = text.split("+")
    address = read_address(first, base)
    named = "" if base == 40001 else str(address.table)
    numbers = [read_address(f"{named} {other}", base).number for other in others]
    return Address(address.table, address.number, None, None, (address.number, *numbers))


def bits_slot(point: Point, address: Address) -> Slot:
    """Return the slot of a point in a bit table: one bit, or a few with the lowest first."""
    final = address.number if address.last is None else address.last
    addresses = tuple(range(address.number, final + 1))
    flip = point.invert

    def bits(value: Value) -> list[int]:
        raw = int(value) ^ flip
        return [raw >> position & 1 for position in range(len(addresses))]

    return Slot(Place(address.table, addresses, 1), bits)


def register_bits_slot(point: Point, address: Address) -> Slot:
    """Return the slot of a point in some bits of one register."""
    first = address.bit or 0
    width = 1 if address.last is None else address.last - first + 1
    flip = point.invert
    place = Place(address.table, (address.number,), ((1 << width) - 1) << first)
    return Slot(place, lambda value: [(int(value) ^ flip) << first])


def is_text(point: Point) -> bool:
    """Whether the point's registers hold characters."""
    return point.type.startswith(("string", "latin1", "chars"))


def half_mask(type_name: str) -> int:
    """Return which bits of a register a type of one byte has."""
    if type_name.endswith("_high"):
        return 0xFF00
    return 0x00FF if type_name.endswith("_low") else WHOLE


def highest_of(type_name: str) -> float:
    """Return the greatest number that a type holds, at least its usual one."""
    found = TYPE.fullmatch((type_name or "u16").lower().split(" ")[0])
    form, digits = (found[1], found[2]) if found else ("u", "")
    if form in {"bcd", "mod"}:
        return 9999.0
    bits = 8 if found and found[3] else int(digits or 16)
    return float(2 ** (bits - (form == "i")) - 2)


def words_of(point: Point, type_name: str) -> Callable[[Value], list[int]]:
    """Return how a value becomes words, most significant first.

    Raises:
        Refused: the type is not one that the simulator knows.
    """
    found = TYPE.fullmatch(type_name.lower().split(" ")[0])
    if found is None:
        raise Refused(f"the simulator does not know the type `{type_name}`")
    form, digits, half, argument = found.groups()
    bits = int(digits or 16)
    match form:
        case "u" | "i" | "enum" | "flags" | "time":
            size = 8 if half else bits
            lowest = -(1 << size - 1) if form == "i" else 0
            return integers(point, size, lowest, 8 if half == "high" else 0)
        case "f":
            return floats(point, bits)
        case "bcd":
            return decimals(point, bits // 16, lambda group: int(str(group), 16))
        case "mod":
            return decimals(point, int(argument or 2), lambda group: group)
        case "cp":
            return stamp
        case "string" | "latin" | "chars":
            return text(int(argument or 16), TEXTS[form])
        case _:
            raise Refused(f"the simulator does not know the type `{type_name}`")


def raw_of(point: Point, value: Value) -> float:
    """Return the raw number that stands for a value in engineering units."""
    number = float(value) if not isinstance(value, str) else 0.0
    ends = (point.raw_lo, point.raw_hi, point.eu_lo, point.eu_hi)
    if None in ends:
        return (number - point.offset) / (point.scale * point.ratio)
    raw_lo, raw_hi, eu_lo, eu_hi = (end for end in ends if end is not None)
    return raw_lo + (number - eu_lo) * (raw_hi - raw_lo) / (eu_hi - eu_lo)


def fitted(point: Point, value: Value, lowest: int, highest: int) -> int:
    """Return the nearest raw integer that fits; a counter that is full starts again."""
    raw = value if type(value) is int and unscaled(point) else round(raw_of(point, value))
    if point.kind in WRAPS:
        return raw % modulus_of(point, highest + 1)
    if point.raw_lo is not None and point.raw_hi is not None:
        low, high = sorted((point.raw_lo, point.raw_hi))
        lowest, highest = max(lowest, round(low)), min(highest, round(high))
    return min(highest, max(lowest, raw))


def modulus_of(point: Point, full: int) -> int:
    """Return what a counter counts to: what its rollover says, else all that its type holds."""
    base, _, power = point.rollover.partition("^")
    return int(base) ** int(power or 1) if base.strip().isdecimal() else full


def unscaled(point: Point) -> bool:
    """Whether raw numbers are engineering units."""
    return (point.scale, point.offset, point.ratio) == (1.0, 0.0, 1.0) and point.raw_lo is None


def integers(point: Point, bits: int, lowest: int, shift: int) -> Callable[[Value], list[int]]:
    """Spell a value as an integer of ``bits``, two's complement, in its byte of a register."""
    highest = lowest + (1 << bits) - 1
    width = max(16, bits)

    def words(value: Value) -> list[int]:
        raw = fitted(point, value, lowest, highest) & ((1 << bits) - 1)
        return split(raw << shift, width)

    return words


def floats(point: Point, bits: int) -> Callable[[Value], list[int]]:
    """Spell a value as an IEEE 754 number."""
    packed = struct.Struct(FLOATS[bits])
    return lambda value: split(int.from_bytes(packed.pack(raw_of(point, value))), bits)


def decimals(
    point: Point, groups: int, spell: Callable[[int], int]
) -> Callable[[Value], list[int]]:
    """Spell a value four decimal digits to a word: as nibbles (BCD) or as a number (modulus)."""
    highest = 10_000**groups - 1

    def words(value: Value) -> list[int]:
        raw = fitted(point, value, 0, highest)
        return [spell(raw // 10_000**at % 10_000) for at in reversed(range(groups))]

    return words


def stamp(value: Value) -> list[int]:
    """Spell milliseconds since 1970, in UTC: year, month and day, hour and minute, the rest."""
    ms = int(value)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    return [
        moment.year - 2000,
        moment.month << 8 | moment.day,
        moment.hour << 8 | moment.minute,
        ms % 60_000,
    ]


def text(size: int, codec: str) -> Callable[[Value], list[int]]:
    """Spell characters two in a register, or one in UTF-16, the rest filled with NUL."""
    size *= 2 if codec == "utf-16-be" else 1
    even = size + size % 2

    def words(value: Value) -> list[int]:
        spelled = str(value).encode(codec, "replace")[:size].ljust(even, b"\0")
        return split(int.from_bytes(spelled), 8 * even)

    return words


def split(raw: int, bits: int) -> list[int]:
    """Cut an unsigned number into words, most significant first."""
    return [raw >> at & WHOLE for at in reversed(range(0, bits, 16))]


def arranged(order: str, count: int) -> Callable[[list[int]], list[int]]:
    """Return how ``count`` words, most significant first, lie on the wire.

    The letters of an order name a value's bytes from the most significant one (A), in the order
    of the wire; of 16 bits only whether they are swapped counts.
    """
    letters = spread(order, 2 * count)
    swap = letters[0] > letters[1]
    sources = [min(letters[at : at + 2]) // 2 for at in range(0, len(letters), 2)]
    if not swap and sources == sorted(sources):
        return lambda words: words

    def on_the_wire(words: Sequence[int]) -> list[int]:
        placed = [words[source] for source in sources]
        return [word >> 8 | (word & 0xFF) << 8 for word in placed] if swap else placed

    return on_the_wire


def order_of(point: Point, default_order: str) -> str:
    """Return the order that holds for a point's type.

    The registers of a text stay in order and only its characters may be swapped; a type of one
    byte says by its name which byte of the register it is.
    """
    named = point.order.strip().upper() or default_order
    if half_mask(point.type) != WHOLE:
        return "AB"
    if is_text(point):
        return "BA" if spread(named, 2)[0] else "AB"
    return named


def spread(order: str, size: int) -> list[int]:
    """Return, for each byte on the wire, which byte of the value it is."""
    letters = [ord(letter) - ord("A") for letter in order]
    if len(letters) == size:
        return letters
    swap = letters[0] % 2
    reverse = len(letters) > 2 and min(letters[:2]) > 0
    pairs = range(0, size, 2)
    wire = reversed(pairs) if reverse else pairs
    return [pair + (byte ^ swap) for pair in wire for byte in (0, 1)]
