"""A writer that is killed while its disk takes nothing: what is known of the loss, and said."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from disks import fill, small_disk
from otgate.model import Lane
from otgate.spool.items import Gap, GapReason
from otgate.spool.reader import Item, SpoolReader
from otgate.spool.writer import SpoolState, SpoolWriter
from spools import (
    AMPLE,
    FULL,
    QUICK,
    FaultyFiles,
    batch,
    catalog,
    committed,
    count,
    everything,
    gaps,
    values,
)

__all__ = ["small_disk"]


class FullDisk(FaultyFiles):
    """Has room for what it holds already and, while `full`, for no frame; `dead` for nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.full = False
        self.dead = False
        self._segments: set[int] = set()

    def _meets(self, name: str) -> None:
        if self.dead:
            raise OSError(FULL, "killed")
        super()._meets(name)

    def create(self, path: Path) -> int:
        if self.full:
            raise OSError(FULL, os.strerror(FULL))
        descriptor = super().create(path)
        self._segments.add(descriptor)
        return descriptor

    def reuse(self, path: Path) -> int:
        descriptor = super().reuse(path)
        self._segments.discard(descriptor)
        return descriptor

    def write(self, descriptor: int, buffers: Sequence[bytes]) -> int:
        if self.full and descriptor in self._segments:
            raise OSError(FULL, os.strerror(FULL))
        return super().write(descriptor, buffers)


@pytest.fixture
def files() -> FullDisk:
    return FullDisk()


Begin = Callable[[], SpoolWriter]


@pytest.fixture
def begin(tmp_path: Path, files: FullDisk) -> Begin:
    def begun() -> SpoolWriter:
        files.dead = False
        return SpoolWriter.open(
            tmp_path / "spool", catalog(), AMPLE, files=files, pace=QUICK, buffer_bytes=100_000
        )

    return begun


def tally(spool: Path) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads((spool / "tally.json").read_bytes())
    except FileNotFoundError:
        return {}
    return told


def until(condition: Callable[[], object], limit_s: float = 10.0) -> None:
    deadline_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def append(writer: SpoolWriter, lane: Lane, batches: int) -> int:
    for n in range(batches):
        ticket = writer.append(lane, batch([float(n)] * 10))
    return ticket


def killed(writer: SpoolWriter, files: FullDisk, spool: Path) -> None:
    """End the writer once its tally has all of it; nothing more reaches the disk."""
    ends = {lane.value: number for lane, number in writer.status().samples.items()}
    until(lambda: {name: lane["end"] for name, lane in tally(spool)["lanes"].items()} == ends)
    files.dead = True
    writer.close()


def read(tmp_path: Path, lane: Lane = Lane.DATA) -> list[Item]:
    reader = SpoolReader.open(tmp_path / "spool", tmp_path / "state")
    items = everything(reader, lane)
    reader.close()
    return items


@pytest.mark.parametrize("lane", Lane)
def test_what_a_kill_on_a_full_disk_loses_is_an_announced_gap(
    lane: Lane, begin: Begin, files: FullDisk, tmp_path: Path
) -> None:
    writer = begin()
    assert committed(writer, append(writer, lane, 1))
    files.full = True
    append(writer, lane, 2000)
    killed(writer, files, tmp_path / "spool")
    files.full = False
    append(begin(), lane, 1)
    until(lambda: sum(map(count, read(tmp_path, lane))) == 10 + 20_000 + 10)
    (gap,) = gaps(read(tmp_path, lane))
    assert (gap.seq, gap.count, gap.reason, gap.at_least) == (10, 20_000, GapReason.DROPPED, True)
    other = Lane.EVENT if lane is Lane.DATA else Lane.DATA
    assert gaps(read(tmp_path, other)) == []


