"""Where a point lies in a Modbus server: table, number, and bits.

Written ``hr 100``, ``ir 5``, ``co 3``, ``di 4``; bit 3 of a register is ``hr 100.3``, a range of
bits ``hr 100.3-5`` or ``di 4-5``. With ``base: 40001`` the number says the table: ``40101``.
"""

import re
from enum import IntEnum
from typing import NamedTuple

from otgate.cell import BadCell


class Table(IntEnum):
    """The four tables, by the function code that reads them (V1.1b3 §4.3, §6.1 to §6.4)."""

    CO = 1
    DI = 2
    HR = 3
    IR = 4


SPELLED = {Table.CO: "co", Table.DI: "di", Table.HR: "hr", Table.IR: "ir"}
BIT_TABLES = frozenset({Table.CO, Table.DI})
TABLES = {spelled: table for table, spelled in SPELLED.items()}
DIGITS = {"0": Table.CO, "1": Table.DI, "3": Table.IR, "4": Table.HR}
LEADING = {table: digit for digit, table in DIGITS.items()}
"""First digit of 40001 notation."""

ADDRESSES = 65536
"""Addresses of one table: V1.1b3 §4.4."""

REGISTER_BITS = 16
MAX_COIL_RANGE = 8
SYNTAX = re.compile(
    r"(?P<table>[a-z]+)?\s*(?P<number>0x[0-9a-f]+|[0-9]+)"
    r"(?:\.(?P<bit>[0-9]{1,2}))?(?:\s*-\s*(?P<last>[0-9]+))?"
)
NUMBER = re.compile(r"0x[0-9a-f]+|[0-9]+")
APART = re.compile(r"(?P<first>[^+]+)(?P<others>(?:\+\s*(?:0x[0-9a-f]+|[0-9]+)\s*)+)")
HELP = "write a table and a number: `hr 100`, `ir 5`, `co 3`, `di 4`, one bit as `hr 100.3`"


class Address(NamedTuple):
    """A place as the request names it. ``bits`` is None for whole registers."""

    table: Table
    number: int
    bits: tuple[int, int] | None
    """First bit within the register (0 in a bit table), and how many."""
    others: tuple[int, ...] = ()
    """The registers behind the first, where each is named for itself."""


class Stretch(NamedTuple):
    """Addresses ``start`` to ``stop``, exclusive, of one table."""

    table: Table
    start: int
    stop: int


def read_address(text: str, base: int) -> Address:
    """Read a point's address as its map writes it, in notation ``base``.

    Raises:
        BadCell: bad-address or address-out-of-range.
    """
    if "+" in text:
        return _apart(text, base)
    found = SYNTAX.fullmatch(text.strip().lower())
    if found is None:
        raise _bad(f"`{text}` is no Modbus address", HELP)
    spelled, number, bit, last = found.groups()
    table, start = _place(text, spelled, number, base)
    if table in BIT_TABLES:
        return Address(table, start, (0, _coils(text, table, start, bit, number, last)))
    return Address(table, start, _register_bits(text, bit, last))


def read_register(text: str, base: int, column: str, help_text: str) -> Address:
    """Read the address of one whole register, named in another ``column`` than the point's own.

    Raises:
        BadCell: it is none.
    """
    try:
        address = read_address(text, base)
    except BadCell as bad:
        raise BadCell(bad.code, column, bad.message, help_text) from None
    if address.bits is not None or address.others:
        raise BadCell("bad-address", column, f"`{text}` is not one whole register", help_text)
    return address


def read_stretch(text: str, base: int) -> Stretch:
    """Read a range of addresses such as ``hr 0-99``, both ends included.

    Raises:
        BadCell: it is none.
    """
    found = SYNTAX.fullmatch(text.strip().lower())
    if found is None or found["bit"] is not None:
        raise _bad(f"`{text}` is no range of addresses", "write `hr 0-99`")
    table, start = _place(text, found["table"], found["number"], base)
    stop = start if found["last"] is None else _place(text, SPELLED[table], found["last"], base)[1]
    if stop < start:
        raise _bad(f"`{text}` ends before it begins", "write the lower address first")
    return Stretch(table, start, stop + 1)


def moved(text: str, by: int) -> str:
    """Return an address with its numbers ``by`` further on; bits of a register stay.

    Raises:
        BadCell: in 40001 notation it would be in another table.
    """
    place, dot, bits = text.strip().lower().partition(".")
    spelled = re.match(r"[a-z]*", place)
    table = spelled[0] if spelled else ""
    numbers = NUMBER.sub(lambda found: _further(found[0], by, table), place[len(table) :])
    return f"{table}{numbers}{dot}{bits}"


