import errno
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from otgate.errors import SpoolUnusable
from otgate.histogram import Histogram
from otgate.model import Lane, Origin, ValueType
from otgate.spool.files import PRIVATE
from otgate.spool.reader import Epoch, GapReason, SpoolReader
from otgate.spool.recovery import end_of
from otgate.spool.segment import Log, SegmentId, segments
from otgate.spool.writer import Drive, Pace, Retention, SpoolState, SpoolWriter
from spools import (
    AMPLE,
    NOW_NS,
    QUICK,
    FaultyFiles,
    QuickFiles,
    batch,
    catalog,
    committed,
    everything,
    frames,
    future,
    gaps,
    values,
)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def opened(spool: Path, retention: Retention = AMPLE, **other: object) -> SpoolWriter:
    return SpoolWriter.open(
        spool,
        catalog(),
        retention,
        files=QuickFiles(),
        pace=QUICK,
        **other,  # type: ignore[arg-type]
    )


@pytest.fixture
def writer(spool: Path) -> Iterator[SpoolWriter]:
    writer = opened(spool)
    yield writer
    writer.close()


@pytest.fixture
def reader(spool: Path, tmp_path: Path) -> Iterator[SpoolReader]:
    reader = SpoolReader.open(spool, tmp_path / "state")
    yield reader
    reader.close()


def test_what_is_appended_and_committed_is_read(writer: SpoolWriter, reader: SpoolReader) -> None:
    writer.append(Lane.DATA, batch([1.0, 2.0]))
    assert committed(writer, writer.append(Lane.DATA, batch([3.0])))
    assert values(everything(reader)) == [1.0, 2.0, 3.0]


def test_lanes_are_numbered_apart(writer: SpoolWriter, reader: SpoolReader) -> None:
    writer.append(Lane.DATA, batch([1.0, 2.0]))
    assert committed(writer, writer.append(Lane.EVENT, batch([1], ValueType.I64)))
    assert [frame.seq for frame in frames(everything(reader, Lane.EVENT))] == [0]


def test_tickets_rise_with_every_batch(writer: SpoolWriter) -> None:
    first = writer.append(Lane.DATA, batch([1.0]))
    assert writer.append(Lane.EVENT, batch([1.0])) > first


def test_an_empty_batch_takes_nothing(writer: SpoolWriter, reader: SpoolReader) -> None:
    ticket = writer.append(Lane.DATA, batch([1.0]))
    assert writer.append(Lane.DATA, batch([])) == ticket
    assert committed(writer, ticket)
    assert values(everything(reader)) == [1.0]


def test_a_durable_ticket_is_answered_at_once(writer: SpoolWriter) -> None:
    ticket = writer.append(Lane.DATA, batch([1.0]))
    assert committed(writer, ticket)
    answered: list[int] = []
    writer.wait_durable(ticket, lambda: answered.append(threading.get_ident()))
    assert answered == [threading.get_ident()]


def test_a_waiter_whose_loop_is_gone_does_not_end_the_committer(writer: SpoolWriter) -> None:
    def gone() -> None:
        raise RuntimeError("Event loop is closed")

    writer.wait_durable(writer.append(Lane.DATA, batch([1.0])), gone)
    assert committed(writer, writer.append(Lane.DATA, batch([2.0])))


def test_what_nobody_waits_for_is_synced_soon(writer: SpoolWriter) -> None:
    before = writer.status().syncs
    writer.append(Lane.DATA, batch([1.0]))
    for _ in range(500):
        if writer.status().syncs > before and not writer.status().buffered_bytes:
            return
        threading.Event().wait(0.01)
    pytest.fail("not synced")


def test_what_comes_soon_after_a_write_is_written_together(spool: Path) -> None:
    files, pace = FaultyFiles(), Pace(gather_s=0.5)
    writer = SpoolWriter.open(spool, catalog(), AMPLE, files=files, pace=pace)
    before = files.calls["write"]
    writer.append(Lane.DATA, batch([1.0]))
    while files.calls["write"] == before:
        threading.Event().wait(0.01)
    writer.append(Lane.DATA, batch([2.0]))
    threading.Event().wait(0.05)
    writer.append(Lane.DATA, batch([3.0]))
    writer.close()
    assert files.calls["write"] == before + 2


