"""What each answer that is not data means: for its points, and for the poll.

Exception codes are those of Modbus Application Protocol V1.1b3 §7.
"""

from enum import Enum, auto
from typing import NamedTuple

from otgate.quality import Quality
from otgate_modbus.codec import Answer, Missing


class Course(Enum):
    """What the poll does next."""

    GO_ON = auto()
    SPLIT = auto()
    """Find the points that the device refuses."""
    GIVE_UP = auto()
    """The unit is away or busy; further requests would fare no better."""


class Verdict(NamedTuple):
    """One row of the table. ``quality`` is that of the points which the request was for."""

    course: Course
    quality: Quality
    text: str


GONE = Quality.INVALID | Quality.NO_VALUE
FAILED = GONE | Quality.FAILURE
REFUSED = GONE | Quality.ILLEGAL_ADDRESS
UNSUPPORTED = GONE | Quality.NOT_IMPLEMENTED

ANSWERED = Verdict(Course.GO_ON, Quality.GOOD, "answered")
EXCEPTIONS = {
    0x01: Verdict(Course.GO_ON, UNSUPPORTED, "does not support the function (exception 1)"),
    0x02: Verdict(Course.SPLIT, REFUSED, "refuses the address (exception 2)"),
    0x03: Verdict(Course.SPLIT, REFUSED, "refuses the quantity (exception 3)"),
    0x04: Verdict(Course.GO_ON, FAILED, "reports a failure (exception 4)"),
    0x05: Verdict(Course.GIVE_UP, FAILED, "is still working (exception 5)"),
    0x06: Verdict(Course.GIVE_UP, FAILED, "is busy (exception 6)"),
    0x08: Verdict(Course.GO_ON, FAILED, "reports a memory parity error (exception 8)"),
    0x0A: Verdict(Course.GIVE_UP, FAILED, "is not reachable through its gateway (exception 10)"),
    0x0B: Verdict(Course.GIVE_UP, FAILED, "does not answer its gateway (exception 11)"),
}
MISSING = {
    Missing.NOT_ASKED: Verdict(Course.GO_ON, FAILED, "was not asked in time"),
    Missing.SILENT: Verdict(Course.GO_ON, FAILED, "did not answer"),
    Missing.MISMATCHED: Verdict(Course.GO_ON, FAILED, "answered something else"),
}


def verdict(answer: Answer) -> Verdict:
    """Look up what an answer means; an exception that the standard lacks is a failure."""
    if isinstance(answer, bytes):
        return ANSWERED
    if isinstance(answer, Missing):
        return MISSING[answer]
    unheard_of = Verdict(Course.GO_ON, FAILED, f"answers with exception {answer}")
    return EXCEPTIONS.get(answer, unheard_of)


STOPPING = frozenset(code for code, found in EXCEPTIONS.items() if found.course is Course.GIVE_UP)
"""Exception codes after which an exchange sends nothing more."""

REFUSALS = frozenset(code for code, found in EXCEPTIONS.items() if found.course is Course.SPLIT)
"""Exception codes that speak of the address or the quantity alone."""
