import asyncio
import errno
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import pytest

from otgate.errors import SpoolUnusable
from otgate.model import Lane
from otgate.spool.epoch import epoch_text
from otgate.spool.files import OperatingSystem
from otgate.spool.items import GapReason
from otgate.spool.reader import SAVE_AFTER, Epoch, Frame, Place, SpoolReader
from otgate.spool.writer import SpoolWriter
from spools import (
    AMPLE,
    NOW_NS,
    QUICK,
    FaultyFiles,
    QuickFiles,
    acknowledge,
    batch,
    catalog,
    committed,
    count,
    everything,
    frames,
    future,
    gaps,
    values,
)


class HangingFiles(OperatingSystem):
    """A disk that syncs nothing until it `answers`."""

    def __init__(self) -> None:
        self.answers = Event()

    def sync(self, descriptor: int) -> None:
        assert self.answers.wait(20)


Opening = Callable[[], SpoolReader]


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def files() -> FaultyFiles:
    return FaultyFiles()


@pytest.fixture
def opening(spool: Path, tmp_path: Path, files: FaultyFiles) -> Iterator[Opening]:
    readers: list[SpoolReader] = []

    def opened() -> SpoolReader:
        readers.append(SpoolReader.open(spool, tmp_path / "state", files=files))
        return readers[-1]

    yield opened
    for reader in readers:
        reader.close()


def written(spool: Path, *columns: list[float], now_ns: int = NOW_NS) -> int:
    writer = SpoolWriter.open(
        spool, catalog(), AMPLE, files=QuickFiles(), pace=QUICK, clock=lambda: now_ns
    )
    for column in columns:
        writer.append(Lane.DATA, batch(column))
    writer.close()
    return writer.epoch


def segment(spool: Path, number: int) -> Path:
    return sorted((spool / "data").glob("*.seg"))[number]


def test_a_reader_may_come_before_the_writer(spool: Path, opening: Opening) -> None:
    reader = opening()
    assert reader.read(Lane.DATA) == []
    assert reader.newest_live() is None
    assert reader.complete_through(Lane.DATA) == Place(0, 0)
    written(spool, [1.0])
    assert values(everything(reader)) == [1.0]


def test_the_first_item_says_which_epoch(spool: Path, opening: Opening) -> None:
    epoch = written(spool, [1.0])
    first = opening().read(Lane.DATA)[0]
    assert first == Epoch(Lane.DATA, epoch, 0, 0, 0, catalog())


def test_frames_of_one_writer_share_their_catalog(spool: Path, opening: Opening) -> None:
    written(spool, [1.0])
    written(spool, [2.0])
    one, other = frames(everything(opening()))
    assert one.catalog is other.catalog
    assert one.batch.device == "f3"


def test_each_item_is_handed_out_once(spool: Path, opening: Opening) -> None:
    written(spool, [1.0], [2.0])
    reader = opening()
    assert values(everything(reader)) == [1.0, 2.0]
    assert reader.read(Lane.DATA) == []


def test_reading_takes_no_more_frames_than_asked_for(spool: Path, opening: Opening) -> None:
    written(spool, [1.0], [2.0], [3.0])
    reader = opening()
    assert len(frames(reader.read(Lane.DATA, max_frames=2))) == 1
    assert values(reader.read(Lane.DATA, max_frames=1)) == [2.0]
    assert values(reader.read(Lane.DATA, max_bytes=1)) == [3.0]


def test_rewind_hands_out_what_is_not_acknowledged(spool: Path, opening: Opening) -> None:
    written(spool, [1.0], [2.0], [3.0])
    reader = opening()
    items = everything(reader)
    acknowledge(reader, [items[2]])
    reader.rewind()
    again = everything(reader)
    assert isinstance(again[0], Epoch)
    assert values(again) == [1.0, 3.0]


def test_part_of_a_frame_can_be_acknowledged(spool: Path, opening: Opening) -> None:
    epoch = written(spool, [0.0, 1.0, 2.0, 3.0, 4.0])
    reader = opening()
    everything(reader)
    reader.acknowledge(Lane.DATA, epoch, 1, 2)
    reader.rewind()
    again = frames(everything(reader))
    assert [(frame.seq, frame.batch.values.tolist()) for frame in again] == [
        (0, [0.0]),
        (3, [3.0, 4.0]),
    ]
    assert again[1].batch.index.tolist() == [3, 4]


