import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from otgate.model import Lane
from otgate.publish.feed import EVENTS_IN_A_ROW, LOOK_AFTER, Feed
from otgate.publish.settings import Backlog
from otgate.spool.files import OperatingSystem
from otgate.spool.items import Frame
from otgate.spool.reader import SpoolReader
from publishing import Feeder


class Counting(OperatingSystem):
    """Counts how often a directory is listed, and how often a file is read."""

    listings = 0
    reads = 0

    def pread(self, descriptor: int, size: int, offset: int) -> bytes:
        self.reads += 1
        return super().pread(descriptor, size, offset)

    def names(self, path: Path) -> list[str]:
        self.listings += 1
        return super().names(path)


@pytest.fixture
def files() -> Counting:
    return Counting()


@pytest.fixture
def feeder(tmp_path: Path) -> Feeder:
    return Feeder(tmp_path / "spool")


@pytest.fixture
def feed(tmp_path: Path, feeder: Feeder, files: Counting) -> Iterator[Feed]:
    reader = SpoolReader.open(tmp_path / "spool", tmp_path / "state", files=files)
    yield Feed(reader, time.time_ns, Backlog())
    reader.close()


def lanes(feed: Feed) -> list[Lane]:
    return [taken.item.lane for taken in iter(feed.take, None) if isinstance(taken.item, Frame)]


def takes_a_frame(feed: Feed) -> bool:
    taken = feed.take()
    return taken is not None and isinstance(taken.item, Frame)


def test_events_go_first_but_data_is_never_kept_waiting(feeder: Feeder, feed: Feed) -> None:
    feeder.measure(times=3)
    for _ in range(12):
        feeder.switch(1)
    feeder.close()
    taken = lanes(feed)
    assert taken[0] is Lane.EVENT
    assert taken.index(Lane.DATA) <= 2 * EVENTS_IN_A_ROW  # the lane's epoch goes first
    assert (taken.count(Lane.EVENT), taken.count(Lane.DATA)) == (12, 3)


def test_a_late_event_overtakes_a_backlog_of_data(feeder: Feeder, feed: Feed) -> None:
    feeder.measure(times=60)
    feeder.writer.close()
    assert feed.take() is not None
    later = Feeder(feeder.directory, feeder.catalog)
    later.switch(1)
    later.close()
    following = [feed.take() for _ in range(LOOK_AFTER + 3)]
    assert Lane.EVENT in {
        taken.item.lane for taken in following if taken and isinstance(taken.item, Frame)
    }


def test_an_empty_event_lane_costs_little(feeder: Feeder, feed: Feed, files: Counting) -> None:
    feeder.measure(times=60)
    feeder.close()
    assert len(lanes(feed)) == 60
    assert files.listings < 30


def test_lanes_that_were_read_to_their_ends_are_not_looked_into_again_at_once(
    feeder: Feeder, feed: Feed, files: Counting
) -> None:
    feeder.measure()
    feeder.close()
    while not takes_a_frame(feed):
        pass
    reads = files.reads
    assert feed.take() is None
    assert files.reads == reads


def test_what_came_meanwhile_is_taken_after_the_wait_for_a_change(
    feeder: Feeder, feed: Feed
) -> None:
    feeder.measure()
    feeder.writer.close()
    while not takes_a_frame(feed):
        pass
    later = Feeder(feeder.directory, feeder.catalog)
    later.measure()
    later.close()
    assert feed.take() is None
    assert len(lanes(feed)) == 1


async def test_a_rewind_starts_again_at_once(feeder: Feeder, feed: Feed) -> None:
    feeder.measure()
    feeder.close()
    while not takes_a_frame(feed):
        pass
    await feed.rewind(0.0)
    assert len(lanes(feed)) == 1
