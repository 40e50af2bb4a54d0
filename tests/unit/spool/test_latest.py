"""The newest sample of one point, wherever in a spool it lies."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from otgate.model import Lane
from otgate.spool.catalog import Catalog, CatalogDevice, CatalogPoint
from otgate.spool.latest import Latest, latest
from otgate.spool.writer import SpoolWriter
from spools import AMPLE, NOW_NS, QUICK, QuickFiles, batch, catalog

HOUR_NS = 3600 * 10**9


def spool(folder: Path) -> Path:
    return folder / "analytics"


def written(
    folder: Path,
    *scans: Sequence[float],
    at_ns: int = NOW_NS,
    of: Catalog | None = None,
    lane: Lane = Lane.DATA,
    index: Sequence[int] | None = None,
) -> int:
    what = catalog() if of is None else of
    writer = SpoolWriter.open(
        spool(folder), what, AMPLE, files=QuickFiles(), pace=QUICK, clock=lambda: at_ns
    )
    for scan in scans:
        places = np.arange(len(scan), dtype=np.int32) if index is None else np.array(index, "i4")
        writer.append(lane, batch(scan, index=places))
    writer.close()
    return writer.epoch


def newest(folder: Path, point: str, device: str = "f3") -> Latest | None:
    return latest(spool(folder), device, point, lambda *_: None, QuickFiles())


def test_the_last_of_a_segment_is_found_with_its_place(tmp_path: Path) -> None:
    epoch = written(tmp_path, [1.0, 2.0], [3.0, 4.0], [5.0])
    found = newest(tmp_path, "p1")
    assert found is not None
    assert (found.value, found.place, found.lane) == (4.0, (epoch, 3), Lane.DATA)
    assert found.spooled_ns == NOW_NS


def test_it_is_looked_for_in_older_segments(tmp_path: Path) -> None:
    first = written(tmp_path, [1.0, 2.0])
    for hour in (1, 2):
        written(tmp_path, [9.0], at_ns=NOW_NS + hour * HOUR_NS)
    found = newest(tmp_path, "p1")
    assert found is not None
    assert (found.value, found.place.epoch) == (2.0, first)


def test_numbers_are_those_of_each_catalog(tmp_path: Path) -> None:
    written(tmp_path, [1.0, 2.0])
    turned = [CatalogPoint(name, "measurement", 0) for name in ("p1", "p0")]
    of = Catalog("sub7", "gw1", "analytics", (CatalogDevice.of("f3", turned),))
    written(tmp_path, [3.0], at_ns=NOW_NS + HOUR_NS, of=of)
    found = newest(tmp_path, "p1")
    assert found is not None
    assert found.value == 3.0


def test_both_lanes_are_looked_at(tmp_path: Path) -> None:
    written(tmp_path, [1.0], lane=Lane.DATA)
    written(tmp_path, [2.0], lane=Lane.EVENT, at_ns=NOW_NS + HOUR_NS)
    found = newest(tmp_path, "p0")
    assert found is not None
    assert (found.value, found.lane) == (2.0, Lane.EVENT)


@pytest.mark.parametrize(("device", "point"), [("f3", "p3"), ("f3", "no"), ("f9", "p0")])
def test_what_was_never_spooled_is_not_found(tmp_path: Path, device: str, point: str) -> None:
    written(tmp_path, [1.0, 2.0])
    assert newest(tmp_path, point, device) is None


def test_without_a_spool_nothing_is_found(tmp_path: Path) -> None:
    assert newest(tmp_path, "p0") is None


def test_a_damaged_segment_hides_no_older_one(tmp_path: Path) -> None:
    written(tmp_path, [1.0])
    (spool(tmp_path) / "data" / "7ZZZZZZZ-00000000.seg").write_bytes(b"nothing")
    found = newest(tmp_path, "p0")
    assert found is not None
    assert found.value == 1.0