def test_rewind_by_seconds_hands_out_what_was_just_acknowledged(
    spool: Path, opening: Opening
) -> None:
    written(spool, [1.0], [2.0])
    reader = opening()
    acknowledge(reader, everything(reader))
    reader.rewind()
    assert values(everything(reader)) == []
    reader.rewind(60.0)
    assert values(everything(reader)) == [1.0, 2.0]


def test_rewind_by_seconds_counts_from_the_last_acknowledgement(
    tmp_path: Path, spool: Path
) -> None:
    written(spool, [1.0], [2.0], [3.0])
    now_s = [1000.0]
    reader = SpoolReader.open(spool, tmp_path / "state", clock_s=lambda: now_s[0])
    items = frames(everything(reader))
    for item in items:
        acknowledge(reader, [item])
        now_s[0] += 10
    now_s[0] += 1000  # the broker was gone for long
    for _ in range(2):
        reader.rewind(15.0)
        assert values(everything(reader)) == [2.0, 3.0]
    reader.close()


def test_a_killed_reader_repeats_at_most_a_window(spool: Path, opening: Opening) -> None:
    written(spool, *([float(n)] for n in range(200)))
    reader = opening()
    reader.flush()
    items = frames(everything(reader))
    acknowledge(reader, items[:150])
    again = opening()  # the first one never saved: it was killed
    assert len(values(everything(again))) <= 50 + SAVE_AFTER


def test_a_rewind_outlives_a_kill(spool: Path, opening: Opening) -> None:
    written(spool, [1.0], [2.0])
    reader = opening()
    acknowledge(reader, everything(reader))
    reader.flush()
    reader.rewind(60.0)
    assert values(everything(opening())) == [1.0, 2.0]


def test_a_long_acknowledged_stretch_does_not_look_like_the_end(
    spool: Path, opening: Opening
) -> None:
    epoch = written(spool, *([float(n)] for n in range(500)))
    reader = opening()
    reader.acknowledge(Lane.DATA, epoch, 1, 498)
    assert values(reader.read(Lane.DATA, max_frames=1, max_bytes=64)) == [0.0]
    assert values(reader.read(Lane.DATA, max_frames=1, max_bytes=64)) == [499.0]


def test_a_cursor_survives_a_restart(spool: Path, opening: Opening) -> None:
    epoch = written(spool, [1.0], [2.0], [3.0])
    reader = opening()
    items = everything(reader)
    acknowledge(reader, items[:2] + items[3:])
    reader.flush()
    again = opening()
    assert again.complete_through(Lane.DATA) == Place(epoch, 1)
    assert values(everything(again)) == [2.0]


def test_what_was_not_flushed_is_read_again(spool: Path, opening: Opening) -> None:
    written(spool, [1.0])
    reader = opening()
    acknowledge(reader, everything(reader))
    assert values(everything(opening())) == [1.0]


def test_flush_writes_nothing_where_nothing_moved(
    spool: Path, opening: Opening, files: FaultyFiles
) -> None:
    written(spool, [1.0])
    reader = opening()
    everything(reader)
    reader.flush()
    written_before = files.calls["write"]
    reader.flush()
    assert files.calls["write"] == written_before


def test_a_cursor_that_cannot_be_saved_is_said_once(
    spool: Path, opening: Opening, files: FaultyFiles
) -> None:
    written(spool, [1.0])
    reader = opening()
    acknowledge(reader, everything(reader))
    files.faults["write"] = errno.ENOSPC
    reader.flush()
    reader.flush()
    (remark,) = reader.remarks()
    assert "cannot be saved: No space left" in remark
    assert reader.unsaved == remark
    assert reader.remarks() == []
    files.faults.clear()
    reader.flush()
    assert reader.remarks() == ["The cursor is saved again."]
    assert reader.unsaved == ""


