from collections.abc import Iterable
from pathlib import Path

import pytest

from otgate.errors import SpoolUnusable
from otgate.model import Lane
from otgate.spool.items import Frame, Gap
from otgate.spool.reader import Place, SpoolReader
from otgate.spool.survey import LaneSurvey, survey
from otgate.spool.walk import Walk, Walked
from otgate.spool.writer import Retention, SpoolWriter
from spools import AMPLE, NOW_NS, QUICK, QuickFiles, acknowledge, batch, catalog, future

HOUR_NS = 3600 * 10**9


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def written(
    spool: Path, *columns: list[float], at_ns: int = NOW_NS, keeps: Retention = AMPLE
) -> int:
    """Write a new epoch, a minute for each column."""
    now = [at_ns]
    writer = SpoolWriter.open(
        spool, catalog(), keeps, files=QuickFiles(), pace=QUICK, clock=lambda: now[0]
    )
    for column in columns:
        writer.append(Lane.DATA, batch(column, received_ns=now[0]))
        now[0] += 60 * 10**9
    writer.close()
    return writer.epoch


def data(spool: Path, state: Path | None = None) -> LaneSurvey:
    [lane] = [each for each in survey(spool, state).lanes if each.lane is Lane.DATA]
    return lane


def read_some(spool: Path, state: Path, frames: int) -> None:
    reader = SpoolReader.open(spool, state, files=QuickFiles())
    items = reader.read(Lane.DATA, max_frames=frames + 1)  # and the epoch
    acknowledge(reader, items)
    reader.close()


def test_an_epoch_tells_its_numbers_and_times(spool: Path) -> None:
    epoch = written(spool, [1.0, 2.0], [3.0])
    [told] = data(spool).epochs
    assert (told.epoch, told.first.first_seq, told.end.seq, told.samples) == (epoch, 0, 3, 3)
    assert told.end.ns == NOW_NS + 60 * 10**9
    assert told.size_bytes == sum(file.stat().st_size for file in (spool / "data").glob("*.seg"))


def test_epochs_are_told_one_by_one(spool: Path) -> None:
    first = written(spool, [1.0, 2.0])
    second = written(spool, [3.0], at_ns=NOW_NS + HOUR_NS)
    assert [(one.epoch, one.samples) for one in data(spool).epochs] == [(first, 2), (second, 1)]


def test_what_is_not_acknowledged_is_counted_over_epochs(spool: Path, tmp_path: Path) -> None:
    epoch = written(spool, [1.0, 2.0], [3.0])
    written(spool, [4.0, 5.0], at_ns=NOW_NS + HOUR_NS)
    read_some(spool, tmp_path, 1)
    left = data(spool, tmp_path).unacknowledged
    assert left is not None
    assert (left.through, left.samples) == (Place(epoch, 2), 3)
    assert left.oldest_ns == NOW_NS + 60 * 10**9


def test_nothing_left_has_no_age(spool: Path, tmp_path: Path) -> None:
    written(spool, [1.0, 2.0], [3.0])
    read_some(spool, tmp_path, 2)
    left = data(spool, tmp_path).unacknowledged
    assert left is not None
    assert (left.samples, left.oldest_ns) == (0, 0)


def test_what_was_acknowledged_out_of_order_is_not_left(spool: Path, tmp_path: Path) -> None:
    epoch = written(spool, [1.0, 2.0], [3.0])
    reader = SpoolReader.open(spool, tmp_path, files=QuickFiles())
    reader.read(Lane.DATA)
    reader.acknowledge(Lane.DATA, epoch, 2, 1)
    reader.close()
    left = data(spool, tmp_path).unacknowledged
    assert left is not None
    assert left.samples == 2


def test_without_a_cursor_nothing_is_said_of_it(spool: Path, tmp_path: Path) -> None:
    written(spool, [1.0])
    assert data(spool, tmp_path / "nowhere").unacknowledged is None


def test_a_damaged_cursor_is_said_and_left_where_it_is(spool: Path, tmp_path: Path) -> None:
    written(spool, [1.0])
    (tmp_path / "cursor.json").write_text("{}")
    with pytest.raises(SpoolUnusable, match="cannot be used"):
        survey(spool, tmp_path)
    assert (tmp_path / "cursor.json").read_text() == "{}"


