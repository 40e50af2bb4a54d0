"""How a point's registers spell its value: the types a point map may name, and byte orders.

A type may be followed by ``na``, what says "not implemented": ``i16 na`` takes the usual word
(0x8000), ``u16 na=0x7FFF`` another, ``u16 na=0x7FFF|0xFFFF`` two. For floats the usual is NaN, for
texts nothing but NUL and spaces.
"""

import re
import struct
from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple

from otgate.cell import BadCell
from otgate.model import ValueType


class Form(Enum):
    """What the raw bytes are."""

    BITS = auto()
    UNSIGNED = auto()
    SIGNED = auto()
    FLOAT = auto()
    BCD = auto()
    MODULUS = auto()
    TEXT = auto()
    STAMP = auto()


class Encoding(NamedTuple):
    """A type of the point map. ``size`` counts bytes."""

    name: str
    form: Form
    size: int
    value_type: ValueType
    scalable: bool = True
    missing: tuple[int, ...] = ()
    """Raw words, unsigned, that stand for "not implemented"."""
    lacking: bool = False
    """Whether NaN, or a text without characters, is "not implemented" as well."""
    half: int = -1
    """Byte of the register for one-byte types: 0 high, 1 low."""
    codec: str = ""
    """How the bytes of a text spell its characters."""

    @property
    def registers(self) -> int:
        """Registers that a value takes."""
        return (self.size + 1) // 2


U64, I64, F64 = ValueType.U64, ValueType.I64, ValueType.F64
KNOWN = {
    encoding.name: encoding
    for encoding in (
        Encoding("bool", Form.BITS, 2, ValueType.BOOL, scalable=False),
        Encoding("bits", Form.BITS, 2, U64),
        *(Encoding(f"u{8 * size}", Form.UNSIGNED, size, U64) for size in (2, 4, 8)),
        *(Encoding(f"i{8 * size}", Form.SIGNED, size, I64) for size in (2, 4, 8)),
        *(Encoding(f"f{8 * size}", Form.FLOAT, size, F64) for size in (2, 4, 8)),
        *(Encoding(f"bcd{8 * size}", Form.BCD, size, U64) for size in (2, 4, 8)),
        *(Encoding(f"enum{8 * size}", Form.UNSIGNED, size, I64, scalable=False) for size in (2, 4)),
        *(
            Encoding(f"flags{8 * size}", Form.UNSIGNED, size, I64, scalable=False)
            for size in (2, 4)
        ),
        Encoding("flags64", Form.UNSIGNED, 8, U64, scalable=False),
        Encoding("time32", Form.UNSIGNED, 4, I64, scalable=False),
        Encoding("time64", Form.SIGNED, 8, I64, scalable=False),
        Encoding("cp56", Form.STAMP, 8, I64, scalable=False),
        Encoding("u8_high", Form.UNSIGNED, 1, U64, half=0),
        Encoding("u8_low", Form.UNSIGNED, 1, U64, half=1),
        Encoding("i8_high", Form.SIGNED, 1, I64, half=0),
        Encoding("i8_low", Form.SIGNED, 1, I64, half=1),
    )
}
ALIASES = {
    "bit": "bool",
    "bcd": "bcd16",
    "enum": "enum16",
    "flags": "flags16",
    "time": "time32",
    "mod10000": "mod10000(2)",
}
"""Short names; ``time32`` is seconds and ``time64`` milliseconds since 1970."""

CODECS = {"string": "utf-8", "latin1": "latin-1", "chars": "utf-16-be"}
"""Texts: two bytes to a register, or in ``chars`` one character to a register."""

MAX_TEXT = 250
"""Bytes in the largest read: 125 registers, V1.1b3 §6.3."""

SYNTAX = re.compile(
    r"(?P<name>[a-z]+[0-9]*(?:_high|_low)?)(?:\((?P<argument>[0-9]{1,3})\))?"
    r"(?:\s+na(?:\s*=\s*(?P<missing>[^\s=]+))?(?P<na>))?"
)
WORD = re.compile(r"-?[0-9]+|0x[0-9a-f]+")
FLOATS = {2: "<e", 4: "<f", 8: "<d"}
HELP = (
    "types are bool bits u8_high u8_low i8_high i8_low u16 i16 u32 i32 u64 i64 f16 f32 f64 "
    "bcd16 bcd32 bcd64 mod10000(2..4) string(n) latin1(n) chars(n) enum16 enum32 flags16 flags32 "
    "flags64 time32 time64 cp56"
)


@lru_cache(maxsize=1024)
def read_type(text: str) -> Encoding:
    """Read the type column of a point.

    Raises:
        BadCell: unknown-type.
    """
    found = SYNTAX.fullmatch(text.strip().lower())
    if found is None:
        raise _unknown(text)
    encoding = _named(text, found["name"], found["argument"])
    if found["na"] is None:
        return encoding
    given = found["missing"]
    words = () if given is None else tuple(_word(text, encoding, one) for one in given.split("|"))
    return _lacking(text, encoding, words)


