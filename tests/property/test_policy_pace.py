"""The columns of a limited gate against the rule told sample by sample."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from otgate.model import Batch, Origin, ValueType
from otgate.policy.pace import Pace
from otgate.quality import VALIDITY_MASK, Quality

SECOND = 1_000_000_000
INTERVALS = (0.0, 1.0, 5.0)
LOST, UNREAD = int(Quality.INVALID | Quality.COMM_LOST), int(Quality.INVALID | Quality.NO_VALUE)
QUALITIES = (0, 0, 0, int(Quality.QUESTIONABLE), LOST, int(Quality.INVALID), UNREAD)


class Sample(NamedTuple):
    point: int
    value: float
    quality: int
    time_ns: int
    received_ns: int
    origin: int

    @property
    def carries(self) -> bool:
        return not self.quality & Quality.NO_VALUE


@dataclass
class One:
    """One point's pace, told in the plainest way."""

    interval_ns: int
    released_ns: int | None = None
    value: Sample | None = None
    quality: int = 0
    held: Sample | None = None
    suppressed: int = field(default=0)

    def take(self, sample: Sample, now_ns: int) -> list[Sample]:
        self.suppressed += self.held is not None
        timely = self.released_ns is None or now_ns - self.released_ns >= self.interval_ns
        if timely or (sample.carries and self.value is None):
            return self.go(sample, now_ns)
        changed = (self.quality ^ sample.quality) & (VALIDITY_MASK | Quality.NO_VALUE)
        if changed and not sample.carries:
            return self.go(sample, self.released_ns)
        self.held = sample
        if changed and self.value is not None:
            self.quality = sample.quality
            return [sample._replace(value=self.value.value, time_ns=self.value.time_ns)]
        return []

    def go(self, sample: Sample, now_ns: int | None) -> list[Sample]:
        self.held, self.quality, self.released_ns = None, sample.quality, now_ns
        self.value = sample if sample.carries else self.value
        return [sample]

    def end(self, now_ns: int) -> list[Sample]:
        if self.held is None or self.released_ns is None:
            return []
        return self.go(self.held, now_ns) if now_ns - self.released_ns >= self.interval_ns else []


def told(batches: list[Batch]) -> list[Sample]:
    return [
        Sample(
            int(point),
            float(value),
            int(quality),
            batch.received_ns if batch.source_ns is None else int(batch.source_ns[place]),
            batch.received_ns,
            int(batch.origin),
        )
        for batch in batches
        for place, (point, value, quality) in enumerate(
            zip(batch.index, batch.values, batch.quality, strict=True)
        )
    ]


def by_point(samples: list[Sample]) -> dict[int, list[Sample]]:
    return {
        point: [sample for sample in samples if sample.point == point]
        for point in {sample.point for sample in samples}
    }


@st.composite
def batches(draw: st.DrawFn) -> list[Batch]:
    """Batches a while apart, some with repeated points, some stamped by the device."""
    now_ns, made = 1_763_765_412 * SECOND, []
    for _ in range(draw(st.integers(1, 12))):
        now_ns += draw(st.integers(0, 3 * SECOND))
        index = draw(st.lists(st.integers(0, 2), min_size=1, max_size=6))
        count = len(index)
        ages = draw(st.none() | st.lists(st.integers(0, SECOND), min_size=count, max_size=count))
        made.append(
            Batch(
                "f3",
                ValueType.F64,
                draw(st.sampled_from(Origin)),
                np.array(index, np.int32),
                np.array(draw(st.lists(st.integers(0, 9), min_size=count, max_size=count)), float),
                np.array([draw(st.sampled_from(QUALITIES)) for _ in index], np.uint32),
                now_ns,
                None if ages is None else now_ns - np.array(ages, np.int64),
            )
        )
    return made


@given(batches(), st.booleans())
@settings(max_examples=200)
def test_columns_pace_as_one_sample_after_the_other(given_: list[Batch], releases: bool) -> None:  # noqa: FBT001  drawn
    pace = Pace("f3", ValueType.F64, INTERVALS)
    ones = [One(round(seconds * SECOND)) for seconds in INTERVALS]
    for batch in given_:
        now_ns = batch.received_ns
        if releases:
            ready = pace.ready(now_ns)
            ended = [sample for one in ones for sample in one.end(now_ns)]
            assert by_point(told(pace.release(now_ns))) == by_point(ended)
            assert ready >= bool(ended)
        wanted = [s for sample in told([batch]) for s in ones[sample.point].take(sample, now_ns)]
        assert by_point(told(pace.pass_(batch, now_ns))) == by_point(wanted)
    assert pace.suppressed == sum(one.suppressed for one in ones)


@given(batches())
def test_an_unreleased_value_never_leaves_early(given_: list[Batch]) -> None:
    pace, shown = Pace("f3", ValueType.F64, (5.0,) * 3), dict[int, tuple[int, float]]()
    for batch in given_:
        for sample in told(pace.pass_(batch, batch.received_ns)):
            if not sample.carries:
                continue
            since_ns, value = shown.get(sample.point, (0, None))
            if sample.value != value:
                assert batch.received_ns - since_ns >= 5 * SECOND
                shown[sample.point] = (batch.received_ns, sample.value)
