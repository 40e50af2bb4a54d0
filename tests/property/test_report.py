"""The report in columns says the same as a report written for one sample at a time."""

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otgate.model import (
    Batch,
    Deadband,
    Device,
    Kind,
    Origin,
    Point,
    Reporting,
    ValueType,
)
from otgate.quality import Quality
from otgate.report import Report
from reported import FAILED, LOST, STALE, START_NS, UNREAD, S

POINTS = [
    Point("a", Kind.MEASUREMENT, deadband=Deadband(1.5), max_age_s=4),
    Point("b", Kind.MEASUREMENT),
    Point("c", Kind.COUNTER, deadband=Deadband(2), max_age_s=7),
    Point("d", Kind.STATUS, deadband=Deadband(9), max_age_s=4),
    Point("e", Kind.TEXT),
]
TYPES = [ValueType.F64, ValueType.F64, ValueType.I64, ValueType.BOOL, ValueType.TEXT]
SCANS = [[0, 1], [1, 0], [0], [2], [3], [4]]
"""Points that one poll emits together, all of one type."""


class Fleet(NamedTuple):
    """A device, and what one poll of it emits together."""

    points: list[Point]
    types: list[ValueType]
    scans: list[list[int]]


def alike(band: float) -> Fleet:
    """Points of one type, of which one poll emits all."""
    deadband = Deadband(band) if band else None
    points = [
        Point(name, Kind.MEASUREMENT, deadband=deadband, max_age_s=age_s)
        for name, age_s in (("a", 3.0), ("b", 0.0), ("c", 3.0))
    ]
    return Fleet(points, [ValueType.F64] * 3, [[0, 1, 2], [0, 1, 2], [0, 1, 2], [1, 2], [2, 1, 0]])


DEVICES = [Fleet(POINTS, TYPES, SCANS), alike(0.0), alike(1.0)]

DOMAINS: dict[ValueType, st.SearchStrategy[Any]] = {
    ValueType.F64: st.sampled_from([0.0, -0.0, 1.0, 2.0, 2.5, 4.0, math.nan, math.inf, -math.inf]),
    ValueType.I64: st.sampled_from([0, 1, 3, 2**62, 2**62 + 2, 2**62 + 3, -(2**63), 2**63 - 1]),
    ValueType.BOOL: st.booleans(),
    ValueType.TEXT: st.sampled_from(["", "on", "off"]),
}
ILLEGAL = int(Quality.INVALID | Quality.ILLEGAL_ADDRESS | Quality.NO_VALUE)
QUALITIES = st.sampled_from([0, 0, 0, 0, int(Quality.QUESTIONABLE), ILLEGAL, int(Quality.INVALID)])


@dataclass
class Known:
    """What the oracle knows of one point."""

    kind: Kind
    band: float
    max_age_ns: int
    quality: int = UNREAD
    mark: int = 0
    value: Any = None
    time_ns: int | None = None
    read_ns: int | None = None
    sent: tuple[Any, int] | None = None
    sent_ns: int = 0
    held: bool = False

    def differs(self, value: Any) -> bool:
        assert self.sent is not None
        before = self.sent[0]
        if isinstance(value, float) and isinstance(before, float):
            if math.isnan(value) or math.isnan(before):
                return math.isnan(value) != math.isnan(before)
            if math.isinf(value) or math.isinf(before):
                return value != before
        if isinstance(value, str | bool) or self.kind is Kind.STATUS:
            return bool(value != before)
        return bool(abs(value - before) > self.band)


