"""min_interval_s, max_interval_s and refresh_s."""

from typing import Any

import numpy as np

from otgate.model import Batch, Deadband, Kind, Origin, Reporting, ValueType
from otgate.quality import Quality
from otgate.report import Report
from reported import LOST, START_NS, UNREAD, Bench, S, point


def paced(min_s: float = 0.0, max_s: float = 0.0, refresh_s: float = 0.0) -> Bench:
    return Bench([point(), point()], reporting=Reporting(min_s, max_s, refresh_s))


def test_a_fast_point_is_held_and_its_newest_value_released() -> None:
    bench = paced(min_s=5)
    bench.poll(1.0, 1.0)
    assert bench.after(1).poll(2.0, 1.0) == []
    assert bench.after(1).poll(3.0, 1.0) == []
    assert bench.after(2).tick() == []
    assert bench.after(1).tick() == [(3.0, 0)]
    assert bench.after(9).tick() == []


def test_a_released_value_has_the_time_when_it_was_read() -> None:
    bench = paced(min_s=5)
    bench.poll(1.0, 1.0)
    bench.after(2).poll(2.0, 1.0)
    (batch,) = bench.report.tick(START_NS + 5 * S)
    assert (batch.received_ns, batch.source_ns) == (START_NS + 2 * S, None)
    assert batch.origin is Origin.POLL


def test_a_value_that_came_back_is_not_released() -> None:
    bench = paced(min_s=5)
    bench.poll(1.0, 1.0)
    bench.after(1).poll(2.0, 1.0)
    bench.after(1).poll(1.0, 1.0)
    assert bench.after(5).tick() == []


def test_a_held_value_that_is_read_again_unchanged_is_released() -> None:
    bench = paced(min_s=5)
    bench.poll(1.0, 1.0)
    bench.after(1).poll(2.0, 1.0)
    bench.after(1).again()
    assert bench.after(3).tick() == [(2.0, 0)]


def test_a_change_of_quality_is_never_held() -> None:
    bench = paced(min_s=5)
    bench.poll(1.0, 1.0)
    assert bench.after(1).poll(1.0, 2.0, quality=[0, 1]) == [(2.0, Quality.QUESTIONABLE)]


def test_a_change_of_state_is_never_held() -> None:
    bench = Bench([point(kind=Kind.STATUS)], ValueType.I64, Reporting(min_interval_s=5))
    bench.poll(1)
    assert bench.after(1).poll(2) == [(2, 0)]


def latched(**cells: Any) -> Bench:
    points = [point(latch=True, **cells), point(**cells)]
    return Bench(points, reporting=Reporting(min_interval_s=5))


def test_every_change_of_a_point_that_latches_is_sent() -> None:
    bench = latched()
    bench.poll(1.0, 1.0)
    assert bench.after(1).poll(2.0, 2.0) == [(2.0, 0)]
    assert bench.after(1).poll(1.0, 3.0) == [(1.0, 0)]
    assert bench.after(3).tick() == [(3.0, 0)]


def test_a_latch_counts_as_a_change_what_is_beyond_the_deadband() -> None:
    bench = latched(deadband=Deadband(0.5))
    bench.poll(1.0, 1.0)
    assert bench.after(1).poll(1.4, 1.0) == []
    assert bench.after(1).poll(1.6, 1.0) == [(1.6, 0)]


def test_the_interval_starts_again_at_the_release() -> None:
    bench = paced(min_s=5)
    bench.poll(1.0, 1.0)
    bench.after(1).poll(2.0, 1.0)
    bench.after(4).tick()
    assert bench.after(1).poll(3.0, 1.0) == []
    assert bench.after(4).tick() == [(3.0, 0)]


def test_losing_the_device_sends_the_held_value() -> None:
    bench = paced(min_s=5)
    bench.poll(1.0, 1.0)
    bench.after(1).poll(2.0, 1.0)
    assert bench.lost() == [(2.0, LOST), (1.0, LOST)]
    assert bench.after(9).tick() == []


def test_an_unchanged_point_is_sent_after_the_longest_interval() -> None:
    bench = paced(max_s=10)
    bench.poll(1.0, 1.0)
    bench.after(6).poll(1.0, 2.0)
    bench.after(3.9).again()
    assert bench.tick() == []
    assert bench.after(0.1).tick() == [(1.0, 0)]
    assert bench.after(6).tick() == [(2.0, 0)]


def test_a_refresh_sends_every_point_with_the_time_of_its_last_read() -> None:
    bench = paced(refresh_s=60)
    bench.poll(1.0, 2.0)
    bench.after(58).again()
    (batch,) = bench.report.tick(START_NS + 60 * S)
    assert batch.origin is Origin.REFRESH
    assert batch.values.tolist() == [1.0, 2.0]
    assert (batch.received_ns, batch.source_ns) == (START_NS + 58 * S, None)


def test_refreshes_keep_their_grid_and_do_not_pile_up() -> None:
    bench = paced(refresh_s=60)
    bench.poll(1.0, 2.0)
    assert len(bench.after(190).tick()) == 2
    assert bench.after(49).tick() == []
    assert len(bench.after(1).tick()) == 2


def test_a_refresh_says_that_a_point_was_never_read() -> None:
    bench = paced(refresh_s=60)
    bench.tick()
    assert bench.after(60).tick() == [(None, UNREAD)] * 2


def test_a_refresh_keeps_a_lost_point_lost() -> None:
    bench = paced(refresh_s=60)
    bench.poll(1.0, 2.0)
    bench.lost()
    assert bench.after(60).tick() == [(1.0, LOST), (2.0, LOST)]


def test_the_clock_set_back_does_not_silence_refreshes() -> None:
    bench = paced(refresh_s=60)
    bench.poll(1.0, 2.0)
    bench.after(50).tick()
    bench.after(-86400).tick()
    assert len(bench.after(10).tick()) == 2


def test_a_refresh_of_mixed_types_is_a_batch_per_type_and_read() -> None:
    device = Bench([point()] * 3, reporting=Reporting(refresh_s=60)).report._device
    types = [ValueType.F64, ValueType.I64, ValueType.F64]
    report = Report(device, types)
    for number, value_type in enumerate(types):
        values = np.array([number], value_type.dtype)
        index, quality = np.array([number], np.int32), np.zeros(1, np.uint32)
        moment = START_NS + number * S
        report.pass_(Batch("d", value_type, Origin.POLL, index, values, quality, moment))
    batches = report.tick(START_NS + 61 * S)
    assert [(batch.value_type, batch.index.tolist()) for batch in batches] == [
        (ValueType.F64, [0]),
        (ValueType.F64, [2]),
        (ValueType.I64, [1]),
    ]


def test_nothing_due_costs_no_look() -> None:
    bench = paced(min_s=5, max_s=10, refresh_s=60)
    bench.poll(1.0, 1.0)
    bench.tick()
    assert bench.report._due_ns == START_NS + 10 * S
