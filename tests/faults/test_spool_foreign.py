"""What somebody else puts into a spool, or takes out of it, while it is used."""

import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from otgate.errors import SpoolUnusable
from otgate.model import Lane
from otgate.observe.control import short_path
from otgate.spool.reader import SpoolReader
from otgate.spool.segment import Log
from otgate.spool.writer import Pace, Retention, SpoolWriter
from spools import (
    QUICK,
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

EARLIER, LATER = "00000001-00000000.seg", "Z0000000-00000000.seg"
SMALL = Retention(200_000, 10**18)

Put = Callable[[Path], object]


def pipe(path: Path) -> None:
    os.mkfifo(path)


def listening(path: Path) -> None:
    short = path.with_name("short")
    with short_path(short) as name, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(name)
    short.rename(path)


def full_folder(path: Path) -> None:
    path.mkdir()
    (path / "mine").write_text("mine")


def loop(path: Path) -> None:
    path.symlink_to(path)


def random_content(path: Path) -> None:
    path.write_bytes(os.urandom(5000))


def cut_header(path: Path) -> None:
    path.write_bytes(b"otgspool\x01\x00\x00\x00\x00\x10\x00\x00")


def nothing(path: Path) -> None:
    path.write_bytes(b"")


STRANGERS = [pipe, listening, full_folder, loop, random_content, cut_header, nothing]


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def writer(spool: Path) -> Iterator[SpoolWriter]:
    writer = SpoolWriter.open(spool, catalog(), SMALL, pace=Pace(sync_s=0.02, retry_s=0.02))
    yield writer
    writer.close()


@pytest.fixture
def reader(spool: Path, tmp_path: Path) -> Iterator[SpoolReader]:
    reader = SpoolReader.open(spool, tmp_path / "state")
    yield reader
    reader.close()


@pytest.mark.parametrize("name", [EARLIER, LATER, "n" * 255, "a b\n\x1b[31m"])
@pytest.mark.parametrize("put", STRANGERS)
def test_a_stranger_in_a_spool_holds_up_nobody(
    put: Put, name: str, spool: Path, writer: SpoolWriter, reader: SpoolReader
) -> None:
    assert committed(writer, writer.append(Lane.DATA, batch([0.0])))
    assert values(everything(reader)) == [0.0]
    for log in Log:
        put(spool / log / name)
    assert values(everything(reader)) == []
    assert committed(writer, writer.append(Lane.DATA, batch([1.0])))
    assert values(everything(reader)) == [1.0]
    writer.live({"f3": "good"})
    deadline_s = time.monotonic() + 5
    while not reader.newest_live():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    writer.close()
    again = SpoolWriter.open(spool, catalog(), SMALL, pace=QUICK)
    assert committed(again, again.append(Lane.DATA, batch([2.0])))
    again.close()
    items = everything(reader)
    assert (values(items), gaps(items)) == ([2.0], [])
    assert os.path.lexists(spool / "data" / name)


def test_a_name_that_cannot_be_removed_does_not_end_retention(
    spool: Path, writer: SpoolWriter
) -> None:
    writer.close()
    full_folder(spool / "data" / EARLIER)
    again = SpoolWriter.open(spool, catalog(), SMALL, pace=QUICK)
    for _ in range(100):
        assert committed(again, again.append(Lane.DATA, batch([1.0] * 1000)))
    assert again.status().disk_bytes < 1.5 * SMALL.size_bytes
    again.close()
    assert (spool / "data" / EARLIER / "mine").read_text() == "mine"


@pytest.mark.parametrize("log", list(Log))
def test_a_spool_of_a_later_format_is_refused_by_both_sides(
    log: Log, spool: Path, writer: SpoolWriter, reader: SpoolReader
) -> None:
    writer.close()
    everything(reader)
    (spool / log / LATER).write_bytes(future(9))
    with pytest.raises(SpoolUnusable, match="has spool format 9; this program knows format 1"):
        SpoolWriter.open(spool, catalog(), SMALL)
    with pytest.raises(SpoolUnusable, match="has spool format 9; this program knows format 1"):
        _ = reader.newest_live() if log is Log.LIVE else everything(reader, Lane(log))


@pytest.mark.parametrize("removed", ["data", "."])
def test_a_spool_removed_while_it_is_written_is_made_again_within_seconds(
    removed: str, spool: Path, writer: SpoolWriter, reader: SpoolReader
) -> None:
    assert committed(writer, writer.append(Lane.DATA, batch([0.0])))
    assert values(everything(reader)) == [0.0]
    shutil.rmtree(spool / removed)
    value = 1.0
    deadline_s = time.monotonic() + 10
    while not list((spool / "data").glob("*.seg")):
        assert time.monotonic() < deadline_s
        writer.append(Lane.DATA, batch([value]))
        value += 1
        time.sleep(0.02)
    assert committed(writer, writer.append(Lane.DATA, batch([value])))
    items = everything(reader)
    assert sum(map(count, items)) == value
    assert values(items)[-1] == value
    assert len(frames(items)) > 1