@dataclass
class Oracle:
    """Report by exception, one sample at a time."""

    reporting: Reporting
    points: list[Known]
    began_ns: int | None = None
    refreshed_ns: int = 0
    out: list[tuple[Any, ...]] = field(default_factory=list)

    def begin(self, now_ns: int) -> None:
        if self.began_ns is None:
            self.began_ns = self.refreshed_ns = now_ns
            for known in self.points:
                known.sent_ns = now_ns

    def send(self, number: int, now_ns: int, origin: Origin) -> None:
        known = self.points[number]
        quality = known.quality | known.mark
        known.sent = (known.value, quality)
        known.sent_ns, known.held = now_ns, False
        value = None if quality & Quality.NO_VALUE else plain(known.value)
        moment = known.time_ns if known.mark else known.read_ns
        self.out.append((number, value, quality, moment or now_ns, origin))

    def poll(self, number: int, value: Any, quality: int, now_ns: int) -> None:
        known = self.points[number]
        known.quality, known.mark, known.read_ns = quality, 0, now_ns
        there = not quality & Quality.NO_VALUE
        if there:
            known.value, known.time_ns = value, now_ns
        if known.sent is None or known.sent[1] != quality:
            self.send(number, now_ns, Origin.POLL)
        elif there and known.differs(value):
            paced = known.kind in {Kind.MEASUREMENT, Kind.COUNTER}
            known.held = paced and now_ns - known.sent_ns < self.reporting.min_interval_s * S
            if not known.held:
                self.send(number, now_ns, Origin.POLL)
        else:
            known.held = False

    def failed(self, numbers: list[int], now_ns: int) -> None:
        for number in numbers:
            known = self.points[number]
            if not known.mark & (Quality.FAILURE | Quality.COMM_LOST):
                known.mark |= FAILED
                self.send(number, now_ns, Origin.POLL)

    def lost(self, now_ns: int) -> None:
        for number, known in enumerate(self.points):
            if not known.mark & Quality.COMM_LOST:
                known.mark = known.mark & Quality.STALE | LOST
                self.send(number, now_ns, Origin.POLL)

    def tick(self, now_ns: int) -> None:
        sent = {number for number in range(len(self.points)) if self.edge(number, now_ns)}
        refresh_ns = round(self.reporting.refresh_s * S)
        refresh = refresh_ns > 0 and now_ns - self.refreshed_ns >= refresh_ns
        while refresh and now_ns - self.refreshed_ns >= refresh_ns:
            self.refreshed_ns += refresh_ns
        for number, known in enumerate(self.points):
            longest_ns = self.reporting.max_interval_s * S
            long_ago = longest_ns and now_ns - known.sent_ns >= longest_ns
            if (refresh or long_ago) and number not in sent:
                self.send(number, now_ns, Origin.REFRESH)

    def edge(self, number: int, now_ns: int) -> bool:
        known = self.points[number]
        usable = known.quality & Quality.INVALID != Quality.INVALID
        stale = known.max_age_ns and usable and not known.mark & Quality.STALE
        stale = stale and now_ns - (known.read_ns or 0) > known.max_age_ns
        if stale:
            known.mark |= STALE
        released = known.held and now_ns - known.sent_ns >= self.reporting.min_interval_s * S
        if stale or released:
            self.send(number, now_ns, Origin.POLL)
        return bool(stale or released)


def plain(value: Any) -> Any:
    """NaN compares with itself as text."""
    return "nan" if isinstance(value, float) and math.isnan(value) else value


def samples(batches: list[Batch]) -> list[tuple[Any, ...]]:
    found = []
    for batch in batches:
        moments = [batch.received_ns] * len(batch)
        if batch.source_ns is not None:
            moments = batch.source_ns.tolist()
        columns = zip(
            batch.index.tolist(),
            batch.values.tolist(),
            batch.quality.tolist(),
            moments,
            strict=True,
        )
        found += [
            (
                number,
                None if quality & Quality.NO_VALUE else plain(value),
                quality,
                at,
                batch.origin,
            )
            for number, value, quality, at in columns
        ]
    return found


REPORTINGS = st.builds(
    Reporting,
    st.sampled_from([0.0, 2.0]),
    st.sampled_from([0.0, 5.0]),
    st.sampled_from([0.0, 11.0]),
)


@settings(max_examples=200, deadline=None)
@pytest.mark.parametrize("device", DEVICES, ids=["mixed", "alike", "alike-with-deadbands"])
@given(st.data())
def test_columns_say_what_samples_say(device: Fleet, data: st.DataObject) -> None:
    reporting = data.draw(REPORTINGS)
    points, types, scans = device
    report = Report(Device("d", "x", "bay", points, {}, None, reporting), types)
    oracle = Oracle(
        reporting,
        [
            Known(point.kind, point.deadband.amount if point.deadband else 0.0, ns)
            for point in points
            for ns in [round(point.max_age_s * S)]
        ],
    )
    indexes = [np.array(scan, np.int32) for scan in scans]
    last: dict[int, tuple[Any, Any]] = {}
    known_words: dict[tuple[int, ...], Any] = {}  # the same flags come as the same column
    now_ns = START_NS
    for _ in range(data.draw(st.integers(1, 25))):
        now_ns += data.draw(st.sampled_from([0, S // 2, S, 2 * S, 5 * S]))
        verb = data.draw(
            st.sampled_from(["poll", "poll", "again", "again", "failed", "lost", "tick"])
        )
        oracle.out.clear()
        got: list[Batch] = []
        oracle.begin(now_ns)
        if verb in {"poll", "again"}:
            at = data.draw(st.integers(0, len(scans) - 1))
            value_type = types[scans[at][0]]
            if verb == "poll" or at not in last:
                values = [data.draw(DOMAINS[value_type]) for _ in scans[at]]
                quality = [data.draw(QUALITIES) for _ in scans[at]]
                words = known_words.setdefault((at, *quality), np.array(quality, np.uint32))
                last[at] = (np.array(values, value_type.dtype), words)
            batch = report.pass_(
                Batch("d", value_type, Origin.POLL, indexes[at], *last[at], now_ns)
            )
            got = [] if batch is None else [batch]
            for number, value, quality_ in zip(
                scans[at], last[at][0].tolist(), last[at][1].tolist(), strict=True
            ):
                oracle.poll(number, value, quality_, now_ns)
        elif verb == "failed":
            scan = data.draw(st.sampled_from(scans))
            got = report.failed(scan, now_ns)
            oracle.failed(scan, now_ns)
        elif verb == "lost":
            got = report.lost(now_ns)
            oracle.lost(now_ns)
        else:
            got = report.tick(now_ns)
            oracle.tick(now_ns)
        assert sorted(samples(got), key=str) == sorted(oracle.out, key=str), verb