def test_a_cursor_that_cannot_be_synced_survives_a_stop(
    spool: Path, opening: Opening, files: FaultyFiles
) -> None:
    written(spool, [1.0], [2.0])
    first = opening()
    items = everything(first)
    acknowledge(first, items[:-1])
    first.flush()
    acknowledge(first, items[-1:])
    files.faults["sync"] = errno.EIO
    first.flush()
    assert first.unsaved
    assert opening().complete_through(Lane.DATA) == first.complete_through(Lane.DATA)


async def test_a_disk_that_hangs_does_not_hold_up_the_loop(spool: Path, tmp_path: Path) -> None:
    written(spool, [1.0])
    files = HangingFiles()
    reader = SpoolReader.open(spool, tmp_path / "state", files=files)
    acknowledge(reader, everything(reader))
    keeping = asyncio.ensure_future(reader.keep())
    await asyncio.sleep(0.05)
    assert not keeping.done()
    files.answers.set()
    await keeping
    assert SpoolReader.open(spool, tmp_path / "state").complete_through(Lane.DATA).seq == 1
    reader.close()


def test_the_cursor_moves_on_to_the_next_epoch(spool: Path, opening: Opening) -> None:
    written(spool, [1.0])
    second = written(spool, [2.0, 3.0])
    reader = opening()
    acknowledge(reader, everything(reader))
    assert reader.complete_through(Lane.DATA) == Place(second, 2)


def test_a_damaged_cursor_starts_at_the_oldest_and_says_so(
    spool: Path, tmp_path: Path, opening: Opening
) -> None:
    written(spool, [1.0])
    written(spool, [2.0])
    segment(spool, 0).unlink()
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "cursor.json").write_text("{")
    reader = opening()
    items = everything(reader)
    assert (values(items), gaps(items)) == ([2.0], [])
    assert "starts again at the oldest" in reader.remarks()[0]


def test_samples_removed_before_the_first_read_are_a_gap(spool: Path, opening: Opening) -> None:
    first = written(spool, [1.0, 2.0])
    second = written(spool, [3.0])
    segment(spool, 0).unlink()
    items = everything(opening())
    (gap,) = gaps(items)
    assert (gap.epoch, gap.seq, gap.count) == (first, 0, 2)
    assert [item.epoch for item in items if isinstance(item, Epoch)] == [second]


def test_a_damaged_frame_is_a_gap_once_a_successor_exists(spool: Path, opening: Opening) -> None:
    epoch = written(spool, [1.0], [2.0, 3.0], [4.0])
    path = segment(spool, 0)
    block = bytearray(path.read_bytes())
    block[-80] ^= 1
    path.write_bytes(bytes(block))
    reader = opening()
    assert values(everything(reader)) == [1.0]
    written(spool, [5.0])
    items = everything(reader)
    assert values(items) == [5.0]
    assert gaps(items) == []
    assert [item.previous_end for item in items if isinstance(item, Epoch)] == [1]
    assert reader.complete_through(Lane.DATA).epoch == epoch


def test_damage_after_the_next_epoch_began_is_an_exact_gap(spool: Path, opening: Opening) -> None:
    epoch = written(spool, [1.0], [2.0, 3.0], [4.0])
    written(spool, [5.0], now_ns=NOW_NS + 5_000_000_000)
    path = segment(spool, 0)
    block = bytearray(path.read_bytes())
    block[-80] ^= 1
    path.write_bytes(bytes(block))
    items = everything(opening())
    (gap,) = gaps(items)
    assert (gap.epoch, gap.seq, gap.count) == (epoch, 1, 3)
    assert (gap.from_ns, gap.to_ns) == (NOW_NS, NOW_NS + 5_000_000_000)
    assert gap.reason is GapReason.DAMAGED
    assert values(items) == [1.0, 5.0]


def test_a_damaged_header_is_a_gap(spool: Path, opening: Opening) -> None:
    epoch = written(spool, [1.0, 2.0])
    written(spool, [3.0])
    path = segment(spool, 0)
    path.write_bytes(b"?" + path.read_bytes()[1:])
    items = everything(opening())
    assert [(gap.epoch, gap.count, gap.reason) for gap in gaps(items)] == [
        (epoch, 2, GapReason.DAMAGED)
    ]


