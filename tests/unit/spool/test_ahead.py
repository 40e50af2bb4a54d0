from pathlib import Path

from otgate.model import Lane
from otgate.spool.reader import SpoolReader
from publishing import Feeder, catalog


def test_the_newest_catalog_is_known_before_reading_comes_to_it(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    reader = SpoolReader.open(spool, tmp_path / "state")
    assert reader.governing() is None
    for points in (3, 2):
        feeder = Feeder(spool, catalog(points))
        feeder.measure(count=2)
        feeder.close()
        governing = reader.governing()
        assert governing is not None
        assert (governing.epoch, len(governing.catalog.ids)) == (feeder.writer.epoch, points + 1)
    first, *_ = reader.read(Lane.DATA)
    assert first.epoch < governing.epoch
    reader.close()


def test_a_damaged_newest_segment_leaves_what_was_known(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    reader = SpoolReader.open(spool, tmp_path / "state")
    feeder = Feeder(spool, catalog(3))
    feeder.close()
    known = reader.governing()
    for lane in Lane:
        [segment] = (spool / lane).glob("*.seg")
        later = segment.name.replace("-00000000", "-00000001")
        (spool / lane / later).write_bytes(b"\0" * 400)
    assert reader.governing() == known
    reader.close()
