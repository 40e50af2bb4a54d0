"""A lane that is read in two places at once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from otgate.model import Lane
from otgate.spool.items import Epoch, Item, Passed
from otgate.spool.reader import GapReason, Place, SpoolReader
from otgate.spool.retention import Retention
from otgate.spool.writer import SpoolWriter
from spools import (
    AMPLE,
    NOW_NS,
    QUICK,
    QuickFiles,
    acknowledge,
    batch,
    catalog,
    everything,
    frames,
    gaps,
    values,
)

SECOND = 10**9


class Spool:
    """A spool of frames of one sample, a second apart; a sample's value is its age's rank."""

    def __init__(self, directory: Path, retention: Retention = AMPLE) -> None:
        self.directory = directory
        self.retention = retention
        self.seconds = 0
        self.open()

    def open(self) -> None:
        self.writer = SpoolWriter.open(
            self.directory,
            catalog(),
            self.retention,
            files=QuickFiles(),
            pace=QUICK,
            clock=lambda: NOW_NS + self.seconds * SECOND,
        )

    def restart(self) -> None:
        self.writer.close()
        self.open()

    def write(self, count: int) -> None:
        for _ in range(count):
            self.writer.append(Lane.DATA, batch([float(self.seconds)]))
            self.seconds += 1


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path / "spool")
    yield spool
    spool.writer.close()


@pytest.fixture
def reader(spool: Spool, tmp_path: Path) -> Iterator[SpoolReader]:
    reader = SpoolReader.open(spool.directory, tmp_path / "state")
    yield reader
    reader.close()


async def split(reader: SpoolReader, second: int) -> None:
    await reader.split(Lane.DATA, NOW_NS + second * SECOND)


def behind(reader: SpoolReader) -> list[float]:
    return values(iter_behind(reader))


def iter_behind(reader: SpoolReader) -> Iterator[Item]:
    while reader.live_from(Lane.DATA):
        items = reader.read_behind(Lane.DATA, max_frames=3)
        acknowledge(reader, items)
        yield from items


async def test_what_is_new_is_read_first_and_the_rest_behind_it(
    spool: Spool, reader: SpoolReader
) -> None:
    spool.write(20)
    spool.restart()
    await split(reader, 15)
    assert values(everything(reader)) == [15, 16, 17, 18, 19]
    assert reader.backlog(Lane.DATA) == 15
    assert behind(reader) == list(range(15))


async def test_a_split_lane_is_complete_through_its_first_hole(
    spool: Spool, reader: SpoolReader
) -> None:
    spool.write(20)
    spool.restart()
    await split(reader, 15)
    acknowledge(reader, everything(reader))
    assert reader.complete_through(Lane.DATA).seq == 0
    assert len(behind(reader)) == 15
    assert reader.complete_through(Lane.DATA) == (spool.writer.epoch, 0)


async def test_nothing_is_split_where_all_is_new_or_all_is_done(
    spool: Spool, reader: SpoolReader
) -> None:
    spool.write(5)
    spool.restart()
    await split(reader, 0)
    assert reader.live_from(Lane.DATA) is None
    acknowledge(reader, everything(reader))
    reader.rewind()
    await split(reader, 3)
    assert reader.live_from(Lane.DATA) is None


async def test_where_all_is_old_reading_goes_on_with_what_comes(
    spool: Spool, reader: SpoolReader
) -> None:
    spool.write(5)
    spool.restart()
    await split(reader, 99)
    assert values(everything(reader)) == []
    spool.write(2)
    spool.restart()
    assert values(everything(reader)) == [5, 6]
    assert behind(reader) == [0, 1, 2, 3, 4]


async def test_a_restart_between_keeps_what_was_read_first(
    spool: Spool, reader: SpoolReader, tmp_path: Path
) -> None:
    spool.write(20)
    spool.restart()
    await split(reader, 15)
    acknowledge(reader, everything(reader))
    acknowledge(reader, reader.read_behind(Lane.DATA, max_frames=5))
    reader.flush()
    again = SpoolReader.open(spool.directory, tmp_path / "state")
    assert values(everything(again)) == list(range(4, 15))
    again.close()


async def test_what_was_read_first_is_shown_to_who_follows_values(
    spool: Spool, reader: SpoolReader
) -> None:
    spool.write(20)
    spool.restart()
    await split(reader, 15)
    acknowledge(reader, everything(reader))
    reader.show_acknowledged()
    reader.rewind()
    items = everything(reader)
    assert values(items) == list(range(15))
    shown = [item.frame for item in items if isinstance(item, Passed)]
    assert values(shown) == [15, 16, 17, 18, 19]


async def test_epochs_between_are_walked_by_the_one_behind(
    spool: Spool, reader: SpoolReader
) -> None:
    for _ in range(3):
        spool.write(4)
        spool.restart()
    await split(reader, 10)
    assert values(everything(reader)) == [10, 11]
    items = list(iter_behind(reader))
    assert values(items) == list(range(10))
    assert len([item for item in items if isinstance(item, Epoch)]) == 3
    assert not gaps(items)


async def test_retention_that_takes_a_backlog_leaves_a_gap_before_what_is_new(
    tmp_path: Path,
) -> None:
    spool = Spool(tmp_path / "spool", Retention(64 << 10, 10**18))
    reader = SpoolReader.open(spool.directory, tmp_path / "state")
    spool.write(400)
    spool.restart()
    await split(reader, 395)
    first = values(reader.read(Lane.DATA, max_frames=2))
    spool.write(3000)
    spool.restart()
    items = list(iter_behind(reader))
    assert [gap.reason for gap in gaps(items)] == [GapReason.REMOVED]
    assert values(items) + list(range(sum(gap.count for gap in gaps(items)))) == list(range(395))
    assert first == [395]
    reader.close()
    spool.writer.close()


@pytest.mark.parametrize("end", ["ahead", "behind"])
async def test_a_spool_that_begins_again_is_read_once(
    spool: Spool, tmp_path: Path, end: str
) -> None:
    spool.write(20)
    spool.restart()
    reader = SpoolReader.open(spool.directory, tmp_path / "state")
    await split(reader, 15)
    everything(reader)
    acknowledge(reader, reader.read_behind(Lane.DATA, max_frames=3))
    spool.writer.close()
    for segment in spool.directory.glob("*/*.seg"):
        segment.unlink()
    spool.seconds = -(10**6)
    spool.open()
    spool.write(3)
    spool.restart()
    taken = list(iter_behind(reader)) if end == "behind" else []
    new = [value for value in values([*taken, *everything(reader)]) if value < 0]
    assert new == [-(10**6), -(10**6) + 1, -(10**6) + 2]
    assert reader.live_from(Lane.DATA) is None
    assert len(reader.remarks()) == 1
    reader.close()


async def test_the_place_to_go_on_is_found_without_reading_what_is_before(
    spool: Spool, reader: SpoolReader
) -> None:
    spool.write(500)
    spool.restart()
    await split(reader, 499)
    assert reader.live_from(Lane.DATA) == Place(frames(everything(reader))[0].epoch, 499)
