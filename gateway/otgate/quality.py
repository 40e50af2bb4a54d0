"""Quality: IEC 61850-7-3 validity and detail bits, with the gateway's own beside them.

One unsigned 32-bit word per sample. The two validity bits are laid out so that a bitwise *or* of
two words is the worse of both: good 00, questionable 01, invalid 11. No code path clears a bit
that another has set, so quality never rises on its way out.
"""

from collections.abc import Iterable
from enum import IntFlag
from functools import lru_cache


class Quality(IntFlag):
    """Validity and detail of one sample (IEC 61850-7-3, type Quality) and gateway bits."""

    GOOD = 0
    QUESTIONABLE = 1 << 0
    INVALID = 0b11
    OVERFLOW = 1 << 2
    OUT_OF_RANGE = 1 << 3
    BAD_REFERENCE = 1 << 4
    OSCILLATORY = 1 << 5
    FAILURE = 1 << 6
    OLD_DATA = 1 << 7
    INCONSISTENT = 1 << 8
    INACCURATE = 1 << 9
    SUBSTITUTED = 1 << 10
    TEST = 1 << 11
    OPERATOR_BLOCKED = 1 << 12
    NO_VALUE = 1 << 16
    COMM_LOST = 1 << 17
    STALE = 1 << 18
    RESTART = 1 << 19
    NOT_YET_READ = 1 << 20
    ILLEGAL_ADDRESS = 1 << 21
    NOT_IMPLEMENTED = 1 << 22
    SOURCE_TIME_UNKNOWN = 1 << 23
    CLOCK_UNSYNCHRONISED = 1 << 24


VALIDITY_MASK = 0b11
"""The two bits that hold validity."""

VALIDITY_NAMES = {0b00: "good", 0b01: "questionable", 0b10: "invalid", 0b11: "invalid"}
DETAILS = tuple((1 << bit, Quality(1 << bit).name or "") for bit in (*range(2, 13), *range(16, 25)))
BY_NAME = {
    "good": Quality.GOOD,
    "questionable": Quality.QUESTIONABLE,
    "invalid": Quality.INVALID,
    **{name.lower(): Quality(bit) for bit, name in DETAILS},
}


@lru_cache(maxsize=4096)
def names(quality: int) -> tuple[str, ...]:
    """Spell ``quality`` as its validity followed by its details, as payloads carry it."""
    validity = VALIDITY_NAMES[quality & VALIDITY_MASK]
    return (validity, *(name.lower() for bit, name in DETAILS if quality & bit))


def from_names(spelled: Iterable[str]) -> Quality:
    """Read what `names` wrote.

    Raises:
        KeyError: a word is not a quality.
    """
    quality = Quality.GOOD
    for word in spelled:
        quality |= BY_NAME[word]
    return quality
