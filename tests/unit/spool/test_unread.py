"""How much of a lane a reader has before it, as files' sizes tell."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from otgate.model import Lane
from otgate.spool.reader import SpoolReader
from otgate.spool.retention import SMALLEST_SEGMENT_BYTES, Retention
from otgate.spool.writer import SpoolWriter
from spools import NOW_NS, QUICK, QuickFiles, acknowledge, batch, catalog, committed, everything

SMALL = Retention(16 * SMALLEST_SEGMENT_BYTES, 10**18)
"""Segments of the smallest size, which is some kilobytes."""


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[SpoolReader]:
    opened = SpoolReader.open(tmp_path / "spool", tmp_path / "state", files=QuickFiles())
    yield opened
    opened.close()


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[SpoolWriter]:
    opened = SpoolWriter.open(
        tmp_path / "spool", catalog(), SMALL, files=QuickFiles(), pace=QUICK, clock=lambda: NOW_NS
    )
    yield opened
    opened.close()


def spool(writer: SpoolWriter, times: int = 1) -> None:
    for _ in range(times):
        ticket = writer.append(Lane.DATA, batch([1.0] * 20))
    assert committed(writer, ticket)


def size(tmp_path: Path) -> int:
    return sum(path.stat().st_size for path in (tmp_path / "spool" / "data").glob("*.seg"))


def test_what_is_read_is_no_longer_unread(writer: SpoolWriter, reader: SpoolReader) -> None:
    spool(writer)
    assert reader.unread(Lane.DATA).size_bytes > 0
    everything(reader)
    assert reader.unread(Lane.DATA) == (0, NOW_NS)
    spool(writer, 3)
    assert reader.unread(Lane.DATA).size_bytes > 3 * 20 * 8
    assert reader.unread(Lane.EVENT).read_ns == 0


def test_a_backlog_over_segments_is_all_that_lies_on_the_disk(
    writer: SpoolWriter, reader: SpoolReader, tmp_path: Path
) -> None:
    spool(writer, 200)
    assert len(list((tmp_path / "spool" / "data").glob("*.seg"))) > 2
    assert reader.unread(Lane.DATA).size_bytes == size(tmp_path)
    reader.read(Lane.DATA, max_frames=1)
    assert size(tmp_path) - 2000 < reader.unread(Lane.DATA).size_bytes < size(tmp_path)


def test_after_a_rewind_segments_that_are_acknowledged_whole_are_left_out(
    writer: SpoolWriter, reader: SpoolReader, tmp_path: Path
) -> None:
    spool(writer, 200)
    acknowledge(reader, everything(reader))
    reader.rewind()
    newest = max((tmp_path / "spool" / "data").glob("*.seg")).stat().st_size
    assert reader.unread(Lane.DATA).size_bytes == newest


def test_an_older_epoch_that_is_left_is_out_and_a_newer_one_is_in(
    writer: SpoolWriter, reader: SpoolReader, tmp_path: Path
) -> None:
    spool(writer)
    acknowledge(reader, everything(reader))
    writer.close()
    with_both = SpoolWriter.open(tmp_path / "spool", catalog(note="new"), SMALL, pace=QUICK)
    spool(with_both)
    with_both.close()
    newest = max((tmp_path / "spool" / "data").glob("*.seg")).stat().st_size
    assert reader.unread(Lane.DATA).size_bytes == newest
    acknowledge(reader, everything(reader))
    reader.rewind()
    assert reader.unread(Lane.DATA).size_bytes == newest


def test_without_a_spool_nothing_is_unread(reader: SpoolReader) -> None:
    assert reader.unread(Lane.DATA) == (0, 0)
