from collections import deque
from pathlib import Path

from otgate.model import Lane
from otgate.spool.items import GapReason
from otgate.spool.reader import Epoch, SpoolReader
from otgate.spool.recovery import Kept
from otgate.spool.retention import Retention, surplus
from otgate.spool.segment import Log, SegmentId
from otgate.spool.writer import SpoolWriter
from spools import (
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
    gaps,
)

HOUR_NS = 3_600_000_000_000
SMALL = Retention(100_000, 10**18)


def kept(*sizes: int, closed_ns: int = NOW_NS) -> deque[Kept]:
    return deque(Kept(SegmentId(1, n), size, closed_ns) for n, size in enumerate(sizes))


def dropped(retention: Retention, data: deque[Kept], event: deque[Kept]) -> list[tuple[Log, int]]:
    found = surplus(retention, data, event, 10, NOW_NS)
    return [(log, each.id.number) for log, each in found]


def test_nothing_goes_while_there_is_room() -> None:
    assert dropped(Retention(100, HOUR_NS), kept(40), kept(50)) == []


def test_the_oldest_data_goes_first() -> None:
    assert dropped(Retention(100, HOUR_NS), kept(40, 40), kept(50)) == [(Log.DATA, 0)]


def test_events_go_once_no_data_is_left() -> None:
    gone = dropped(Retention(60, HOUR_NS), kept(40), kept(30, 50))
    assert gone == [(Log.DATA, 0), (Log.EVENT, 0)]


def test_what_is_too_old_goes_from_both() -> None:
    old = NOW_NS - HOUR_NS - 1
    gone = dropped(Retention(1000, HOUR_NS), kept(1, closed_ns=old), kept(1, closed_ns=old))
    assert gone == [(Log.DATA, 0), (Log.EVENT, 0)]


def test_segments_are_a_sixteenth_and_bounded() -> None:
    assert Retention(32 << 20, HOUR_NS).limits.size_bytes == 2 << 20
    assert Retention(1 << 30, HOUR_NS).limits.size_bytes == 8 << 20
    assert Retention(1, HOUR_NS).limits.size_bytes == 16 << 10
    assert Retention(1, HOUR_NS).limits.age_s == 225


def filled(spool: Path, lane: Lane, frames: int, retention: Retention = SMALL) -> int:
    writer = SpoolWriter.open(spool, catalog(), retention, files=QuickFiles(), pace=QUICK)
    for n in range(frames):
        ticket = writer.append(lane, batch(range(n, n + 20)))
    assert committed(writer, ticket)
    writer.close()
    return writer.epoch


def test_bytes_on_the_disk_stay_bounded(tmp_path: Path) -> None:
    filled(tmp_path, Lane.DATA, 2_000)
    size = sum(path.stat().st_size for path in tmp_path.rglob("*.seg"))
    assert size < SMALL.size_bytes + 2 * SMALL.limits.size_bytes


def test_events_outlive_data(tmp_path: Path) -> None:
    filled(tmp_path / "s", Lane.EVENT, 100)
    filled(tmp_path / "s", Lane.DATA, 2_000)
    reader = SpoolReader.open(tmp_path / "s", tmp_path / "state")
    assert sum(map(count, frames(everything(reader, Lane.EVENT)))) == 2_000
    assert gaps(everything(reader, Lane.DATA))
    reader.close()


def test_what_retention_took_unread_is_one_exact_gap(tmp_path: Path) -> None:
    epoch = filled(tmp_path / "s", Lane.DATA, 2_000)
    reader = SpoolReader.open(tmp_path / "s", tmp_path / "state")
    items = everything(reader)
    (gap,) = gaps(items)
    assert (gap.epoch, gap.seq, gap.reason) == (epoch, 0, GapReason.REMOVED)
    assert frames(items)[0].seq == gap.count
    assert sum(map(count, items)) == 40_000
    reader.close()


def test_whole_epochs_that_went_unread_are_counted(tmp_path: Path) -> None:
    reader = SpoolReader.open(tmp_path / "s", tmp_path / "state")
    first = filled(tmp_path / "s", Lane.DATA, 10)
    acknowledge(reader, everything(reader)[:3])
    for number in (7, 11, 2_000):
        last = filled(tmp_path / "s", Lane.DATA, number)
    reader.rewind()
    items = everything(reader)
    assert sum(map(count, items)) == 20 * (10 - 2 + 7 + 11 + 2_000)
    assert gaps(items)[0].epoch == first
    assert (gaps(items)[0].seq, gaps(items)[0].count) == (40, 20 * (10 - 2 + 7))
    assert [item.epoch for item in items if isinstance(item, Epoch)] == [last]
    reader.close()


def test_a_segment_that_cannot_be_removed_stays_counted(tmp_path: Path) -> None:
    files = FaultyFiles()
    writer = SpoolWriter.open(tmp_path, catalog(), SMALL, files=files, pace=QUICK)
    files.faults["unlink"] = 5
    for n in range(1_000):
        ticket = writer.append(Lane.DATA, batch(range(n, n + 20)))
    assert committed(writer, ticket)
    assert writer.status().disk_bytes > SMALL.size_bytes
    files.faults.clear()
    for n in range(200):
        ticket = writer.append(Lane.DATA, batch(range(n, n + 20)))
    assert committed(writer, ticket)
    writer.close()
    assert writer.status().disk_bytes < SMALL.size_bytes + 2 * SMALL.limits.size_bytes