def test_close_keeps_what_was_appended(spool: Path, reader: SpoolReader) -> None:
    writer = opened(spool)
    writer.append(Lane.DATA, batch(range(10)))
    writer.close()
    assert values(everything(reader)) == list(range(10))


def test_every_start_begins_an_epoch_and_says_where_the_last_ended(
    spool: Path, reader: SpoolReader
) -> None:
    first = opened(spool)
    first.append(Lane.DATA, batch([1.0, 2.0]))
    first.close()
    second = opened(spool)
    second.close()
    epoch = [item for item in everything(reader) if isinstance(item, Epoch)][-1]
    assert epoch.epoch == second.epoch > first.epoch == epoch.previous_epoch
    assert (epoch.previous_end, epoch.samples_before) == (2, 2)
    assert epoch.catalog == catalog()


def test_epochs_rise_though_the_clock_goes_back(spool: Path) -> None:
    first = opened(spool, clock=lambda: NOW_NS)
    first.close()
    second = opened(spool, clock=lambda: NOW_NS - 10**18)
    second.close()
    assert second.epoch == first.epoch + 1


def test_old_segments_are_never_modified(spool: Path) -> None:
    first = opened(spool)
    first.append(Lane.DATA, batch([1.0, 2.0]))
    first.close()
    old = {path: path.read_bytes() for path in (spool / "data").iterdir()}
    second = opened(spool)
    second.append(Lane.DATA, batch([3.0]))
    second.close()
    assert {path: path.read_bytes() for path in old} == old


def test_a_second_writer_is_refused_in_a_plain_sentence(writer: SpoolWriter, spool: Path) -> None:
    with pytest.raises(SpoolUnusable, match=f"already: process {os.getpid()}; stop it"):
        opened(spool)
    assert committed(writer, writer.append(Lane.DATA, batch([1.0])))


def test_a_closed_spool_can_be_opened_again(spool: Path) -> None:
    opened(spool).close()
    opened(spool).close()


def test_the_group_may_read_and_nobody_else_write(writer: SpoolWriter, spool: Path) -> None:
    paths = [spool, *spool.rglob("*")]
    modes = {stat.S_IMODE(path.stat().st_mode) for path in paths if path.is_dir()}
    assert modes == {0o750}
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths if path.is_file()} == {0o640}


def test_the_group_of_a_setgid_directory_is_kept(tmp_path: Path) -> None:
    parent = tmp_path / "shared"
    parent.mkdir()
    parent.chmod(0o2750)
    opened(parent / "analytics").close()
    assert (parent / "analytics" / "data").stat().st_mode & stat.S_ISGID


def test_foreign_files_are_left_alone(spool: Path) -> None:
    (spool / "data").mkdir(parents=True)
    foreign = spool / "data" / "README.new"
    foreign.write_text("mine")
    writer = opened(spool, Retention(1, 1))
    writer.close()
    assert foreign.read_text() == "mine"


def test_leftovers_of_a_crash_are_removed(spool: Path) -> None:
    (spool / "data").mkdir(parents=True)
    leftover = spool / "data" / "01JD3K7Q-00000000.new"
    leftover.write_bytes(b"otgspo")
    opened(spool).close()
    assert not leftover.exists()


@pytest.mark.parametrize("below", ["", "spool", "spool/analytics"])
def test_a_spool_at_a_file_or_below_one_is_refused(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolUnusable, match="a file stands where a directory has to be"):
        opened(tmp_path / "file" / below)


def test_a_segment_of_a_later_format_is_refused(spool: Path) -> None:
    (spool / "data").mkdir(parents=True)
    (spool / "data" / "01JD3K7Q-00000000.seg").write_bytes(future(7))
    with pytest.raises(SpoolUnusable, match="format 7"):
        opened(spool)


