"""What crosses, and what is kept back, counted by point: real gates, real spools."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firsts import Outside
from otgate.app import by_point
from otgate.app.by_point import ByPoint

IA, IB, TRIP, SECRET = 0, 1, 4, 5
"""Points of the site's devices, by their places in its map."""


class Counted(Outside):
    """A site outside, and what is told of its points."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.counts: list[Mapping[str, Any]] = []
        self.by_point = ByPoint(lambda _, what: self.counts.append(what))
        self.egress.count(self.by_point)

    def heard(self) -> list[Mapping[str, Any]]:
        self.by_point.tell()
        told, self.counts = self.counts, []
        return told


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Counted]:
    made = Counted(tmp_path)
    yield made
    made.egress.close()


def of_f1(**parts: Mapping[str, int]) -> Mapping[str, Any]:
    return {"conduit": "analytics", "device": "f1", **parts}


def test_each_point_is_counted_as_what_became_of_it(outside: Counted) -> None:
    for _ in range(3):
        outside.measure(IA, SECRET)
    outside.measure(IB)
    assert outside.heard() == [of_f1(crossed={"ia": 3, "ib": 1}, denied={"secret": 3})]


def test_what_was_told_is_not_told_again(outside: Counted) -> None:
    outside.measure(IA)
    outside.heard()
    assert outside.heard() == []
    outside.measure(SECRET)
    assert outside.heard() == [of_f1(denied={"secret": 1})]


def test_samples_of_one_point_in_one_batch_are_all_counted(outside: Counted) -> None:
    outside.measure(IA, IA, IA)
    assert outside.heard() == [of_f1(crossed={"ia": 3})]


def test_columns_are_counted_together_and_none_is_kept_for_long(outside: Counted) -> None:
    for _ in range(by_point.WAITING):
        outside.measure(IA, IB)
    assert not outside.by_point._seen["f1"]._columns
    crossed = dict.fromkeys(("ia", "ib"), by_point.WAITING)
    assert outside.heard() == [of_f1(crossed=crossed)]


def test_a_column_that_comes_again_and_again_is_counted_as_often(outside: Counted) -> None:
    column, other = np.array([IA, IB], np.int32), np.array([IB], np.int32)
    for each in (column, column, other, column, column, column, other, other):
        outside.emit(each)
    assert outside.heard() == [of_f1(crossed={"ia": 5, "ib": 8})]


def test_what_crossed_is_told_before_it_is_denied(outside: Counted) -> None:
    outside.measure(IA)
    outside.shut["analytics"] = "stopped by ann"
    outside.egress.shut_or_open()
    outside.measure(IA, IA)
    assert outside.heard() == [of_f1(crossed={"ia": 1}), of_f1(denied={"ia": 2})]


def test_many_points_are_told_in_several_records(
    outside: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_point, "IN_ONE_RECORD", 1)
    outside.measure(IA, IB)
    assert outside.heard() == [of_f1(crossed={"ia": 1}), of_f1(crossed={"ib": 1})]


def test_a_site_with_too_much_to_name_is_not_counted_by_point(
    outside: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_point, "MOST_NAMED", 3)
    outside.egress.swap(outside.egress.site)
    outside.measure(IA)
    assert outside.heard() == []