def test_a_damaged_header_is_named(spool: Path) -> None:
    written(spool, [1.0])
    broken = spool / "data" / "01JD3K7Q-00000000.seg"
    broken.write_bytes(b"nothing")
    lane = data(spool)
    assert lane.damaged == [broken.name]
    assert sum(one.samples for one in lane.epochs) == 1


def test_a_newer_format_names_the_remedy(spool: Path) -> None:
    written(spool, [1.0])
    (spool / "data" / "7ZZZZZZZ-00000000.seg").write_bytes(future(2))
    with pytest.raises(SpoolUnusable, match="Run the version of otgate that wrote it"):
        survey(spool)


def test_what_is_no_spool_is_said(tmp_path: Path) -> None:
    with pytest.raises(SpoolUnusable, match="is no spool"):
        survey(tmp_path)


def test_the_rate_is_that_of_the_last_day(spool: Path) -> None:
    written(spool, [1.0] * 1000, at_ns=NOW_NS - 48 * HOUR_NS)
    written(spool, [1.0], [2.0], [3.0])
    rate = survey(spool).rate()
    assert rate is not None
    assert rate.over_ns == 120 * 10**9
    lately = sum(each.size_bytes for lane in survey(spool).lanes for each in lane.epochs[-1:])
    events = [each for each in survey(spool).lanes if each.lane is Lane.EVENT]
    assert events[0].epochs[-1].size_bytes < rate.bytes_per_hour / 30 <= lately


def test_of_a_moment_there_is_no_rate(spool: Path) -> None:
    written(spool, [1.0])
    assert survey(spool).rate() is None


def test_nothing_of_a_spool_changes(spool: Path, tmp_path: Path) -> None:
    written(spool, [1.0])
    read_some(spool, tmp_path / "state", 1)

    def everything() -> dict[str, tuple[bytes, int]]:
        found = (path for path in tmp_path.rglob("*") if path.is_file())
        return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in found}

    before = everything()
    survey(spool, tmp_path / "state")
    list(Walk(spool, Lane.DATA).everything())
    assert everything() == before


# Walks


def values(walked: Iterable[Walked]) -> list[float]:
    frames = [each.item for each in walked if isinstance(each.item, Frame)]
    return [value for frame in frames for value in frame.batch.values.tolist()]


@pytest.fixture
def several(spool: Path) -> Walk:
    for number in range(4):
        written(spool, [float(number)], at_ns=NOW_NS + number * HOUR_NS)
    return Walk(spool, Lane.DATA)


def test_everything_is_walked(several: Walk) -> None:
    assert values(several.everything()) == [0.0, 1.0, 2.0, 3.0]


def test_a_walk_since_begins_with_the_segment_of_that_time(several: Walk) -> None:
    assert values(several.since(NOW_NS + 2 * HOUR_NS + 1)) == [2.0, 3.0]


def test_a_walk_since_before_everything_is_everything(several: Walk) -> None:
    assert values(several.since(NOW_NS - HOUR_NS)) == [0.0, 1.0, 2.0, 3.0]


def test_a_clock_set_back_hides_nothing_from_a_walk(spool: Path) -> None:
    written(spool, [1.0], at_ns=NOW_NS)
    written(spool, [2.0], at_ns=NOW_NS + 3 * HOUR_NS)
    written(spool, [3.0], at_ns=NOW_NS + HOUR_NS)
    assert 2.0 in values(Walk(spool, Lane.DATA).since(NOW_NS + 2 * HOUR_NS))


def test_a_walk_at_a_place_begins_with_its_segment(several: Walk, spool: Path) -> None:
    epoch = data(spool).epochs[1].epoch
    assert values(several.at(Place(epoch, 0))) == [1.0, 2.0, 3.0]


def test_the_newest_is_the_last_segment(several: Walk) -> None:
    assert values(several.newest()) == [3.0]


def test_removed_segments_are_a_gap_in_the_middle_alone(several: Walk, spool: Path) -> None:
    files = sorted((spool / "data").glob("*.seg"))
    files[0].unlink()
    files[2].unlink()
    items = [each.item for each in several.everything()]
    assert values(several.everything()) == [1.0, 3.0]
    assert [item.count for item in items if isinstance(item, Gap)] == [1]


def test_a_walk_knows_how_far_it_is(several: Walk) -> None:
    *_, last = several.everything()
    assert (last.segment, last.segments) == (3, 4)