def test_a_segment_may_vanish_under_the_reader(spool: Path, opening: Opening) -> None:
    written(spool, [1.0], [2.0])
    written(spool, [3.0])
    reader = opening()
    assert values(reader.read(Lane.DATA, max_frames=1)) == [1.0]
    segment(spool, 0).unlink()
    assert values(everything(reader)) == [2.0, 3.0]


def test_the_directory_may_vanish_and_come_back(spool: Path, opening: Opening) -> None:
    epoch = written(spool, [1.0])
    reader = opening()
    acknowledge(reader, everything(reader))
    shutil.move(spool, spool.with_name("away"))
    assert reader.read(Lane.DATA) == []
    reader.rewind()
    assert reader.read(Lane.DATA) == []
    assert reader.complete_through(Lane.DATA) == Place(epoch, 1)
    shutil.move(spool.with_name("away"), spool)
    written(spool, [2.0])
    assert values(everything(reader)) == [2.0]


@pytest.mark.parametrize("later_s", [-100_000, 100_000])
def test_a_spool_emptied_and_begun_again_is_read_from_its_start(
    later_s: int, spool: Path, opening: Opening
) -> None:
    written(spool, [1.0, 2.0])
    reader = opening()
    acknowledge(reader, everything(reader))
    reader.flush()
    shutil.rmtree(spool)
    epoch = written(spool, [7.0], now_ns=NOW_NS + later_s * 10**9)
    written(spool, [8.0], now_ns=NOW_NS + later_s * 10**9)
    again = opening()
    items = everything(again)
    assert values(items) == [7.0, 8.0]
    assert gaps(items) == []
    assert frames(items)[0].epoch == epoch
    acknowledge(again, items)
    assert again.complete_through(Lane.DATA).epoch > epoch


def test_a_running_reader_follows_a_spool_begun_again_earlier(
    spool: Path, opening: Opening
) -> None:
    written(spool, [1.0])
    reader = opening()
    acknowledge(reader, everything(reader))
    shutil.rmtree(spool)
    written(spool, [7.0], now_ns=NOW_NS - 10**15)
    assert values(everything(reader)) == [7.0]
    assert "emptied and begun again" in reader.remarks()[0]


def test_a_later_format_is_said(spool: Path, opening: Opening) -> None:
    (spool / "data").mkdir(parents=True)
    (spool / "data" / f"{epoch_text(9)}-00000000.seg").write_bytes(future(3))
    with pytest.raises(SpoolUnusable, match="format 3"):
        opening().read(Lane.DATA)


@pytest.mark.parametrize("operation", ["names", "open", "pread"])
def test_a_disk_error_while_reading_is_waited_out(
    operation: str, spool: Path, opening: Opening, files: FaultyFiles
) -> None:
    written(spool, [1.0])
    reader = opening()
    files.faults[operation] = errno.EIO
    assert reader.read(Lane.DATA) == []
    assert reader.newest_live() is None
    files.faults.clear()
    assert values(everything(reader)) == [1.0]


def test_nothing_is_written_in_the_spool(spool: Path, opening: Opening) -> None:
    written(spool, [1.0])
    before = {path: path.stat().st_mtime_ns for path in spool.rglob("*")}
    reader = opening()
    acknowledge(reader, everything(reader))
    reader.flush()
    assert {path: path.stat().st_mtime_ns for path in spool.rglob("*")} == before


def test_a_frame_longer_than_a_block_is_read(spool: Path, opening: Opening) -> None:
    writer = SpoolWriter.open(spool, catalog(100_000), AMPLE, files=QuickFiles())
    assert committed(writer, writer.append(Lane.DATA, batch(range(100_000))))
    writer.close()
    items = everything(opening())
    assert [count(item) for item in items if isinstance(item, Frame)] == [100_000]


def test_waiting_costs_a_few_calls(spool: Path, opening: Opening, files: FaultyFiles) -> None:
    written(spool, [1.0])
    reader = opening()
    everything(reader)
    files.calls.clear()
    assert reader.read(Lane.DATA) == []
    assert files.calls.total() <= 3
