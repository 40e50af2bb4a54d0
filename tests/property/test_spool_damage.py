"""A short history cut and flipped at every byte: nothing invented, nothing raised, no spin."""

import shutil
from collections.abc import Callable, Iterator
from itertools import islice, pairwise
from pathlib import Path

import pytest

from otgate.model import Lane, ValueType
from otgate.spool.items import Frame, Gap
from otgate.spool.reader import SpoolReader
from otgate.spool.writer import SpoolWriter
from spools import AMPLE, QUICK, FaultyFiles, QuickFiles, batch, catalog, count, everything

Known = dict[tuple[int, int], list[object]]
"""The values of the frame at an epoch and a sequence number."""


def write(spool: Path, columns: list[list[str]]) -> Known:
    writer = SpoolWriter.open(spool, catalog(3), AMPLE, files=QuickFiles(), pace=QUICK)
    known: Known = {}
    seq = 0
    for column in columns:
        writer.append(Lane.DATA, batch(column, ValueType.TEXT))
        known[writer.epoch, seq] = list(column)
        seq += len(column)
    writer.close()
    return known


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Known]:
    spool = tmp_path_factory.mktemp("history") / "spool"
    known = write(spool, [["a", "bc"], ["süd"], ["d", "e", "f"]])
    return spool, known | write(spool, [["g"], ["h", "i"]])


def read(spool: Path, known: Known) -> int:
    """Read all, check each frame, and return how many samples were accounted for."""
    files = FaultyFiles()
    reader = SpoolReader.open(spool, spool / "state", files=files)
    items = everything(reader)
    for item in items:
        if isinstance(item, Frame):
            assert item.batch.values.tolist() == known[item.epoch, item.seq]
    assert files.calls.total() < 60
    assert reader.read(Lane.DATA) == []
    reader.close()
    seen = [(item.epoch, item.seq, count(item)) for item in items if isinstance(item, Frame | Gap)]
    for one, other in pairwise(seen):
        assert one[0] < other[0] or one[1] + one[2] == other[1], "in order, without holes"
    return sum(samples for _, _, samples in seen)


def cut(whole: bytes) -> Iterator[bytes]:
    return (whole[:length] for length in range(len(whole)))


def zeroed(whole: bytes) -> Iterator[bytes]:
    return (whole[:at] + bytes(len(whole) - at) for at in range(len(whole)))


def flipped(whole: bytes) -> Iterator[bytes]:
    for at in range(len(whole)):
        block = bytearray(whole)
        block[at] ^= 1 << at % 8
        yield bytes(block)


Damage = Callable[[bytes], Iterator[bytes]]


@pytest.mark.parametrize("damage", [cut, zeroed, flipped])
@pytest.mark.parametrize("segment", [0, 1])
@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_a_reader_survives_damage_at_every_byte(
    damage: Damage, segment: int, step: int, history: tuple[Path, Known], tmp_path: Path
) -> None:
    whole, known = history
    spool = tmp_path / "spool"
    shutil.copytree(whole, spool)
    path = sorted((spool / "data").iterdir())[segment]
    for block in islice(damage(path.read_bytes()), None, None, step):
        path.write_bytes(block)
        accounted = read(spool, known)
        assert accounted == 9 or (segment == 1 and 6 <= accounted < 9)


@pytest.mark.parametrize("damage", [cut, zeroed, flipped])
def test_a_writer_goes_on_after_damage(
    damage: Damage, history: tuple[Path, Known], tmp_path: Path
) -> None:
    whole, known = history
    newest = max((whole / "data").iterdir())
    for number, block in enumerate(islice(damage(newest.read_bytes()), None, None, 13)):
        spool = tmp_path / str(number)
        shutil.copytree(whole, spool)
        (spool / "data" / newest.name).write_bytes(block)
        later = write(spool, [["j", "k"]])
        assert read(spool, known | later) >= 6 + 2
        shutil.rmtree(spool)