def _named(text: str, name: str, argument: str | None) -> Encoding:
    spelled = name if argument is None else f"{name}({argument})"
    spelled = ALIASES.get(spelled, spelled)
    if spelled in KNOWN:
        return KNOWN[spelled]
    if spelled.startswith("mod10000(") and spelled[9:-1] in {"2", "3", "4"}:
        return Encoding(spelled, Form.MODULUS, 2 * int(spelled[9:-1]), U64)
    if name in CODECS and argument is not None:
        size = int(argument) * (2 if name == "chars" else 1)
        if 1 <= size <= MAX_TEXT:
            return Encoding(
                spelled, Form.TEXT, size, ValueType.TEXT, scalable=False, codec=CODECS[name]
            )
    raise _unknown(text)


def _unknown(text: str) -> BadCell:
    return BadCell("unknown-type", "type", f"`{text}` is no Modbus point type", HELP)


WITH_WORD = frozenset({Form.UNSIGNED, Form.SIGNED, Form.BCD, Form.FLOAT, Form.STAMP})
"""Forms of which some value may be said to mean "not implemented"."""


def _lacking(text: str, encoding: Encoding, words: tuple[int, ...]) -> Encoding:
    """Return ``encoding`` with what means that there is no value: ``words``, or the usual."""
    if encoding.form is Form.TEXT and not words:
        return encoding._replace(lacking=True)
    if encoding.form not in WITH_WORD:
        help_ = "`na` goes with numbers, codes, flags and times; with texts it takes no value"
        message = f"`{text}`: {encoding.name} has no value that means not implemented"
        raise BadCell("unknown-type", "type", message, help_)
    if words:
        return encoding._replace(missing=words)
    if encoding.form is Form.FLOAT:
        return encoding._replace(lacking=True)
    bits = 8 * encoding.size
    usual = 1 << (bits - 1) if encoding.form is Form.SIGNED else (1 << bits) - 1
    return encoding._replace(missing=(usual,))


def _word(text: str, encoding: Encoding, given: str) -> int:
    """Read a value that means not implemented, as the raw word that spells it."""
    bits = 8 * encoding.size
    if encoding.form is Form.FLOAT:
        return _float_word(text, encoding, given)
    if WORD.fullmatch(given):
        word = int(given, 0 if given.startswith("0x") else 10)
        if -(1 << (bits - 1)) <= word < 1 << bits:
            return word % (1 << bits)
    raise BadCell(
        "unknown-type",
        "type",
        f"`{text}`: {given} does not fit {encoding.name}",
        "write the word that the device sends, as in `na=0x7FFF`; several as `na=0x7FFF|0xFFFF`",
    )


def _float_word(text: str, encoding: Encoding, given: str) -> int:
    try:
        raw = struct.pack(FLOATS[encoding.size], float(given))
    except (ValueError, OverflowError):
        message = f"`{text}`: {given} does not fit {encoding.name}"
        help_ = "write the number that the device sends, as in `na=-9999`"
        raise BadCell("unknown-type", "type", message, help_) from None
    return int.from_bytes(raw, "little")


ORDERS = {
    "ABCD": "ABCDEFGH",
    "BADC": "BADCFEHG",
    "AB": "ABCDEFGH",
    "BA": "BADCFEHG",
    "CDAB": None,
    "DCBA": None,
    "ABCDEFGH": "ABCDEFGH",
    "BADCFEHG": "BADCFEHG",
    "CDABGHEF": "CDABGHEF",
    "DCBAHGFE": "DCBAHGFE",
    "GHEFCDAB": "GHEFCDAB",
    "HGFEDCBA": "HGFEDCBA",
}
"""Orders of eight bytes that each spelling stands for; None where it could be two."""

EIGHT = {"CDAB": "CDABGHEF` or `GHEFCDAB", "DCBA": "DCBAHGFE` or `HGFEDCBA"}
SWAPPED = frozenset({"BADC", "DCBA", "BA", "BADCFEHG", "DCBAHGFE", "HGFEDCBA"})
REVERSED = frozenset({"CDAB", "DCBA", "CDABGHEF", "DCBAHGFE", "GHEFCDAB", "HGFEDCBA"})


@lru_cache(maxsize=1024)
def wire_order(order: str, size: int) -> tuple[int, ...]:
    """Return where on the wire each byte of a value lies, most significant first.

    Raises:
        BadCell: bad-order; 64-bit values under an order that could mean two.
    """
    if order not in ORDERS:
        raise BadCell(
            "bad-order",
            "order",
            f"`{order}` is no byte order",
            "write ABCD, CDAB, BADC or DCBA; for 64 bits one of ABCDEFGH, GHEFCDAB, BADCFEHG, "
            "HGFEDCBA, CDABGHEF, DCBAHGFE",
        )
    if size == 8:
        return _eight(order)
    if len(order) == 8:
        raise BadCell("bad-order", "order", f"`{order}` orders 64 bits, the type has {8 * size}")
    words = range(0, size, 2)
    across = reversed(words) if order in REVERSED else words
    swap = order in SWAPPED
    return tuple(
        byte for word in across for byte in ((word + 1, word) if swap else (word, word + 1))
    )


def _eight(order: str) -> tuple[int, ...]:
    spelled = ORDERS[order]
    if spelled is None:
        raise BadCell(
            "bad-order",
            "order",
            f"`{order}` could mean two orders of 64 bits",
            f"write `{EIGHT[order]}` in the point's order column",
        )
    return tuple(spelled.index(letter) for letter in "ABCDEFGH")
