"""A disk that fills, fails and recovers under a writer."""

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from otgate.errors import SpoolUnusable
from otgate.model import Lane
from otgate.spool.items import GapReason
from otgate.spool.reader import Item, SpoolReader
from otgate.spool.segment import segments
from otgate.spool.writer import Pace, SpoolState, SpoolWriter
from spools import (
    AMPLE,
    NOW_NS,
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

OPERATIONS = ["create", "write", "sync", "sync_directory", "rename"]


@pytest.fixture
def files() -> FaultyFiles:
    return FaultyFiles()


@pytest.fixture
def writer(tmp_path: Path, files: FaultyFiles) -> Iterator[SpoolWriter]:
    writer = SpoolWriter.open(
        tmp_path / "spool", catalog(), AMPLE, files=files, pace=QUICK, buffer_bytes=100_000
    )
    yield writer
    files.faults.clear()
    writer.close()


def read(tmp_path: Path, lane: Lane = Lane.DATA) -> list[Item]:
    reader = SpoolReader.open(tmp_path / "spool", tmp_path / "state")
    items = everything(reader, lane)
    reader.close()
    return items


def until(condition: Callable[[], bool], limit_s: float = 5.0) -> None:
    deadline_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.005)


def failing(writer: SpoolWriter) -> bool:
    return writer.status().state is SpoolState.FAILING


def fail(writer: SpoolWriter, files: FaultyFiles, *operations: str) -> None:
    files.faults = dict.fromkeys(operations, errno.ENOSPC)
    writer.wait_durable(writer.append(Lane.DATA, batch([-1.0])), lambda: None)
    until(lambda: failing(writer))


