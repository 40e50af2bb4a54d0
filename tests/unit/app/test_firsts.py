"""What crosses, and what is kept back, for the first time: real gates, real spools."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from firsts import Outside
from otgate.app.firsts import CROSSES, DENIED, IN_ONE_RECORD, news
from otgate.model import Batch, Origin, ValueType

IA, IB, TRIP, SECRET = 0, 1, 4, 5
"""Points of the site's devices, by their places in its map."""


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otgate.app.firsts.KEEP_S", 0.01)


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    made = Outside(tmp_path)
    yield made
    made.egress.close()


def test_each_point_is_told_once_as_it_crosses_or_is_kept_back(outside: Outside) -> None:
    outside.measure(IA, SECRET)
    assert outside.news() == [(DENIED, "f1", ["secret"]), (CROSSES, "f1", ["ia"])]
    outside.measure(IA, IB, SECRET)
    assert outside.news() == [(CROSSES, "f1", ["ib"])]
    outside.measure(IA, IB, SECRET)
    outside.measure(SECRET, device="f2")
    assert outside.news() == [(DENIED, "f2", ["secret"])]


def test_a_column_without_news_is_not_looked_at_again(outside: Outside) -> None:
    column = np.array([IA, SECRET], np.int32)
    outside.emit(column)
    assert id(column) in outside.firsts._watched["f1"].known
    outside.measure(IB)
    outside.emit(column)
    assert [points for _, _, points in outside.news()] == [["secret"], ["ia"], ["ib"]]


def test_a_device_of_which_all_was_seen_is_not_watched(outside: Outside) -> None:
    types = {"f1": outside.egress.site.devices[0].points}
    for value_type in (ValueType.F64, ValueType.U64, ValueType.BOOL):
        index = np.arange(len(types["f1"]), dtype=np.int32)
        values = index.astype(np.bool_ if value_type is ValueType.BOOL else np.float64)
        zeros = np.zeros(len(index), np.uint32)
        outside.egress.outlet(Batch("f1", value_type, Origin.POLL, index, values, zeros, 1))
    crossed = {name for event, _, names in outside.news() for name in names if event == CROSSES}
    assert crossed >= {"ia", "ib"}
    assert "f2" in outside.firsts._watched


async def test_what_was_told_is_not_told_after_a_restart(outside: Outside) -> None:
    outside.measure(IA, SECRET)
    await outside.keep()
    outside.egress.close()
    again = Outside(outside.folder)
    again.measure(IA, IB, SECRET)
    again.egress.close()
    assert again.news() == [(CROSSES, "f1", ["ib"])]


async def test_another_policy_has_firsts_of_its_own(outside: Outside) -> None:
    outside.measure(IA)
    await outside.keep()
    path = outside.folder / "policy.yaml"
    path.write_text(path.read_text().replace("a test", "another test"))
    outside.news()
    outside.egress.swap(outside.site())
    outside.measure(IA)
    assert outside.news() == [(CROSSES, "f1", ["ia"])]


def test_a_conduit_that_is_shut_for_a_while_tells_nothing_twice(outside: Outside) -> None:
    outside.measure(IA)
    outside.news()
    outside.shut["analytics"] = "stopped"
    outside.egress.shut_or_open()
    outside.measure(IA, SECRET)
    assert outside.news() == []
    outside.shut.clear()
    outside.egress.shut_or_open()
    outside.measure(IA, SECRET)
    assert outside.news() == [(DENIED, "f1", ["secret"])]


@pytest.mark.parametrize("spoilt", ["rubbish", '{"of": 1}', "{}", "[]"])
def test_a_file_that_cannot_be_read_tells_all_again(tmp_path: Path, spoilt: str) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "firsts.json").write_text(spoilt)
    outside = Outside(tmp_path)
    outside.measure(IA)
    outside.egress.close()
    assert outside.news() == [(CROSSES, "f1", ["ia"])]


def test_bits_that_cannot_be_read_tell_all_again(tmp_path: Path) -> None:
    made = Outside(tmp_path)
    made.egress.close()
    (tmp_path / "state").mkdir()
    left: Sequence[object]
    for left in (["zz", "zz"], [1, 2], ["", ""]):
        content = {"of": made.firsts._of, "left": {"analytics/f1": left}}
        (tmp_path / "state" / "firsts.json").write_text(json.dumps(content))
        again = Outside(tmp_path)
        again.measure(IA, SECRET)
        again.egress.close()
        assert len(again.news()) == 2


def test_many_points_are_named_in_several_records(outside: Outside) -> None:
    points = [type("P", (), {"id": str(n)}) for n in range(IN_ONE_RECORD + 1)]
    sight = outside.firsts._sights[0]
    outside.firsts._say(CROSSES, sight, points, range(len(points)))  # type: ignore[arg-type]  ids alone
    assert [len(names) for _, _, names in outside.news()] == [IN_ONE_RECORD, 1]


def test_news_are_seen_once() -> None:
    unseen = np.array([True, False, True])
    assert news(unseen, np.array([0, 0, 1, 2], np.int32)) == [0, 2]
    assert not unseen.any()
