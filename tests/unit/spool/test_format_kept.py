"""A spool that format 1's first program left undrained reads the same in every later one."""

import shutil
from pathlib import Path

import pytest

from otgate.model import Lane
from otgate.quality import names
from otgate.spool.items import Epoch, Gap, Item
from otgate.spool.reader import SpoolReader
from otgate.spool.writer import SpoolWriter
from spools import AMPLE, NOW_NS, QUICK, QuickFiles, catalog, everything, frames, gaps, values

LEFT = Path(__file__).parents[2] / "corpus" / "spool-format-1"
HOUR_NS = 3600 * 10**9


@pytest.fixture
def box(tmp_path: Path) -> Path:
    shutil.copytree(LEFT, tmp_path, dirs_exist_ok=True)
    return tmp_path


def rest(box: Path, lane: Lane, cursor: str = "cursor") -> list[Item]:
    reader = SpoolReader.open(box / "spool", box / cursor, files=QuickFiles())
    try:
        return everything(reader, lane)
    finally:
        reader.close()


def test_every_value_type_quality_and_time_reads_as_it_was_written(box: Path) -> None:
    data = rest(box, Lane.DATA, "no-cursor")
    assert values(data) == [412.3, -3, 2**63 + 1, "auto", 0.0]
    assert names(frames(data)[-1].batch.quality[0]) == ("invalid", "no_value", "comm_lost")
    [event] = frames(rest(box, Lane.EVENT))
    assert event.batch.source_ns is not None
    assert event.batch.source_ns.tolist() == [NOW_NS - 5_000_000]


def test_the_old_cursor_counts(box: Path) -> None:
    assert values(rest(box, Lane.DATA)) == ["auto", 0.0]


def test_the_old_gap_counts(box: Path) -> None:
    [gap] = gaps(rest(box, Lane.DATA))
    assert (gap.count, gap.from_ns, gap.reason) == (7, NOW_NS + HOUR_NS, "dropped")


def test_a_new_writer_goes_on_behind_it(box: Path) -> None:
    writer = SpoolWriter.open(
        box / "spool", catalog(), AMPLE, files=QuickFiles(), pace=QUICK, clock=lambda: NOW_NS
    )
    writer.close()
    data = rest(box, Lane.DATA)
    assert values(data) == ["auto", 0.0]
    assert [item.count for item in data if isinstance(item, Gap)] == [7]
    last = [item for item in data if isinstance(item, Epoch)][-1]
    assert (last.epoch, last.previous_end, last.samples_before) == (writer.epoch, 8, 12)