def test_a_large_batch_is_split_into_frames(spool: Path, reader: SpoolReader) -> None:
    writer = SpoolWriter.open(
        spool, catalog(400_000), AMPLE, files=QuickFiles(), buffer_bytes=64 << 20
    )
    quality = np.arange(400_000, dtype=np.uint32)
    writer.append(Lane.DATA, batch(np.arange(400_000.0), quality=quality))
    writer.close()
    items = everything(reader)
    assert len(frames(items)) == 2
    assert values(items) == list(range(400_000))


def test_a_text_beyond_any_frame_is_a_gap(writer: SpoolWriter, reader: SpoolReader) -> None:
    writer.append(Lane.DATA, batch(["x" * (5 << 20)], ValueType.TEXT))
    assert committed(writer, writer.append(Lane.DATA, batch([1.0])))
    items = everything(reader)
    assert [(gap.seq, gap.count) for gap in gaps(items)] == [(0, 1)]
    assert [frame.seq for frame in frames(items)] == [1]


def test_segments_rotate_by_size(spool: Path, reader: SpoolReader) -> None:
    writer = opened(spool, Retention(16 * 20_000, 10**18))
    for start in range(0, 20_000, 20):
        writer.append(Lane.DATA, batch(range(start, start + 20)))
    writer.close()
    assert len(segments(path.name for path in (spool / "data").iterdir())) > 5
    assert values(everything(reader)) == list(range(20_000))


def test_segments_rotate_by_age(spool: Path) -> None:
    writer = opened(spool, Retention(64 << 20, 16_000_000))
    assert committed(writer, writer.append(Lane.DATA, batch([1.0])))
    threading.Event().wait(0.005)
    assert committed(writer, writer.append(Lane.DATA, batch([2.0])))
    writer.close()
    assert list((spool / "data").glob("*-00000001.seg"))


def test_status_counts(writer: SpoolWriter) -> None:
    assert committed(writer, writer.append(Lane.DATA, batch([1.0, 2.0])))
    status = writer.status()
    assert status.state is SpoolState.WRITING
    assert status.samples == {Lane.DATA: 2, Lane.EVENT: 0}
    assert status.dropped == {Lane.DATA: 0, Lane.EVENT: 0}
    assert status.segments == len(Log)
    assert status.bytes_written == status.disk_bytes > 0
    assert (status.error, status.faults) == ("", 0)


def test_closing_twice_gives_back_one_lock(spool: Path) -> None:
    writer = opened(spool)
    writer.close()
    other = opened(spool)
    writer.close()
    with pytest.raises(SpoolUnusable, match="has a writer already"):
        opened(spool)
    other.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_committer_that_ended_by_mistake_is_said(spool: Path) -> None:
    def mistaken() -> None:
        raise ZeroDivisionError

    writer = opened(spool)
    writer.wait_durable(writer.append(Lane.DATA, batch([1.0])), mistaken)
    writer._committer._thread.join(5)
    assert writer.status().state is SpoolState.FAILING
    assert writer.status().error == "the thread that writes has ended"
    writer.close()


def test_samples_that_are_no_more_are_a_gap_between_those_that_are(
    writer: SpoolWriter, reader: SpoolReader
) -> None:
    writer.append(Lane.DATA, batch([1.0, 2.0]))
    writer.miss(Lane.DATA, 40, 100, 200)
    assert committed(writer, writer.append(Lane.DATA, batch([3.0])))
    _, first, gap, last = everything(reader)
    assert (gap.seq, gap.count, gap.from_ns, gap.to_ns) == (2, 40, 100, 200)  # type: ignore[union-attr]
    assert gaps([gap])[0].reason is GapReason.DROPPED
    assert values([first, last]) == [1.0, 2.0, 3.0]
    assert (writer.next_seq(Lane.DATA), writer.next_seq(Lane.EVENT)) == (43, 0)


def test_a_lanes_samples_are_counted_over_its_epochs(spool: Path) -> None:
    for _ in range(2):
        writer = opened(spool)
        writer.append(Lane.DATA, batch([1.0, 2.0]))
        writer.close()
    again = opened(spool)
    again.append(Lane.DATA, batch([3.0]))
    assert (again.samples(Lane.DATA), again.samples(Lane.EVENT)) == (5, 0)
    again.close()


