"""A disk that is nearly full: data leaves room to events, and what is new replaces the oldest."""

import errno
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import pytest

from otgate.model import Lane
from otgate.spool.items import GapReason
from otgate.spool.reader import Item, SpoolReader
from otgate.spool.reserve import ASK_EVERY_S
from otgate.spool.writer import Retention, SpoolState, SpoolWriter
from spools import (
    QUICK,
    FaultyFiles,
    batch,
    catalog,
    committed,
    count,
    everything,
    frames,
    gaps,
    values,
)

RESERVE = 16_000_000
KEPT = Retention(1_600_000, 10**18, RESERVE)


@pytest.fixture
def files() -> FaultyFiles:
    return FaultyFiles()


@pytest.fixture
def writer(tmp_path: Path, files: FaultyFiles) -> Iterator[SpoolWriter]:
    writer = SpoolWriter.open(
        tmp_path / "spool", catalog(), KEPT, files=files, pace=QUICK, buffer_bytes=200_000
    )
    yield writer
    files.free_bytes = 1 << 40
    writer.close()


def read(tmp_path: Path, lane: Lane = Lane.DATA) -> list[Item]:
    reader = SpoolReader.open(tmp_path / "spool", tmp_path / "state")
    items = everything(reader, lane)
    reader.close()
    return items


def until(condition: Callable[[], object], limit_s: float = 10.0) -> None:
    deadline_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def failing(writer: SpoolWriter) -> bool:
    return writer.status().state is SpoolState.FAILING


def leave(files: FaultyFiles, free_bytes: int) -> None:
    """Let another program leave so many bytes free, and the writer ask anew."""
    files.free_bytes = free_bytes
    time.sleep(1.2 * ASK_EVERY_S)


def append(writer: SpoolWriter, lane: Lane, value: float) -> int:
    return writer.append(lane, batch([value] * 10))


def test_data_stops_at_the_reserve_and_events_at_half_of_it(
    writer: SpoolWriter, files: FaultyFiles, tmp_path: Path
) -> None:
    leave(files, RESERVE - 1)
    append(writer, Lane.DATA, 1.0)
    until(lambda: failing(writer))
    assert "less than 16 MB are free on the disk" in writer.status().error
    append(writer, Lane.EVENT, 2.0)
    until(lambda: values(read(tmp_path, Lane.EVENT)) == [2.0] * 10)
    assert values(read(tmp_path)) == []
    leave(files, RESERVE // 2 - 1)
    ticket = append(writer, Lane.EVENT, 3.0)
    until(lambda: "less than 8 MB" in writer.status().error or not committed(writer, ticket, 0.5))
    assert values(read(tmp_path, Lane.EVENT)) == [2.0] * 10
    files.free_bytes = 2 * RESERVE
    assert committed(writer, ticket)
    assert values(read(tmp_path)) == [1.0] * 10
    assert values(read(tmp_path, Lane.EVENT)) == [2.0] * 10 + [3.0] * 10


def test_an_event_is_durable_while_data_find_no_room(
    writer: SpoolWriter, files: FaultyFiles, tmp_path: Path
) -> None:
    leave(files, RESERVE - 1)
    data = append(writer, Lane.DATA, 1.0)
    until(lambda: failing(writer))
    event, done = append(writer, Lane.EVENT, 2.0), Event()
    writer.wait_durable(event, done.set, [Lane.EVENT])
    assert done.wait(5)
    assert values(read(tmp_path, Lane.EVENT)) == [2.0] * 10
    assert not committed(writer, data, 0.2)


def test_what_the_reserve_keeps_out_is_an_exact_gap(
    writer: SpoolWriter, files: FaultyFiles, tmp_path: Path
) -> None:
    assert committed(writer, append(writer, Lane.DATA, -1.0))
    leave(files, 0)
    for n in range(3000):
        append(writer, Lane.DATA, float(n))
    until(lambda: failing(writer))
    files.free_bytes = 1 << 40
    until(lambda: not writer.status().buffered_bytes)
    assert committed(writer, append(writer, Lane.DATA, -2.0))
    items = read(tmp_path)
    (gap,) = gaps(items)
    assert gap.reason is GapReason.DROPPED
    assert gap.count == writer.status().dropped[Lane.DATA]
    assert sum(map(count, items)) == 10 * 3002


def test_what_was_written_before_the_reserve_was_met_is_durable(
    writer: SpoolWriter, files: FaultyFiles, tmp_path: Path
) -> None:
    append(writer, Lane.DATA, 1.0)
    until(lambda: values(read(tmp_path)))
    leave(files, 0)
    append(writer, Lane.DATA, 2.0)
    until(lambda: failing(writer))
    segments = list((tmp_path / "spool/data").iterdir())
    files.free_bytes = 1 << 40
    assert committed(writer, append(writer, Lane.DATA, 3.0))
    assert values(read(tmp_path)) == [1.0] * 10 + [2.0] * 10 + [3.0] * 10
    assert len(frames(read(tmp_path))) == 3
    assert set(segments) < set((tmp_path / "spool/data").iterdir())


def test_no_reserve_asks_for_no_room(tmp_path: Path, files: FaultyFiles) -> None:
    files.free_bytes = 0
    writer = SpoolWriter.open(
        tmp_path / "spool", catalog(), Retention(1 << 20, 10**18), files=files
    )
    assert committed(writer, append(writer, Lane.DATA, 1.0))
    assert not files.calls["room"]
    writer.close()


def test_a_disk_that_tells_no_room_is_written_to(
    writer: SpoolWriter, files: FaultyFiles, tmp_path: Path
) -> None:
    files.faults["room"] = errno.EACCES
    assert committed(writer, append(writer, Lane.DATA, 1.0))


def test_on_a_nearly_full_disk_new_data_replaces_the_oldest(
    writer: SpoolWriter, files: FaultyFiles, tmp_path: Path
) -> None:
    for n in range(4000):
        ticket = append(writer, Lane.DATA, float(n))
        assert n % 200 or committed(writer, ticket)
    leave(files, RESERVE + 50_000)
    before = writer.status().disk_bytes
    for n in range(4000):
        ticket = append(writer, Lane.DATA, float(n))
        assert n % 200 or committed(writer, ticket)
    assert committed(writer, ticket)
    assert 0.5 * before < writer.status().disk_bytes < 1.5 * before
    items = read(tmp_path)
    assert {gap.reason for gap in gaps(items)} == {GapReason.REMOVED}
    assert sum(map(count, items)) == 80_000


def test_what_another_program_fills_costs_no_data_that_is_kept(
    writer: SpoolWriter, files: FaultyFiles, tmp_path: Path
) -> None:
    for n in range(4000):
        ticket = append(writer, Lane.DATA, float(n))
        assert n % 200 or committed(writer, ticket)
    for free in (RESERVE + 50_000, RESERVE // 2, 0):
        leave(files, free)
        append(writer, Lane.DATA, -1.0)
    assert gaps(read(tmp_path)) == []
    assert sum(map(count, read(tmp_path))) >= 40_000
