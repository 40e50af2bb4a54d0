import re
from pathlib import Path

import msgspec

from otgate.model import Lane
from otgate.spool import frame, segment
from otgate.spool.epoch import epoch_text
from otgate.spool.items import GapReason
from otgate.spool.segment import NAME, SegmentId
from otgate.spool.tally import Noted

PAGE = (Path(__file__).parents[3] / "docs/reference/spool-format.md").read_text()


def test_the_page_gives_the_formats_that_the_code_packs() -> None:
    packed = [segment.FIXED, frame.FRAME, frame.BATCH_HEAD, frame.GAP_HEAD, frame.LIVE_HEAD]
    assert re.findall(r"`(<[0-9A-Za-z]+)`", PAGE) == [each.format for each in packed]


def test_the_page_names_files_as_the_code_does() -> None:
    shown = re.findall(r"/(\S+\.seg)", PAGE)
    assert all(NAME.fullmatch(name.rpartition("/")[2]) for name in shown)
    assert SegmentId(1, 10).name == f"{epoch_text(1)}-0000000a.seg"


def test_the_page_shows_the_tally_that_the_code_reads() -> None:
    (shown,) = re.findall(r'`(\{"format":.*\})`', PAGE)
    noted = msgspec.json.decode(shown, type=Noted)
    assert set(noted.lanes) == set(Lane)
    assert noted.epoch_number


def test_the_page_gives_sizes_and_codes_of_the_code() -> None:
    assert f"these {segment.FIXED.size} bytes" in PAGE
    assert frame.MAX_BODY_BYTES == 4 << 20
    assert list(GapReason) == ["dropped", "removed", "damaged", "refused", "recalled"]
    assert "0 dropped, 1 removed, 2 damaged, 3 refused, 4 recalled" in PAGE