@pytest.mark.parametrize("operation", ["write", "sync"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_fault_loses_nothing_that_fits_the_buffer(
    operation: str, number: int, writer: SpoolWriter, files: FaultyFiles, tmp_path: Path
) -> None:
    assert committed(writer, writer.append(Lane.DATA, batch([0.0])))
    files.faults[operation] = number
    for n in range(1, 50):
        ticket = writer.append(Lane.DATA, batch([float(n)]))
    writer.wait_durable(ticket, lambda: None)
    until(lambda: failing(writer))
    assert os.strerror(number) in writer.status().error
    files.faults.clear()
    assert committed(writer, ticket)
    assert values(read(tmp_path)) == list(range(50))
    assert writer.status().state is SpoolState.WRITING


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_fault_at_rotation_loses_nothing(
    operation: str, writer: SpoolWriter, files: FaultyFiles, tmp_path: Path
) -> None:
    fail(writer, files, "write", operation)
    files.faults.pop("write", None)
    writer.append(Lane.DATA, batch([1.0]))
    files.faults.clear()
    assert committed(writer, writer.append(Lane.DATA, batch([2.0])))
    assert values(read(tmp_path)) == [-1.0, 1.0, 2.0]


def test_a_short_write_is_not_continued_in_its_file(
    writer: SpoolWriter, files: FaultyFiles, tmp_path: Path
) -> None:
    assert committed(writer, writer.append(Lane.DATA, batch([0.0])))
    files.short_writes = 1
    assert committed(writer, writer.append(Lane.DATA, batch([1.0, 2.0])))
    assert values(read(tmp_path)) == [0.0, 1.0, 2.0]
    assert len(segments(path.name for path in (tmp_path / "spool/data").iterdir())) == 2


def test_a_file_is_never_synced_again_after_it_failed(
    writer: SpoolWriter, files: FaultyFiles, tmp_path: Path
) -> None:
    fail(writer, files, "sync")
    first = min((tmp_path / "spool/data").iterdir())
    size = first.stat().st_size
    files.faults.clear()
    assert committed(writer, writer.append(Lane.DATA, batch([1.0])))
    assert first.stat().st_size == size
    assert values(read(tmp_path)) == [-1.0, 1.0]


def test_no_receipt_is_given_while_the_disk_fails(writer: SpoolWriter, files: FaultyFiles) -> None:
    fail(writer, files, "sync")
    ticket = writer.append(Lane.EVENT, batch([1.0]))
    assert not committed(writer, ticket, limit_s=0.2)
    files.faults.clear()
    assert committed(writer, ticket)


def test_recovery_takes_less_than_a_second(tmp_path: Path, files: FaultyFiles) -> None:
    writer = SpoolWriter.open(tmp_path / "spool", catalog(), AMPLE, files=files, pace=Pace())
    fail(writer, files, "write")
    files.faults.clear()
    start_s = time.monotonic()
    assert committed(writer, writer.append(Lane.DATA, batch([1.0])))
    assert time.monotonic() - start_s < 1
    writer.close()


def test_a_long_fault_leaves_no_litter_and_does_not_spin(
    tmp_path: Path, files: FaultyFiles
) -> None:
    writer = SpoolWriter.open(tmp_path, catalog(), AMPLE, files=files, pace=Pace(retry_s=0.05))
    fail(writer, files, "sync_directory", "write")
    files.calls.clear()
    time.sleep(0.5)
    assert 2 <= files.calls["create"] <= 2 * 11
    assert len(list((tmp_path / "data").iterdir())) == 1
    files.faults.clear()
    writer.close()


def overfill(writer: SpoolWriter, lane: Lane, first: int, batches: int) -> int:
    for n in range(first, first + batches):
        writer.append(lane, batch([float(n)] * 10, received_ns=NOW_NS + n))
    return first + batches


def test_what_finds_no_room_is_one_exact_gap(
    writer: SpoolWriter, files: FaultyFiles, tmp_path: Path
) -> None:
    fail(writer, files, "write")
    overfill(writer, Lane.DATA, 0, 1000)
    files.faults.clear()
    until(lambda: not writer.status().buffered_bytes)
    assert committed(writer, writer.append(Lane.DATA, batch([7.0])))
    items = read(tmp_path)
    (gap,) = gaps(items)
    kept = len(frames(items)) - 2
    assert gap.reason is GapReason.DROPPED
    assert (gap.seq, gap.count) == (1 + kept * 10, (1000 - kept) * 10)
    assert (gap.from_ns, gap.to_ns) == (NOW_NS + kept, NOW_NS + 999)
    assert writer.status().dropped[Lane.DATA] == gap.count
    assert sum(map(count, items)) == 1 + 10_000 + 1


def test_a_gap_is_recorded_though_nothing_follows(
    writer: SpoolWriter, files: FaultyFiles, tmp_path: Path
) -> None:
    fail(writer, files, "write")
    overfill(writer, Lane.DATA, 0, 1000)
    ticket = writer.append(Lane.DATA, batch([7.0]))
    files.faults.clear()
    assert committed(writer, ticket)
    items = read(tmp_path)
    assert sum(map(count, items)) == 10_002
    assert gaps(items)[-1] == items[-1]


def test_drops_in_a_long_fault_stay_one_gap_and_little_memory(
    writer: SpoolWriter, files: FaultyFiles, tmp_path: Path
) -> None:
    fail(writer, files, "write")
    at = overfill(writer, Lane.DATA, 0, 1000)
    for _ in range(10):
        before = files.calls["create"]
        at = overfill(writer, Lane.DATA, at, 10)
        until(lambda before=before: files.calls["create"] > before + 2)  # type: ignore[misc]
    files.faults.clear()
    assert committed(writer, writer.append(Lane.DATA, batch([7.0])))
    assert len(gaps(read(tmp_path))) == 1


def test_events_find_room_where_data_no_longer_does(
    writer: SpoolWriter, files: FaultyFiles, tmp_path: Path
) -> None:
    fail(writer, files, "write")
    overfill(writer, Lane.DATA, 0, 1000)
    ticket = writer.append(Lane.EVENT, batch([1.0]))
    files.faults.clear()
    assert committed(writer, ticket)
    assert values(read(tmp_path, Lane.EVENT)) == [1.0]


def test_the_buffer_stays_within_its_bytes(writer: SpoolWriter, files: FaultyFiles) -> None:
    fail(writer, files, "write")
    for n in range(3):
        overfill(writer, Lane.DATA, n, 1000)
        overfill(writer, Lane.EVENT, n, 1000)
        assert writer.status().buffered_bytes <= writer.status().buffer_bytes
    files.faults.clear()


def test_a_full_disk_at_start_does_not_stop_the_writer(tmp_path: Path, files: FaultyFiles) -> None:
    files.faults["write"] = errno.ENOSPC
    writer = SpoolWriter.open(tmp_path / "spool", catalog(), AMPLE, files=files, pace=QUICK)
    assert failing(writer)
    ticket = writer.append(Lane.DATA, batch([1.0]))
    files.faults.clear()
    assert committed(writer, ticket)
    writer.close()
    assert values(read(tmp_path)) == [1.0]


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_read_only_directory_is_refused(number: int, tmp_path: Path, files: FaultyFiles) -> None:
    files.faults["create"] = number
    with pytest.raises(SpoolUnusable, match=os.strerror(number)):
        SpoolWriter.open(tmp_path / "spool", catalog(), AMPLE, files=files)
    files.faults.clear()
    SpoolWriter.open(tmp_path / "spool", catalog(), AMPLE, files=files).close()


def test_closing_with_a_failed_disk_returns(tmp_path: Path, files: FaultyFiles) -> None:
    writer = SpoolWriter.open(tmp_path / "spool", catalog(), AMPLE, files=files, pace=QUICK)
    fail(writer, files, *OPERATIONS, "unlink")
    start_s = time.monotonic()
    writer.close()
    assert time.monotonic() - start_s < 2


SCRIPT = """
import sys
from pathlib import Path
from otgate.model import Lane
from otgate.spool.writer import Retention, SpoolWriter
from spools import batch, catalog, committed
writer = SpoolWriter.open(Path(sys.argv[1]), catalog(), Retention(1 << 20, 10**18))
number = 0
while True:
    for _ in range(20):
        ticket = writer.append(Lane.DATA, batch([float(number)]))
        number += 1
    if committed(writer, ticket):
        print(number, flush=True)
"""


def script(*arguments: str) -> list[str]:
    return [sys.executable, "-c", SCRIPT, *arguments]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)}


