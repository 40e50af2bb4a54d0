import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from otgate.model import Lane
from otgate.publish.feed import EVENTS_IN_A_ROW, LOOK_AFTER, LOOK_AFTER_NS, Feed, Room
from otgate.publish.message import Urgency
from otgate.publish.settings import Backlog, Order
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
def feed(tmp_path: Path, files: Counting) -> Iterator[Feed]:
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


def test_over_a_narrow_link_an_event_does_not_wait_for_many_data_items(
    feeder: Feeder, tmp_path: Path
) -> None:
    feeder.measure(times=60)
    feeder.writer.close()
    now_ns = time.time_ns()
    reader = SpoolReader.open(tmp_path / "spool", tmp_path / "state")
    feed = Feed(reader, lambda: now_ns, Backlog())
    while not (taken := feed.take()) or not isinstance(taken.item, Frame):
        pass
    later = Feeder(feeder.directory, feeder.catalog)
    later.switch(1)
    later.close()
    now_ns += LOOK_AFTER_NS
    following = [feed.take() for _ in range(3)]  # of the event lane an epoch goes first
    assert next(t.item.lane for t in following if t and isinstance(t.item, Frame)) is Lane.EVENT
    reader.close()


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


@pytest.fixture
def outage(tmp_path: Path) -> Feeder:
    """A spool with 60 scans and 3 events from an hour ago; what follows is new."""
    old = Feeder(tmp_path / "spool", clock=lambda: time.time_ns() - 3600 * 10**9)
    old.measure(times=60)
    for _ in range(3):
        old.switch(1)
    old.close()
    return Feeder(tmp_path / "spool")


def urgencies(feed: Feed, late: Room = Room.FREE) -> list[tuple[Lane, Urgency]]:
    taken = iter(lambda: feed.take(late), None)
    return [(one.item.lane, one.urgency) for one in taken if isinstance(one.item, Frame)]


async def test_what_is_live_is_taken_first_and_the_rest_behind_it(
    outage: Feeder, feed: Feed
) -> None:
    outage.measure(times=3)
    outage.close()
    await feed.rewind(0.0)
    assert feed.live_from is not None
    assert urgencies(feed).count((Lane.DATA, Urgency.LIVE)) == 3
    behind = list(iter(feed.take_behind, None))
    assert {one.urgency for one in behind} == {Urgency.LATE}
    assert len([one for one in behind if isinstance(one.item, Frame)]) == 60
    assert feed.live_from is None


async def test_late_events_wait_for_room_and_hold_up_nothing(outage: Feeder, feed: Feed) -> None:
    outage.measure(times=3)
    outage.close()
    await feed.rewind(0.0)
    assert urgencies(feed, Room.TAKEN) == 3 * [(Lane.DATA, Urgency.LIVE)]
    feed.look_again()
    assert urgencies(feed) == 3 * [(Lane.EVENT, Urgency.LATE)]


async def test_during_a_backlog_what_is_live_is_looked_for_now_and_then(
    outage: Feeder, feed: Feed, files: Counting
) -> None:
    outage.close()
    await feed.rewind(0.0)
    urgencies(feed)
    feed.take_behind()
    reads = files.reads
    for _ in range(LOOK_AFTER - 1):
        assert feed.take() is None
        feed.take_behind()
    assert files.reads == reads
    later = Feeder(outage.directory, outage.catalog)
    later.measure()
    later.close()
    assert urgencies(feed) == [(Lane.DATA, Urgency.LIVE)]


async def test_live_data_that_became_old_are_behind_after_a_rewind(
    tmp_path: Path, feeder: Feeder
) -> None:
    ages = [0]
    reader = SpoolReader.open(tmp_path / "spool", tmp_path / "state")
    feed = Feed(reader, lambda: time.time_ns() + ages[0], Backlog())
    feeder.measure(times=3)
    feeder.close()
    await feed.rewind(0.0)
    assert feed.live_from is None
    ages[0] = 60 * 10**9
    assert urgencies(feed) == []
    assert feed.overdue
    await feed.rewind(0.0)
    assert not feed.overdue
    assert len([one for one in iter(feed.take_behind, None) if isinstance(one.item, Frame)]) == 3
    reader.close()


async def test_in_strict_order_nothing_is_behind(tmp_path: Path, outage: Feeder) -> None:
    reader = SpoolReader.open(tmp_path / "spool", tmp_path / "state")
    feed = Feed(reader, time.time_ns, Backlog(Order.STRICT))
    outage.measure(times=3)
    outage.close()
    await feed.rewind(0.0)
    taken = [urgency for lane, urgency in urgencies(feed) if lane is Lane.DATA]
    assert taken == 60 * [Urgency.LATE] + 3 * [Urgency.LIVE]
    assert feed.take_behind() is None
    reader.close()
