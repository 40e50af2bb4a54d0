"""A spool carried one way, and what a reader of the copy sees."""

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from otgate.errors import SpoolUnusable
from otgate.model import Lane
from otgate.spool.copying import Copier
from otgate.spool.items import GapReason
from otgate.spool.reader import SpoolReader
from otgate.spool.retention import SMALLEST_SEGMENT_BYTES, Retention
from otgate.spool.writer import SpoolWriter
from spools import (
    NOW_NS,
    QUICK,
    QuickFiles,
    acknowledge,
    batch,
    catalog,
    committed,
    everything,
    gaps,
    values,
)

SMALL = Retention(16 * SMALLEST_SEGMENT_BYTES, 10**18)
"""Segments of the smallest size."""
ROOM = 1 << 30


class Killed(BaseException):
    """The copier's process is gone."""


class Source:
    """A spool that is written, over restarts of its writer, and what went into it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.written: list[float] = []
        self.restart()

    def restart(self) -> None:
        self.writer = SpoolWriter.open(
            self.directory, catalog(), SMALL, files=QuickFiles(), pace=QUICK, clock=lambda: NOW_NS
        )

    def spool(self, times: int = 1) -> None:
        for _ in range(times):
            numbers = [float(len(self.written) + n) for n in range(20)]
            ticket = self.writer.append(Lane.DATA, batch(numbers))
            self.written += numbers
        assert committed(self.writer, ticket)


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Source]:
    made = Source(tmp_path / "spool")
    yield made
    made.writer.close()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "copy"


@pytest.fixture
def reader(target: Path, tmp_path: Path) -> Iterator[SpoolReader]:
    opened = SpoolReader.open(target, tmp_path / "state", files=QuickFiles())
    yield opened
    opened.close()


def carried(source: Source, target: Path, **how: bool) -> int:
    """Carry once, as a process of its own would."""
    copier = Copier.open(source.directory, target, ROOM, **how)
    try:
        return copier.carry()
    finally:
        copier.close()


def segments(directory: Path) -> list[Path]:
    return sorted(directory.glob("data/*.seg"))


def test_a_reader_of_the_copy_sees_what_was_spooled_and_no_gap(
    source: Source, target: Path, reader: SpoolReader
) -> None:
    items = []
    for _ in range(12):
        source.spool(25)
        carried(source, target)
        items += everything(reader)
    assert len(segments(target)) > 3
    assert values(items) == source.written
    assert not gaps(items)


def test_new_epochs_are_carried_behind_the_old_ones(
    source: Source, target: Path, reader: SpoolReader
) -> None:
    items = []
    for _ in range(4):
        source.spool(40)
        source.writer.close()
        source.restart()
        carried(source, target)
        items += everything(reader)
    assert values(items) == source.written
    assert not gaps(items)


def dying_after(octets: int, write: Callable[..., int]) -> Callable[..., int]:
    """Return a write(2) whose process is killed after that many bytes, within a call."""
    left = octets

    def writing(descriptor: int, data: Any) -> int:
        nonlocal left
        if left <= 0:
            raise Killed
        taken = write(descriptor, memoryview(data)[:left])
        left -= taken
        return taken

    return writing


@pytest.mark.parametrize("seed", range(4))
def test_a_copier_that_is_killed_at_any_byte_loses_nothing_and_repeats_nothing(
    source: Source, target: Path, reader: SpoolReader, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance, items, kills = random.Random(seed), [], 0
    for _ in range(25):
        source.spool(chance.randrange(1, 40))
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", dying_after(chance.randrange(1, 6_000), os.write))
            try:
                carried(source, target)
            except Killed:
                kills += 1
        items += everything(reader)
    carried(source, target)
    items += everything(reader)
    assert kills > 5
    assert values(items) == source.written
    assert not gaps(items)


@pytest.mark.parametrize("octets", [1, 40, 100])
def test_a_copy_has_no_name_before_it_has_its_whole_header(
    source: Source, target: Path, monkeypatch: pytest.MonkeyPatch, octets: int
) -> None:
    source.spool()
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", dying_after(octets, os.write))
        with pytest.raises(Killed):
            carried(source, target)
    assert not list(target.glob("*/*.seg"))
    carried(source, target)
    assert segments(target)[0].read_bytes() == segments(source.directory)[0].read_bytes()


def test_a_tail_that_a_power_cut_spoilt_is_carried_again(
    source: Source, target: Path, reader: SpoolReader
) -> None:
    source.spool(10)
    carried(source, target)
    (newest,) = segments(target)
    size = newest.stat().st_size
    os.truncate(newest, size - 100)
    os.truncate(newest, size)  # its last bytes are zeros now, as after a cut
    source.spool(10)
    carried(source, target)
    assert values(everything(reader)) == source.written
    assert newest.read_bytes() == segments(source.directory)[0].read_bytes()


def test_whole_segments_are_carried_once_they_have_ended(source: Source, target: Path) -> None:
    for _ in range(8):
        source.spool(40)
        carried(source, target, whole=True)
        written = segments(source.directory)
        assert [path.name for path in segments(target)] == [path.name for path in written[:-1]]
    for copy, path in zip(segments(target), segments(source.directory), strict=False):
        assert copy.read_bytes() == path.read_bytes()


def test_what_a_copy_has_no_room_for_goes_oldest_first_and_its_reader_is_told(
    source: Source, target: Path, reader: SpoolReader
) -> None:
    copier = Copier.open(source.directory, target, 2 * SMALLEST_SEGMENT_BYTES)
    for _ in range(8):
        source.spool(60)
        copier.carry()
    copier.close()
    items = everything(reader)
    acknowledge(reader, items)
    (gap,) = gaps(items)
    assert gap.reason is GapReason.REMOVED
    assert source.written[gap.count :] == values(items)
    assert copier.removed == len(segments(source.directory)) - len(segments(target)) > 0


def test_a_segment_that_the_spool_dropped_before_it_was_carried_is_a_gap(
    source: Source, target: Path, reader: SpoolReader
) -> None:
    source.spool(1)
    carried(source, target)
    source.spool(250)
    segments(source.directory)[1].unlink()
    carried(source, target)
    items = everything(reader)
    assert len(gaps(items)) == 1
    assert len(values(items)) + gaps(items)[0].count == len(source.written)


def test_a_copy_has_one_copier(source: Source, target: Path) -> None:
    first = Copier.open(source.directory, target, ROOM)
    with pytest.raises(SpoolUnusable, match="is written by another process"):
        Copier.open(source.directory, target, ROOM)
    first.close()
    carried(source, target)


def test_another_spools_copy_is_not_written_into(
    source: Source, target: Path, tmp_path: Path
) -> None:
    source.spool()
    source.writer.close()
    source.restart()  # now its epoch is later than that of any spool made at the same moment
    source.spool()
    carried(source, target)
    other = Source(tmp_path / "other")
    other.spool()
    other.writer.close()
    with pytest.raises(SpoolUnusable, match="has a later epoch"):
        carried(other, target)


def test_what_is_no_spool_is_refused(source: Source, target: Path, tmp_path: Path) -> None:
    with pytest.raises(SpoolUnusable, match="there is no spool in"):
        Copier.open(tmp_path / "nothing", target, ROOM)
    with pytest.raises(SpoolUnusable, match="is the spool itself"):
        Copier.open(source.directory, source.directory, ROOM)
