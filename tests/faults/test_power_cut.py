"""What a power cut has broken once, each in as few steps as it takes."""

import json
from pathlib import Path
from random import Random

import pytest

from cut_disk import CutDisk, Fault, Names, Tails, Trouble
from cut_world import AMPLE, FOR_EVER_NS, STATE, Tight, Violation, Way, World
from otgate.errors import SpoolUnusable
from otgate.model import Lane
from otgate.spool.reader import SpoolReader
from otgate.spool.state_file import StateFile
from otgate.spool.writer import Drive, Pace, SpoolWriter
from spools import batch, catalog, everything, values

WORST = Way(Names.OLD, Tails.NOTHING)
SEEN = Way(Names.NEW, Tails.WHOLE)
WAYS = [Way(names, tails, first) for names in Names for tails in Tails for first in (False, True)]
RNG = Random(0)


def opened(
    disk: CutDisk, directory: Path = Path("/a/b/spool"), pace: Pace | None = None
) -> SpoolWriter:
    pace = pace or Pace()
    return SpoolWriter.open(directory, catalog(), AMPLE, files=disk, drive=Drive.HAND, pace=pace)


def fill(world: World, samples: int) -> None:
    for _ in range(samples):
        world.append(Lane.DATA, 1, 7000)


def confirmed(world: World) -> None:
    world.append(Lane.DATA, 2)
    world.ask()
    world.cycle()
    assert world.books.confirmed[Lane.DATA][world.writer.epoch]


def check(world: World) -> None:
    for way in (WORST, SEEN, Way(Names.OLD, Tails.NOTHING, reader_first=True)):
        world.check(way, RNG)


def test_a_new_spool_is_there_after_a_cut_with_what_it_confirmed() -> None:
    disk, receipts = CutDisk(), list[int]()
    writer = opened(disk)
    writer.wait_durable(writer.append(Lane.DATA, batch([1.0])), lambda: receipts.append(1))
    writer.cycle()
    assert receipts
    left = disk.cut(Names.OLD, Tails.NOTHING, RNG)
    reader = SpoolReader.open(Path("/a/b/spool"), Path("/state"), files=left)
    assert values(everything(reader)) == [1.0]


@pytest.mark.parametrize("operation", ["create", "write", "sync"])
def test_what_a_failing_disk_held_up_is_synced_as_soon_as_it_is_written(operation: str) -> None:
    disk = CutDisk()
    writer = opened(disk, pace=Pace(sync_s=3600.0, retry_s=0.0))
    disk.faults[operation] = Trouble(Fault.BEFORE)
    disk.faults["write"] = Trouble(Fault.BEFORE, times=1)
    writer.append(Lane.DATA, batch([1.0, 2.0]))
    writer.cycle()
    writer.cycle()
    disk.faults.clear()
    writer.cycle()
    left = disk.cut(Names.OLD, Tails.NOTHING, RNG)
    reader = SpoolReader.open(Path("/a/b/spool"), Path("/state"), files=left)
    assert values(everything(reader)) == [1.0, 2.0]


def test_a_spool_made_by_a_writer_that_was_killed_at_once_is_synced_by_the_next() -> None:
    disk = CutDisk()
    disk.mkdir(Path("/a/b/spool/data"))
    writer = opened(disk)
    writer.wait_durable(writer.append(Lane.DATA, batch([1.0])), lambda: None)
    writer.cycle()
    assert disk.cut(Names.OLD, Tails.NOTHING, RNG).names(Path("/a/b/spool"))


def test_a_start_that_failed_gives_the_lock_back() -> None:
    disk = CutDisk()
    disk.faults["sync_directory"] = Trouble(Fault.BEFORE)
    with pytest.raises(SpoolUnusable, match="Input/output"):
        opened(disk)
    disk.faults.clear()
    opened(disk).close()


def test_the_first_cursor_is_there_after_a_cut() -> None:
    world = World()
    confirmed(world)
    world.follow()
    world.flush()
    reader = SpoolReader.open(
        Path("/site/spool/c"), STATE, files=world.disk.cut(Names.OLD, Tails.NOTHING, RNG)
    )
    assert reader.complete_through(Lane.DATA).seq == 2


@pytest.mark.parametrize("kill", [False, True])
def test_a_state_file_whose_exchange_was_not_synced_is_never_written_over(
    kill: bool,  # noqa: FBT001  a parameter
) -> None:
    disk = CutDisk()
    file = StateFile(Path("/state/a.json"), disk)
    file.write(b"1")
    disk.faults["sync_directory"] = Trouble(Fault.BEFORE)
    with pytest.raises(OSError, match="Input/output"):
        file.write(b"2")
    disk.faults.clear()
    if kill:
        file = StateFile(Path("/state/a.json"), disk)
    left: list[bytes] = []

    def cut() -> None:
        torn = disk.cut(Names.OLD, Tails.GARBAGE, RNG)
        left.append(StateFile(Path("/state/a.json"), torn).read())

    disk.after = cut
    file.write(b"3")
    assert {json.loads(each) for each in left} <= {1, 2, 3}


