"""What IEC 61850 says of a value and of its time, as this gateway's quality: one table.

Quality and time quality of IEC 61850-7-3 and -8-1; refusals of ISO 9506-2, DataAccessError.
"""

from functools import lru_cache
from typing import NamedTuple

from otgate.quality import Quality
from otgate_iec61850.mms.errors import AccessError, Malformed
from otgate_iec61850.mms.quality import Quality as Flag
from otgate_iec61850.mms.quality import Validity, quality_word, validity
from otgate_iec61850.mms.values import TimeFlag, UtcTime

GONE = Quality.INVALID | Quality.NO_VALUE

UNSPELLED = int(GONE | Quality.INCONSISTENT)
"""A value that is not of the kind that the point map says."""

BOUNDLESS = int(GONE | Quality.OVERFLOW)
"""Infinity, or an integer that has no room in the column."""

NO_NUMBER = int(GONE | Quality.FAILURE)
BEYOND = int(Quality.QUESTIONABLE | Quality.OUT_OF_RANGE)

MISSED = int(Quality.QUESTIONABLE | Quality.OLD_DATA)
"""Events were lost: the last value may be older than it looks."""

MISSED_UNKNOWN = int(GONE | Quality.OLD_DATA)

VALIDITIES = {
    Validity.GOOD: Quality.GOOD,
    Validity.INVALID: Quality.INVALID,
    Validity.RESERVED: Quality.INVALID,
    Validity.QUESTIONABLE: Quality.QUESTIONABLE,
}

DETAILS = {
    Flag.OVERFLOW: Quality.OVERFLOW,
    Flag.OUT_OF_RANGE: Quality.OUT_OF_RANGE,
    Flag.BAD_REFERENCE: Quality.BAD_REFERENCE,
    Flag.OSCILLATORY: Quality.OSCILLATORY,
    Flag.FAILURE: Quality.FAILURE,
    Flag.OLD_DATA: Quality.OLD_DATA,
    Flag.INCONSISTENT: Quality.INCONSISTENT,
    Flag.INACCURATE: Quality.INACCURATE,
    Flag.SUBSTITUTED: Quality.SUBSTITUTED,
    Flag.TEST: Quality.TEST,
    Flag.OPERATOR_BLOCKED: Quality.OPERATOR_BLOCKED,
}

TIMES = {
    TimeFlag.CLOCK_FAILURE: Quality.CLOCK_UNSYNCHRONISED | Quality.SOURCE_TIME_UNKNOWN,
    TimeFlag.NOT_SYNCHRONISED: Quality.CLOCK_UNSYNCHRONISED,
    TimeFlag.LEAP_SECONDS_KNOWN: Quality.GOOD,
}
"""Whether leap seconds are known says nothing of a stamp; a failed clock's is no time."""

REFUSALS = {
    AccessError.OBJECT_INVALIDATED: GONE | Quality.FAILURE,
    AccessError.HARDWARE_FAULT: GONE | Quality.FAILURE,
    AccessError.TEMPORARILY_UNAVAILABLE: GONE | Quality.FAILURE,
    AccessError.OBJECT_ACCESS_DENIED: GONE | Quality.NOT_IMPLEMENTED,
    AccessError.OBJECT_UNDEFINED: GONE | Quality.ILLEGAL_ADDRESS,
    AccessError.INVALID_ADDRESS: GONE | Quality.ILLEGAL_ADDRESS,
    AccessError.TYPE_UNSUPPORTED: GONE | Quality.NOT_IMPLEMENTED,
    AccessError.TYPE_INCONSISTENT: GONE | Quality.INCONSISTENT,
    AccessError.OBJECT_ATTRIBUTE_INCONSISTENT: GONE | Quality.INCONSISTENT,
    AccessError.OBJECT_ACCESS_UNSUPPORTED: GONE | Quality.NOT_IMPLEMENTED,
    AccessError.OBJECT_NON_EXISTENT: GONE | Quality.ILLEGAL_ADDRESS,
    AccessError.OBJECT_VALUE_INVALID: GONE | Quality.INCONSISTENT,
}


UNKNOWN = int(Quality.SOURCE_TIME_UNKNOWN)


class Stamp(NamedTuple):
    """A device's time of a value; ``ns`` is None where that is no time."""

    ns: int | None
    quality: int = 0


NO_STAMP = Stamp(None, UNKNOWN)


@lru_cache(maxsize=8192)
def quality_of(value: object) -> int:
    """Return what a ``q`` says; what is none is inconsistent."""
    try:
        word = quality_word(value)
    except Malformed:
        return int(Quality.INVALID | Quality.INCONSISTENT)
    found = VALIDITIES[validity(word)]
    for flag, ours in DETAILS.items():
        if word & flag:
            found |= ours
    return int(found)


@lru_cache(maxsize=256)
def time_quality(octet: int) -> int:
    """Return what the quality octet of a ``t`` says."""
    found = Quality.GOOD
    for flag, ours in TIMES.items():
        if octet & flag:
            found |= ours
    return int(found)


@lru_cache(maxsize=8192, typed=True)
def stamp_of(value: object) -> Stamp:
    """Return what a ``t`` says; a clock that failed, or was never set, says no time.

    Members of a report that changed together have one time, and an interrogation repeats it.
    """
    if type(value) is not UtcTime:
        return NO_STAMP
    quality = time_quality(value[7])
    if quality & UNKNOWN:
        return Stamp(None, quality)
    ns = value.ns
    return Stamp(ns, quality) if ns else Stamp(None, quality | UNKNOWN)


def refusal(error: int) -> int:
    """Return the quality of a point that the server refuses with a DataAccessError."""
    known = error in AccessError.__members__.values()
    return int(REFUSALS[AccessError(error)] if known else GONE | Quality.FAILURE)
