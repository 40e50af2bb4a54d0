"""Quality and double points, which IEC 61850-8-1 packs into bit strings."""

from enum import IntEnum, IntFlag

from otgate_iec61850.mms.errors import Malformed
from otgate_iec61850.mms.values import Bits

QUALITY_BITS = 13


class Validity(IntEnum):
    """The first two bits of a quality, as a number of which the first is the higher."""

    GOOD = 0
    INVALID = 1
    RESERVED = 2
    QUESTIONABLE = 3


class Quality(IntFlag):
    """The other bits of a quality: IEC 61850-7-3, Quality; packed by IEC 61850-8-1."""

    OVERFLOW = 1 << 10
    OUT_OF_RANGE = 1 << 9
    BAD_REFERENCE = 1 << 8
    OSCILLATORY = 1 << 7
    FAILURE = 1 << 6
    OLD_DATA = 1 << 5
    INCONSISTENT = 1 << 4
    INACCURATE = 1 << 3
    SUBSTITUTED = 1 << 2
    TEST = 1 << 1
    OPERATOR_BLOCKED = 1 << 0


DETAIL = 0x7FF


def quality_word(value: object) -> int:
    """Return the 13 bits of a quality as a number, bit 0 the highest: `validity`, `Quality`.

    A shorter string (Edition 1 devices leave off bits at the end) has zeros there.

    Raises:
        Malformed: it is no quality.
    """
    if not isinstance(value, Bits) or not 2 <= value.size <= 16:
        raise Malformed("a quality that is no bit string of 13")
    shift = QUALITY_BITS - value.size
    return value.value << shift if shift >= 0 else value.value >> -shift


def validity(word: int) -> Validity:
    """Return the validity of a quality word."""
    return Validity(word >> 11 & 3)


def quality_bits(valid: Validity, detail: int = 0) -> Bits:
    """Return a quality as its bit string."""
    return Bits(QUALITY_BITS, valid << 11 | detail & DETAIL)


class Dbpos(IntEnum):
    """A double point, two bits: IEC 61850-7-3."""

    INTERMEDIATE = 0
    OFF = 1
    ON = 2
    BAD = 3


def dbpos(value: object) -> Dbpos:
    """Return a double point's state.

    Raises:
        Malformed: it is none.
    """
    if not isinstance(value, Bits) or value.size != 2:
        raise Malformed("a double point that is no bit string of 2")
    return Dbpos(value.value)


def dbpos_bits(state: Dbpos) -> Bits:
    """Return a double point's state as its bit string."""
    return Bits(2, int(state))
