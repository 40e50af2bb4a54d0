import zlib

import pytest

from otgate.errors import SpoolUnusable
from otgate.spool.segment import (
    PEEK_BYTES,
    Damaged,
    Log,
    SegmentId,
    Start,
    header_length,
    pack_catalog,
    pack_header,
    peek,
    segments,
    unfinished,
    unpack_catalog,
    unpack_header,
)
from spools import NOW_NS, catalog, future

ID = SegmentId(1_753_237_491, 3)
START = Start(ID, 120, 5_120, 1_753_237_000, 5_000, 7, NOW_NS)
PACKED = pack_catalog(catalog())
HEADER = pack_header(Log.DATA, START, ("policy", "map"), PACKED)


def test_a_header_survives_packing() -> None:
    header = unpack_header(Log.DATA, ID, HEADER + b"frames")
    assert header.start == START
    assert header.size == len(HEADER)
    assert unpack_catalog(header.packed_catalog) == catalog()


def test_a_headers_numbers_are_known_from_its_first_bytes() -> None:
    assert peek(Log.DATA, ID, HEADER[:PEEK_BYTES]) == START
    assert START.epoch_base == 5_000


@pytest.mark.parametrize("log", [Log.EVENT, Log.LIVE])
def test_a_segment_of_another_log_is_none_of_this_one(log: Log) -> None:
    with pytest.raises(Damaged):
        unpack_header(log, ID, HEADER)


def test_a_renamed_segment_is_refused() -> None:
    with pytest.raises(Damaged, match="another name"):
        unpack_header(Log.DATA, SegmentId(ID.epoch, 4), HEADER)


@pytest.mark.parametrize("at", range(len(HEADER)))
def test_any_flipped_byte_of_a_header_is_noticed(at: int) -> None:
    block = bytearray(HEADER)
    block[at] ^= 0x10
    with pytest.raises(Damaged):
        unpack_header(Log.DATA, ID, bytes(block))


@pytest.mark.parametrize("length", range(0, len(HEADER), 7))
def test_a_cut_header_is_noticed(length: int) -> None:
    with pytest.raises(Damaged):
        unpack_header(Log.DATA, ID, HEADER[:length])


def test_a_sound_header_of_a_later_format_names_the_remedy() -> None:
    assert header_length(future(7)) == len(future(7))
    with pytest.raises(SpoolUnusable, match="format 7; this program knows format 1"):
        unpack_header(Log.DATA, ID, future(7))


def test_a_damaged_header_of_a_later_format_is_damaged() -> None:
    with pytest.raises(Damaged):
        unpack_header(Log.DATA, ID, future(7)[:-1] + b"?")


def test_names_sort_in_the_order_of_writing() -> None:
    ids = [SegmentId(5, 9), SegmentId(5, 10), SegmentId(40, 0)]
    names = [each.name for each in ids]
    assert segments(reversed(names)) == ids
    assert sorted(names) == names


def test_foreign_names_are_neither_segments_nor_leftovers() -> None:
    foreign = ["lost+found", "notes.txt", "0000000I-00000000.seg", "00000005-0.seg", "x.new"]
    assert segments(foreign) == []
    assert unfinished([*foreign, ID.new_name]) == [ID.new_name]


def test_no_catalog_is_an_empty_one() -> None:
    assert not len(unpack_catalog(b"").ids)


@pytest.mark.parametrize("packed", [b"junk", zlib.compress(b"{}"), b"\x80", b"\xc0"])
def test_what_is_no_catalog_is_damaged(packed: bytes) -> None:
    with pytest.raises(Damaged):
        unpack_catalog(packed)


def test_checksums_differ_between_segments_and_logs() -> None:
    others = [SegmentId(ID.epoch, 4).seed(Log.DATA), SegmentId(9, 3).seed(Log.DATA)]
    assert ID.seed(Log.DATA) not in [*others, ID.seed(Log.EVENT)]