def test_where_an_epoch_ended_can_be_read_however_many_follow(spool: Path) -> None:
    first = opened(spool)
    first.append(Lane.DATA, batch([1.0, 2.0]))
    first.append(Lane.DATA, batch([3.0]))
    first.close()
    for _ in range(2):
        opened(spool).close()
    ends = [end_of(PRIVATE, spool / log, Log(log), first.epoch) for log in ("data", "event")]
    assert ends == [3, 0]
    assert end_of(PRIVATE, spool / "data", Log.DATA, first.epoch + 9) == 0
    assert end_of(PRIVATE, spool / "none", Log.DATA, first.epoch) == 0


def names_in(directory: Path) -> list[SegmentId]:
    return segments(path.name for path in directory.iterdir())


def test_segments_that_a_reader_has_let_go_are_removed_and_no_others(spool: Path) -> None:
    writer = opened(spool, Retention(256 << 10, 10**18), drive=Drive.HAND)
    for _ in range(40):
        writer.append(Lane.DATA, batch(range(500)))
        writer.cycle()
    found = names_in(spool / "data")
    assert len(found) > 5
    writer.let_go(Lane.DATA, found[3])
    while writer.status().segments == len(found) + 2:
        writer.append(Lane.DATA, batch(range(500)))
        writer.cycle()
    left = names_in(spool / "data")
    assert left[: len(found) - 3] == found[3:]
    writer.let_go(Lane.DATA, SegmentId(1 << 39, 0))
    writer.close()
    assert names_in(spool / "data")


def test_what_is_private_is_read_by_nobody_else(tmp_path: Path) -> None:
    SpoolWriter.open(tmp_path / "delay" / "one", catalog(), AMPLE, files=PRIVATE).close()
    made = [tmp_path / "delay", *(tmp_path / "delay").rglob("*")]
    modes = {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in made}
    assert modes == {(True, 0o700), (False, 0o600)}


def observed(histogram: Histogram) -> int:
    return sum(histogram.counts)


def test_the_oldest_sample_of_a_write_is_timed_once_for_all_of_it(tmp_path: Path) -> None:
    writer = SpoolWriter.open(
        tmp_path / "spool", catalog(), AMPLE, files=QuickFiles(), drive=Drive.HAND,
        clock=lambda: NOW_NS + 2_000_000_000,
    )  # fmt: skip
    writer.append(Lane.DATA, batch([1.0], received_ns=NOW_NS))
    writer.append(Lane.DATA, batch([2.0], received_ns=NOW_NS + 1_000_000_000))
    writer.cycle()
    writer.cycle()
    assert (observed(writer.ages), writer.ages.sum_s) == (1, 2.0)
    writer.append(Lane.DATA, batch([1.0], received_ns=NOW_NS, origin=Origin.REFRESH))
    writer.cycle()
    assert observed(writer.ages) == 1
    writer.close()


def test_a_write_that_fails_keeps_the_age_until_it_is_made_up_for(tmp_path: Path) -> None:
    files, now_ns = FaultyFiles(), [NOW_NS]
    writer = SpoolWriter.open(
        tmp_path / "spool", catalog(), AMPLE, files=files, drive=Drive.HAND, pace=Pace(retry_s=0.0),
        clock=lambda: now_ns[0],
    )  # fmt: skip
    files.faults = {"write": errno.ENOSPC, "create": errno.ENOSPC}
    writer.append(Lane.DATA, batch([1.0], received_ns=NOW_NS))
    writer.cycle()
    assert observed(writer.ages) == 0
    files.faults.clear()
    now_ns[0] += 60_000_000_000
    writer.cycle()
    assert (observed(writer.ages), writer.ages.sum_s) == (1, 60.0)
    writer.close()


def test_syncs_are_timed_where_there_is_something_to_sync(tmp_path: Path) -> None:
    writer = SpoolWriter.open(tmp_path / "spool", catalog(), AMPLE, files=QuickFiles())
    assert committed(writer, writer.append(Lane.DATA, batch([1.0])))
    count = observed(writer.sync_times)
    assert count >= 1
    assert committed(writer, writer.append(Lane.DATA, batch([])))
    assert observed(writer.sync_times) == count
    writer.close()
