"""The newest values, as they are compared to see whether anything changes at all."""

import numpy as np
import pytest

from otgate.model import Deadband, ValueType
from otgate.quality import Quality
from reported import LOST, Bench, point


def newest(bench: Bench, *numbers: int) -> str | None:
    return bench.report.newest(np.array(numbers, np.int32))


def test_a_change_within_the_deadband_is_a_change() -> None:
    bench = Bench([point(deadband=Deadband(10.0))])
    bench.poll(1.0)
    before = newest(bench, 0)
    assert bench.after(1).poll(1.1) == []
    assert newest(bench, 0) != before


def test_the_same_again_is_the_same_and_so_is_no_number() -> None:
    bench = Bench([point(), point()])
    bench.poll(1.0, float("nan"))
    before = newest(bench, 0, 1)
    bench.after(1).again()
    bench.after(1).poll(1.0, float("nan"))
    assert newest(bench, 0, 1) == before


def test_points_that_are_not_asked_for_do_not_matter() -> None:
    bench = Bench([point(), point()])
    bench.poll(1.0, 2.0)
    before = newest(bench, 1)
    bench.after(1).poll(5.0, 2.0)
    assert newest(bench, 1) == before


@pytest.mark.parametrize("quality", [LOST, Quality.INVALID | Quality.NO_VALUE])
def test_where_all_is_invalid_there_is_nothing(quality: Quality) -> None:
    bench = Bench([point(), point()])
    assert newest(bench, 0, 1) is None
    bench.poll(1.0, 2.0, quality=[int(quality), 0])
    assert newest(bench, 0) is None
    assert newest(bench, 0, 1) is not None


def test_a_lost_device_has_nothing() -> None:
    bench = Bench()
    bench.poll(1.0)
    bench.lost()
    assert newest(bench, 0) is None


def test_texts_and_great_counters_are_told_apart() -> None:
    texts = Bench(value_type=ValueType.TEXT)
    texts.poll("a")
    before = newest(texts, 0)
    texts.after(1).poll("b")
    counters = Bench(value_type=ValueType.U64)
    counters.poll(2**63)
    counted = newest(counters, 0)
    counters.after(1).poll(2**63 + 1)
    assert (newest(texts, 0), newest(counters, 0)) != (before, counted)
    assert newest(texts, 0) != before
    assert newest(counters, 0) != counted
