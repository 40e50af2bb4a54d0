"""Quality: failed, lost, stale, back, and what a re-sent sample says about its age."""

import numpy as np

from otgate.model import Batch, Clock, Deadband, Origin, Reporting, ValueType
from otgate.quality import Quality
from reported import FAILED, LOST, STALE, START_NS, UNREAD, Bench, S, point

ILLEGAL = Quality.INVALID | Quality.ILLEGAL_ADDRESS | Quality.NO_VALUE


def only(batches: list[Batch]) -> Batch:
    assert len(batches) == 1
    return batches[0]


def times(batch: Batch) -> list[int]:
    assert batch.source_ns is not None
    return [int(moment) for moment in batch.source_ns]


def test_a_change_of_quality_passes_whatever_the_deadband() -> None:
    bench = Bench([point(deadband=Deadband(100.0))])
    bench.poll(1.0)
    assert bench.poll(1.0, quality=Quality.QUESTIONABLE) == [(1.0, Quality.QUESTIONABLE)]
    assert bench.poll(1.0) == [(1.0, 0)]


def test_a_placeholder_is_never_compared() -> None:
    bench = Bench()
    assert bench.poll(1.0, quality=ILLEGAL) == [(None, ILLEGAL)]
    assert bench.poll(2.0, quality=ILLEGAL) == []


def test_a_failed_slot_marks_its_points_and_no_others() -> None:
    bench = Bench([point(), point()])
    bench.poll(1.0, 2.0)
    assert bench.after(1).failed(1) == [(2.0, FAILED)]


def test_a_failed_slot_says_how_old_the_value_is() -> None:
    bench = Bench([point(), point()])
    bench.poll(1.0, 2.0)
    bench.after(1).again()
    batch = only(bench.report.failed([0], START_NS + 3 * S))
    assert times(batch) == [START_NS + S]
    assert batch.received_ns == START_NS + 3 * S
    assert batch.origin is Origin.POLL


def test_a_second_failure_is_no_news() -> None:
    bench = Bench()
    bench.poll(1.0)
    bench.failed(0)
    assert bench.after(1).failed(0) == []


def test_a_point_that_was_never_read_fails_without_a_value_and_without_a_time() -> None:
    bench = Bench()
    batch = only(bench.report.failed([0], START_NS))
    assert batch.quality.tolist() == [UNREAD | FAILED]
    assert batch.source_ns is None


def test_never_read_points_beside_read_ones_have_no_time_of_1970() -> None:
    bench = Bench([point(), point()])
    bench.poll(1.0, 0.0, quality=[0, int(ILLEGAL)])
    batch = only(bench.report.lost(START_NS + 5 * S))
    assert batch.quality.tolist() == [LOST, LOST | ILLEGAL]
    assert times(batch) == [START_NS, START_NS + 5 * S]


def test_a_lost_device_sends_every_point_with_its_last_value_and_time() -> None:
    bench = Bench([point(deadband=Deadband(5.0)), point()])
    bench.poll(1.0, 2.0)
    bench.after(2).poll(3.0, 2.0)
    batch = only(bench.report.lost(START_NS + 9 * S))
    assert batch.values.tolist() == [3.0, 2.0]
    assert batch.quality.tolist() == [LOST, LOST]
    assert times(batch) == [START_NS + 2 * S] * 2


def test_the_device_s_own_time_is_kept() -> None:
    bench = Bench([point(), point()])
    bench.poll(1.0, 2.0)
    bench.emit(Origin.EVENT, [START_NS - 7, START_NS - 9])
    assert times(only(bench.report.lost(START_NS + S))) == [START_NS - 7, START_NS - 9]


def test_the_time_of_an_old_value_is_called_the_gateway_s_where_the_device_has_no_clock() -> None:
    bench = Bench()
    bench.poll(1.0)
    assert only(bench.report.lost(START_NS + S)).clock is Clock.GATEWAY


def test_the_time_of_an_old_value_is_called_the_device_s_where_it_stamped_it() -> None:
    bench = Bench([point()])
    bench.poll(1.0)
    bench.emit(Origin.EVENT, [START_NS - 7])
    assert only(bench.report.lost(START_NS + S)).clock is Clock.DEVICE


def test_each_point_s_time_is_whose_it_is_where_some_are_stamped() -> None:
    bench = Bench([point(), point()])
    bench.poll(1.0, 2.0)
    event = Batch(
        *("f1", ValueType.F64, Origin.EVENT, np.array([1], np.int32), np.array([3.0])),
        quality=np.zeros(1, np.uint32),
        received_ns=START_NS,
        source_ns=np.array([START_NS - 7]),
    )
    bench.report.pass_(event)
    told = {
        batch.clock: (batch.index.tolist(), times(batch))
        for batch in bench.report.lost(START_NS + S)
    }
    assert told == {Clock.DEVICE: ([1], [START_NS - 7]), Clock.GATEWAY: ([0], [START_NS])}