def test_two_kills_on_a_full_disk_lose_no_count(
    begin: Begin, files: FullDisk, tmp_path: Path
) -> None:
    writer = begin()
    first = writer.epoch
    assert committed(writer, append(writer, Lane.DATA, 1))
    files.full = True
    for batches in (20, 30):
        append(writer, Lane.DATA, batches)
        killed(writer, files, tmp_path / "spool")
        writer = begin()
    assert writer.status().state is SpoolState.FAILING
    files.full = False
    assert committed(writer, append(writer, Lane.DATA, 1))
    found = [(gap.epoch, gap.seq, gap.count, gap.at_least) for gap in gaps(read(tmp_path))]
    assert found == [(first, 10, 200, True), (first + 1, 0, 300, True)]
    writer.close()


def test_a_disk_that_recovered_leaves_an_exact_gap(
    begin: Begin, files: FullDisk, tmp_path: Path
) -> None:
    writer = begin()
    assert committed(writer, append(writer, Lane.DATA, 1))
    files.full = True
    append(writer, Lane.DATA, 2000)
    until(lambda: tally(tmp_path / "spool")["failing"])
    files.full = False
    assert committed(writer, append(writer, Lane.DATA, 1))
    until(lambda: not tally(tmp_path / "spool")["failing"])
    files.dead = True
    writer.close()
    append(begin(), Lane.DATA, 1)
    until(lambda: sum(map(count, read(tmp_path))) == 20_030)
    assert [gap.at_least for gap in gaps(read(tmp_path))] == [False]


def test_what_retention_removed_is_not_called_dropped(
    begin: Begin, files: FullDisk, tmp_path: Path
) -> None:
    writer = begin()
    assert committed(writer, append(writer, Lane.DATA, 3))
    files.full = True
    append(writer, Lane.DATA, 5)
    killed(writer, files, tmp_path / "spool")
    files.full = False
    writer = begin()
    assert committed(writer, append(writer, Lane.DATA, 1))
    min((tmp_path / "spool/data").iterdir()).unlink()
    found = [(gap.seq, gap.count, gap.reason, gap.at_least) for gap in gaps(read(tmp_path))]
    assert found == [
        (0, 30, GapReason.REMOVED, False),
        (30, 50, GapReason.DROPPED, True),
    ]
    writer.close()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}', "\x00" * 99])
def test_a_tally_that_cannot_be_read_is_none(text: str, begin: Begin, tmp_path: Path) -> None:
    begin().close()
    (tmp_path / "spool/tally.json").write_text(text)
    writer = begin()
    assert committed(writer, append(writer, Lane.DATA, 1))
    writer.close()
    assert gaps(read(tmp_path)) == []


SCRIPT = """
import sys
from pathlib import Path
from otgate.model import Lane
from otgate.spool.writer import Retention, SpoolWriter
from spools import batch, catalog, committed
kept = Retention(1 << 20, 10**18)
writer = SpoolWriter.open(Path(sys.argv[1]), catalog(), kept, buffer_bytes=50_000)
assert committed(writer, writer.append(Lane.DATA, batch([0.0])))
print("ready", flush=True)
sys.stdin.readline()
for n in range(1, 5000):
    ticket = writer.append(Lane.DATA, batch([float(n)]))
print("appended", flush=True)
sys.stdin.readline()
"""


def test_a_real_kill_on_a_disk_without_a_free_byte_is_an_announced_gap(
    small_disk: Path, tmp_path: Path
) -> None:
    spool = small_disk / "spool"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)}
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, spool],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        fill(small_disk / "ballast")
        process.stdin.write("go\n")
        process.stdin.flush()
        assert process.stdout.readline() == "appended\n"
        until(lambda: tally(spool).get("lanes", {}).get("data", {}).get("end") == 5000)
        process.send_signal(signal.SIGKILL)
    (small_disk / "ballast").unlink()
    writer = SpoolWriter.open(spool, catalog(), AMPLE)
    assert committed(writer, writer.append(Lane.DATA, batch([-1.0])))
    writer.close()
    reader = SpoolReader.open(spool, tmp_path / "state")
    items = everything(reader)
    reader.close()
    assert sum(map(count, items)) == 5001
    assert values(items)[-1] == -1.0
    assert [gap.at_least for gap in gaps(items)] == [True]
    assert isinstance(items[-3], Gap)