def _further(number: str, by: int, table: str) -> str:
    """Return one number further on, as wide as it was; 40001 notation stays within its table."""
    if number.startswith("0x"):
        return str(int(number, 16) + by)
    further = f"{int(number) + by:0{len(number)}d}"
    if not table and (len(further) > len(number) or further[0] != number[0]):
        message = f"`{number}` moved on by {by} is in another table"
        raise BadCell("address-out-of-range", "address", message, "six digits have more room")
    return further


def written(table: Table, number: int, base: int) -> str:
    """Spell an address of the protocol in the notation of the point map."""
    if base == 40001:
        width = 4 if number < 9999 else 5
        return f"{LEADING[table]}{number + 1:0{width}d}"
    return f"{SPELLED[table]} {number + base}"


def _apart(text: str, base: int) -> Address:
    found = APART.fullmatch(text.strip().lower())
    if found is None:
        raise _bad(f"`{text}` is no list of registers", HELP_APART)
    first = read_address(found["first"], base)
    if first.bits is not None:
        raise _bad(f"`{text}` joins bits", f"only whole registers are joined; {HELP_APART}")
    table = SPELLED[first.table]
    numbers = [number.strip() for number in found["others"].split("+")[1:]]
    others = tuple(_place(text, table, number, base)[1] for number in numbers)
    if len({first.number, *others}) <= len(others):
        raise _bad(f"`{text}` names a register twice", HELP_APART)
    return first._replace(others=others)


HELP_APART = "name the table once and every register of the value, as in `hr 100+150`"


def _place(text: str, spelled: str | None, number: str, base: int) -> tuple[Table, int]:
    if spelled is not None and spelled not in TABLES:
        raise _bad(f"`{spelled}` is no table of a Modbus server", HELP)
    table = None if spelled is None else TABLES[spelled]
    if base == 40001:
        return _notation(text, table, number)
    if table is None:
        raise _bad(
            f"`{text}` does not say which table",
            f"write `hr {number}`, or set `modbus.base: 40001` if the map uses that notation",
        )
    return table, _within(text, int(number, 0 if number.startswith("0x") else 10) - base, base)


def _notation(text: str, table: Table | None, number: str) -> tuple[Table, int]:
    if len(number) not in {5, 6} or number.startswith("0x"):
        raise _bad(
            f"`{text}` is not in 40001 notation, which `modbus.base` asks for",
            "write five or six digits, as in 40101 or 400101, or set `modbus.base` to 0 or 1",
        )
    said = DIGITS.get(number[0])
    if said is None or (table is not None and table is not said):
        raise _bad(f"`{text}` contradicts itself: the first digit names the table", HELP_DIGITS)
    return said, _within(text, int(number[1:]) - 1, 1)


HELP_DIGITS = "0 is coils, 1 discrete inputs, 3 input registers, 4 holding registers"


def _within(text: str, number: int, base: int) -> int:
    if 0 <= number < ADDRESSES:
        return number
    raise BadCell(
        "address-out-of-range",
        "address",
        f"`{text}` is outside the addresses of a Modbus server",
        f"with this base the numbers run from {min(base, 1)} to {ADDRESSES - 1 + min(base, 1)}",
    )


def _coils(
    text: str, table: Table, start: int, bit: str | None, number: str, last: str | None
) -> int:
    if bit is not None:
        raise _bad(f"`{text}` asks for a bit of a bit", f"write `{SPELLED[table]} {number}`")
    if last is None:
        return 1
    count = int(last) - int(number, 0 if number.startswith("0x") else 10) + 1
    if not 2 <= count <= MAX_COIL_RANGE:
        raise _bad(f"`{text}` is no range of 2 to {MAX_COIL_RANGE} bits", "write `di 4-5`")
    _within(text, start + count - 1, 0)
    return count


def _register_bits(text: str, bit: str | None, last: str | None) -> tuple[int, int] | None:
    if bit is None:
        if last is not None:
            raise _bad(
                f"`{text}` is a range of registers",
                "write the first register; the type says how many it takes",
            )
        return None
    first, final = int(bit), int(bit if last is None else last)
    if first <= final < REGISTER_BITS and (last is None or first < final):
        return first, final - first + 1
    raise _bad(f"`{text}` names bits that a register lacks", "bits run from 0 to 15, low to high")


def _bad(message: str, help_text: str) -> BadCell:
    return BadCell("bad-address", "address", message, help_text)