def test_an_epoch_whose_samples_were_read_is_not_given_again_though_its_file_failed() -> None:
    world = World()
    world.fail("rename", Fault.BEFORE, times=2)
    world.begin_writer()
    world.append(Lane.DATA, 2)
    world.cycle()
    world.follow()
    world.flush()
    assert world.books.published[Lane.DATA][world.writer.epoch]
    world.fail("sync", Fault.BEFORE)
    world.fail("create", Fault.BEFORE)
    world.ask()
    world.cycle()
    check(world)
    world.clock_ns = 0
    world.begin_writer()


def test_retention_leaves_the_newest_segment_while_the_disk_fails() -> None:
    world = World(Tight(6000, FOR_EVER_NS))
    confirmed(world)
    world.follow()
    world.flush()
    fill(world, 2)
    world.fail("create", Fault.BEFORE)
    world.fail("sync", Fault.BEFORE)
    world.ask()
    for _ in range(3):
        world.cycle()
    check(world)


def test_a_cursor_does_not_enter_an_epoch_whose_name_a_cut_may_take() -> None:
    world = World()
    confirmed(world)
    world.follow()
    seen: list[int] = []

    def look() -> None:
        world.follow()
        world.flush()
        check(world)
        seen.append(1)

    world.at_change = look
    world.loud()
    world.begin_writer()
    assert len(seen) > 3


def test_a_segment_that_comes_back_after_a_cut_does_not_look_like_an_emptied_spool() -> None:
    world = World()
    world.begin_writer()
    confirmed(world)
    world.follow()
    world.flush()
    world.begin_writer()
    (oldest, newer, _) = sorted(world.disk.names(Path("/site/spool/c/data")))
    for name in (oldest, newer):
        world.disk.unlink(Path("/site/spool/c/data") / name)
    left = world.disk.cut(Names.NEW, Tails.WHOLE, RNG)
    world.disk.root = left.root
    data = left._directories["/site/spool/c/data"]
    data.names[oldest] = world.disk._directories["/site/spool/c/data"].durable[oldest]
    reader = SpoolReader.open(Path("/site/spool/c"), STATE, files=left)
    everything(reader)
    assert reader.remarks() == []


def test_an_end_that_only_an_older_segment_reaches_is_found() -> None:
    world = World(buffer_bytes=200_000)
    confirmed(world)
    fill(world, 9)
    world.fail("sync", Fault.BEFORE, times=1)
    world.ask()
    world.cycle()
    for _ in range(2):
        world.fail("write", Fault.BEFORE, grace=2)
        world.cycle()
    assert len(world.disk.names(Path("/site/spool/c/data"))) == 3
    check(world)


def test_a_segment_whose_name_a_cut_may_take_is_no_reason_to_remove_another() -> None:
    world = World(Tight(600, FOR_EVER_NS))
    world.append(Lane.DATA, 1, 7000)
    confirmed(world)
    world.follow()
    world.flush()
    world.close_writer()
    world.fail("rename", Fault.AFTER)
    rng = Random(1)

    def cut() -> None:
        for _ in range(30):
            world.check(Way(Names.EITHER, Tails.NOTHING), rng)

    world.at_change = cut
    world.loud()
    world.begin_writer()


def test_a_reader_looks_back_for_what_only_an_older_segment_kept() -> None:
    world = World()
    confirmed(world)
    world.follow()
    world.flush()
    world.append(Lane.DATA, 3)
    world.fail("sync", Fault.BEFORE, times=1)
    world.ask()
    world.cycle()
    world.fail("write", Fault.BEFORE, grace=1)
    world.cycle()
    data = Path("/site/spool/c/data")
    assert len(world.disk.names(data)) == 1
    world.cure()
    world.at_change = lambda: [world.check(way, RNG) for way in WAYS] and None
    world.loud()
    world.cycle()


def test_a_model_that_loses_what_is_synced_is_noticed() -> None:
    world = World()
    confirmed(world)
    for directory in world.disk._directories.values():
        for node in directory.durable.values():
            if hasattr(node, "durable") and isinstance(node.durable, bytes):
                node.durable = node.durable[:-1]
    with pytest.raises(Violation, match="called durable and is lost"):
        check(world)