def killed_after(spool: Path, lines: int) -> int:
    """Kill a writer mid-append; return how many samples it had receipts for."""
    with subprocess.Popen(
        script(str(spool)), stdout=subprocess.PIPE, text=True, env=environment()
    ) as process:
        assert process.stdout is not None
        try:
            for _ in range(lines):
                process.stdout.readline()
        finally:
            process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split("\n")
        return max(lines * 20, *(int(line) for line in rest if line), 0)


@pytest.mark.parametrize("lines", [1, 7, 40])
def test_after_a_kill_everything_with_a_receipt_is_there(lines: int, tmp_path: Path) -> None:
    durable = killed_after(tmp_path / "spool", lines)
    found = values(read(tmp_path))
    assert len(found) >= durable
    assert found == list(range(len(found)))


def test_after_a_kill_the_next_writer_agrees_with_the_reader(tmp_path: Path) -> None:
    killed_after(tmp_path / "spool", 3)
    found = values(read(tmp_path))
    writer = SpoolWriter.open(tmp_path / "spool", catalog(), AMPLE)
    writer.append(Lane.DATA, batch([-1.0]))
    writer.close()
    items = read(tmp_path)
    assert gaps(items) == []
    assert values(items) == [*found, -1.0]


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may grow beyond 40 kB: writes are cut short, then refused, as on a full disk."""
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, before)


def test_writes_that_the_system_cuts_short_lose_nothing(tmp_path: Path, small_files: None) -> None:
    writer = SpoolWriter.open(tmp_path / "spool", catalog(), AMPLE, pace=Pace(retry_s=0.02))
    for start in range(0, 20_000, 20):
        ticket = writer.append(Lane.DATA, batch(range(start, start + 20)))
    assert committed(writer, ticket)
    assert writer.status().faults > 2
    writer.close()
    assert values(read(tmp_path)) == list(range(20_000))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root may mount a tmpfs, with mount(8)")
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no tmpfs may be mounted here")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_disk_that_is_really_full_recovers(disk: Path, tmp_path: Path) -> None:
    writer = SpoolWriter.open(disk / "spool", catalog(), AMPLE)
    assert committed(writer, writer.append(Lane.DATA, batch([0.0])))
    ballast = os.open(disk / "ballast", os.O_WRONLY | os.O_CREAT)
    with suppress(OSError):
        while os.write(ballast, bytes(4096)):
            pass
    for n in range(1, 2000):
        ticket = writer.append(Lane.DATA, batch([float(n)]))
    until(lambda: failing(writer))
    os.ftruncate(ballast, 0)
    os.close(ballast)
    assert committed(writer, ticket)
    writer.close()
    reader = SpoolReader.open(disk / "spool", tmp_path / "state")
    assert values(everything(reader)) == list(range(2000))
    reader.close()


@pytest.mark.parametrize("operation", ["open", "pread"])
def test_an_old_segment_that_cannot_be_read_does_not_stop_the_writer(
    operation: str, tmp_path: Path, files: FaultyFiles
) -> None:
    SpoolWriter.open(tmp_path / "spool", catalog(), AMPLE, files=files).close()
    files.faults[operation] = errno.EIO
    writer = SpoolWriter.open(tmp_path / "spool", catalog(), AMPLE, files=files)
    assert committed(writer, writer.append(Lane.DATA, batch([1.0])))
    writer.close()
    assert values(read(tmp_path)) == [1.0]