def test_an_event_s_time_outlasts_the_unchanged_poll_before_it() -> None:
    bench = Bench()
    bench.poll(1.0)
    bench.after(2).again()
    bench.emit(Origin.EVENT, [START_NS + S])
    assert times(only(bench.report.lost(START_NS + 3 * S))) == [START_NS + S]


def test_a_value_is_as_old_as_the_last_reply_that_had_it() -> None:
    bench = Bench()
    bench.poll(1.0)
    bench.after(2).again()
    bench.after(1).poll(0.0, quality=ILLEGAL)
    assert times(only(bench.report.lost(START_NS + 9 * S))) == [START_NS + 2 * S]


def test_a_device_is_lost_once() -> None:
    bench = Bench()
    bench.poll(1.0)
    assert bench.lost() == [(1.0, LOST)]
    assert bench.after(60).lost() == []
    assert bench.failed(0) == []


def test_lost_after_failed_is_comm_lost_alone() -> None:
    bench = Bench()
    bench.poll(1.0)
    bench.failed(0)
    assert bench.lost() == [(1.0, LOST)]


def test_a_lost_point_that_reads_again_passes_even_as_the_same_columns() -> None:
    bench = Bench()
    bench.poll(1.0)
    bench.lost()
    assert bench.again() == [(1.0, 0)]
    assert bench.again() == []


def test_a_stale_point_is_sent_once_at_its_edge() -> None:
    bench = Bench([point(max_age_s=30)])
    bench.poll(1.0)
    assert bench.after(30).tick() == []
    assert bench.after(0.001).tick() == [(1.0, STALE)]
    assert bench.after(30).tick() == []


def test_a_stale_point_that_reads_again_passes() -> None:
    bench = Bench([point(max_age_s=30)])
    bench.poll(1.0)
    bench.after(31).tick()
    assert bench.again() == [(1.0, 0)]
    assert bench.after(31).tick() == [(1.0, STALE)]


def test_unchanged_replies_keep_a_point_fresh() -> None:
    bench = Bench([point(max_age_s=3)])
    bench.poll(1.0)
    for _ in range(10):
        bench.after(1).again()
        assert bench.tick() == []


def test_a_point_that_answers_without_a_value_is_invalid_not_stale() -> None:
    bench = Bench([point(max_age_s=3)])
    bench.poll(1.0, quality=ILLEGAL)
    assert bench.after(10).tick() == []


def test_a_failed_point_grows_stale_and_says_both() -> None:
    bench = Bench([point(max_age_s=3)])
    bench.poll(1.0)
    bench.after(1).failed(0)
    assert bench.after(3).tick() == [(1.0, FAILED | STALE)]


def test_losing_a_stale_point_keeps_it_stale() -> None:
    bench = Bench([point(max_age_s=3)])
    bench.poll(1.0)
    bench.after(4).tick()
    assert bench.lost() == [(1.0, LOST | Quality.STALE)]


def test_a_point_never_read_does_not_grow_stale() -> None:
    assert Bench([point(max_age_s=3)]).after(100).tick() == []


def test_a_device_under_maintenance_sends_everything_as_test_data() -> None:
    bench = Bench([point()], reporting=Reporting(refresh_s=10), maintenance=True)
    assert bench.poll(1.0) == [(1.0, Quality.TEST)]
    assert bench.poll(1.0) == []
    assert bench.after(10).tick() == [(1.0, Quality.TEST)]
    assert bench.failed(0) == [(1.0, FAILED | Quality.TEST)]


def test_emitted_columns_are_not_modified_by_maintenance() -> None:
    bench = Bench(maintenance=True)
    bench.poll(1.0)
    assert bench.quality.tolist() == [0]


def test_the_clock_set_back_does_not_make_a_point_younger() -> None:
    bench = Bench([point(max_age_s=30)])
    bench.poll(1.0)
    bench.after(20).tick()
    bench.after(-3600).tick()
    assert bench.after(9).tick() == []
    assert bench.after(2).tick() == [(1.0, STALE)]


def test_the_clock_set_back_between_unchanged_replies_is_noticed() -> None:
    bench = Bench([point(max_age_s=30)])
    bench.poll(1.0)
    bench.after(-3600).again()
    assert bench.after(29).tick() == []
    assert bench.after(2).tick() == [(1.0, STALE)]
