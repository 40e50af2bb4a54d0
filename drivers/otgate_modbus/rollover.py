"""Counters that start again at zero when they are full, counted on: exact, and over restarts.

The device's count lies below its modulus; what is sent is that count and every whole modulus it
has passed. A count that falls has rolled over if it has advanced by less than a quarter of its
range since it was last seen; else the device was reset or replaced, and the total begins anew.
ADR 0021.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from otgate.cell import BadCell
from otgate.driver import DeviceState
from otgate.model import Device, Kind, Point, ValueType, Words
from otgate.quality import Quality
from otgate_modbus.encoding import Encoding, Form

Counts = NDArray[np.uint64]

KEY = "rollovers"
PLAUSIBLE = 4
"""A fall is a rollover where the count has advanced by less than this part of its modulus."""

NOTED = 16
"""What is kept on disk lags by less than this part of a modulus, so that a restart can tell too."""

KEEP_EACH_S = 10.0
"""A fast counter does not write more often."""

PASSED = int(Quality.OVERFLOW)
"""A rollover is no fault: as DNP3's flag ROLLOVER, overflow and still good."""

BROKEN = int(Quality.QUESTIONABLE | Quality.INCONSISTENT)
"""As DNP3's flag DISCONTINUITY: not to be compared with the value before."""

IMPOSSIBLE = int(Quality.QUESTIONABLE | Quality.OUT_OF_RANGE)
"""A count beyond its own modulus."""

MODULUS = re.compile(r"([0-9]{1,15})(?:\s*\^\s*([0-9]{1,2}))?")
GREATEST = 1 << 48
"""Of a modulus: what wraps later than that does not wrap, and totals stay far below 2^64."""

DIGITS = {Form.BCD: 2, Form.MODULUS: 2}
"""Decimal digits per byte."""

HELP = "write what it counts to, as in `2^32` or `10^6`, or `full` for all that its type holds"


def read_modulus(point: Point, encoding: Encoding) -> int:
    """Read the rollover column of a point; 0 where it is empty.

    Raises:
        BadCell: bad-rollover.
    """
    text = point.rollover.strip().lower()
    if not text:
        return 0
    if point.kind is not Kind.COUNTER:
        raise _bad(f"a {point.kind} does not roll over", "only counters do; empty the cell")
    if encoding.value_type is not ValueType.U64 or encoding.half >= 0 or not encoding.scalable:
        raise _bad(f"a counter of type {encoding.name} does not roll over", HELP_TYPE)
    if point.sf:
        raise _bad("a count whose unit changes with a scale factor cannot be added up", "")
    most = 10 ** (DIGITS[encoding.form] * encoding.size) if encoding.form in DIGITS else 0
    most = most or 1 << 8 * encoding.size
    modulus = most if text == "full" else _number(text)
    if modulus > most:
        raise _bad(f"{encoding.name} never holds {point.rollover}", f"it counts to {most}")
    if not 2 <= modulus <= GREATEST:
        raise _bad(f"`{point.rollover}` is not within 2 to 2^48", HELP)
    return modulus


HELP_TYPE = "unsigned integers, BCD and mod10000 do"


def _number(text: str) -> int:
    found = MODULUS.fullmatch(text)
    if found is None:
        raise _bad(f"`{text}` is no number to count to", HELP)
    number: int = int(found[1]) ** int(found[2] or 1)
    return number


def _bad(message: str, help_text: str) -> BadCell:
    return BadCell("bad-rollover", "rollover", message, help_text)


def place_of(point: Point) -> str:
    """Return what makes a point another counter when it changes."""
    return f"{point.address} {point.type} {point.order}"


class Taken(NamedTuple):
    """Totals of some counters, and what is to be said of them."""

    totals: Counts
    marks: Words


class Rollovers:
    """Every counter of a device that rolls over, whichever scan reads it."""

    def __init__(self, device: Device, state: DeviceState) -> None:
        self._device = device
        self._state = state
        kept = state.get(KEY)
        self._kept: dict[str, Any] = kept if isinstance(kept, dict) else {}
        self._slots: dict[int, int] = {}
        self._moduli: Counts = np.zeros(0, np.uint64)
        self._last: Counts = np.zeros(0, np.uint64)
        self._base: Counts = np.zeros(0, np.uint64)
        self._noted: Counts = np.zeros(0, np.uint64)
        self._known = np.zeros(0, np.bool_)
        self._unkept = False
        self._kept_s = -KEEP_EACH_S

    def slots(self, numbers: Sequence[int], moduli: Sequence[int]) -> NDArray[np.intp]:
        """Return where the state of points is, from now on."""
        for number, modulus in zip(numbers, moduli, strict=True):
            if number not in self._slots:
                self._slots[number] = len(self._slots)
                self._follow(number, modulus)
        return np.array([self._slots[number] for number in numbers], np.intp)

    def take(self, slots: NDArray[np.intp], counts: Counts) -> Taken:
        """Take what counters show, and return their totals."""
        moduli, last = self._moduli[slots], self._last[slots]
        fell = self._known[slots] & (counts < last)
        ahead = np.where(fell, counts + moduli - last, counts - last)
        passed = fell & (ahead < moduli // np.uint64(PLAUSIBLE))
        broken = fell & ~passed
        base = self._base[slots] + np.where(passed, moduli, np.uint64(0))
        base[broken] = 0
        beyond = counts >= moduli
        self._note(slots[~beyond], counts[~beyond], base[~beyond])
        self._unkept |= bool(np.count_nonzero(fell))
        marks = np.where(passed, np.uint32(PASSED), np.uint32(0))
        marks[broken] = BROKEN
        marks[beyond] = IMPOSSIBLE
        return Taken(base + counts, marks)

    def keep(self, now_s: float) -> None:
        """Write down how far the counters are, if that is news and the last time long ago."""
        if self._unkept and now_s - self._kept_s >= KEEP_EACH_S:
            self._kept_s = now_s
            self.keep_now()

    def keep_now(self) -> None:
        """Write down how far the counters are."""
        if not self._slots:
            return
        self._unkept = False
        self._noted[:] = self._last
        columns = (self._known, self._moduli, self._base, self._last)
        rows = zip(self._slots, *(column.tolist() for column in columns), strict=True)
        for number, known, *counter in rows:
            if known:
                point = self._device.points[number]
                self._kept[point.id] = [place_of(point), *counter]
        self._state.put(KEY, self._kept)

    def _note(self, slots: NDArray[np.intp], counts: Counts, base: Counts) -> None:
        self._last[slots] = counts
        self._base[slots] = base
        self._unkept |= not self._known[slots].all()
        self._known[slots] = True
        far = counts - self._noted[slots] >= self._moduli[slots] // np.uint64(NOTED)
        self._unkept |= bool(np.count_nonzero(far))

    def _follow(self, number: int, modulus: int) -> None:
        """Go on from what earlier runs kept of a point, if it was the same counter."""
        base = last = 0
        known = False
        point = self._device.points[number]
        match self._kept.get(point.id):
            case [place, int(was), int(there), int(seen)]:
                same = (place, was) == (place_of(point), modulus)
                known = same and 0 <= seen < was and 0 <= there < 1 << 63
                base, last = (there, seen) if known else (0, 0)
        self._moduli = np.append(self._moduli, np.uint64(modulus))
        self._base = np.append(self._base, np.uint64(base))
        self._last = np.append(self._last, np.uint64(last))
        self._noted = np.append(self._noted, np.uint64(last))
        self._known = np.append(self._known, known)


class Rolling:
    """The counters of one run that roll over."""

    def __init__(self, rows: Sequence[int], slots: NDArray[np.intp], rollovers: Rollovers) -> None:
        self._rows = np.array(rows, np.intp)
        self._slots = slots
        self._rollovers = rollovers

    def __call__(self, numbers: NDArray[Any], quality: Words) -> Counts:
        """Return ``numbers`` with totals in place of counts; what has no value is left alone."""
        counted = numbers.astype(np.uint64)
        there = quality[self._rows] & np.uint32(Quality.NO_VALUE) == 0
        rows = self._rows[there]
        taken = self._rollovers.take(self._slots[there], counted[rows])
        counted[rows] = taken.totals
        quality[rows] |= taken.marks
        return counted
