import struct
import zlib
from typing import Any

import numpy as np
import pytest

from otgate.model import Batch, Clock, Lane, Origin, ValueType
from otgate.spool.frame import (
    BATCH_HEAD,
    FRAME,
    MAX_BODY_BYTES,
    framed,
    good_bodies,
    pack_batch,
    pack_gap,
    pack_live,
    sliced,
    span,
    unpack,
    unpack_live,
)
from otgate.spool.items import Frame, Gap, GapReason
from spools import NOW_NS, batch, catalog

CATALOG = catalog()
SEED = 77


def round_trip(sent: Batch, device: int = 0) -> Frame:
    body = pack_batch(sent, device, 5, NOW_NS + 1)
    frame = unpack(memoryview(body), Lane.DATA, 9, CATALOG)
    assert isinstance(frame, Frame)
    return frame


@pytest.mark.parametrize(
    ("kind", "column"),
    [
        (ValueType.F64, [1.5, float("inf"), -0.0]),
        (ValueType.I64, [-(2**63), 0, 2**63 - 1]),
        (ValueType.U64, [0, 2**53 + 1, 2**64 - 1]),
        (ValueType.BOOL, [True, False, True]),
        (ValueType.TEXT, ["Kabelfehler Süd ⚡", "", "a\x00b"]),
    ],
)
def test_every_value_type_survives(kind: ValueType, column: list[Any]) -> None:
    got = round_trip(batch(column, kind)).batch
    assert got.values.tolist() == column
    assert got.values.dtype == kind.dtype
    assert got.value_type is kind


@pytest.mark.parametrize("clock", list(Clock))
def test_whose_clock_a_source_time_is_of_survives(clock: Clock) -> None:
    sent = batch([1.0, 2.0], source_ns=np.array([3, 4]), clock=clock)
    frame = round_trip(sent)
    assert frame.batch.clock is clock
    assert sliced(frame, 6, 7).batch.clock is clock


def test_a_nan_keeps_its_bits() -> None:
    sent = batch([float("nan")])
    assert round_trip(sent).batch.values.tobytes() == sent.values.tobytes()


def test_a_placeholder_that_is_no_text_is_spooled_as_empty() -> None:
    assert round_trip(batch([None, "x"], ValueType.TEXT)).batch.values.tolist() == ["", "x"]


def test_half_a_surrogate_pair_does_not_stop_a_frame() -> None:
    assert round_trip(batch(["\ud800x"], ValueType.TEXT)).batch.values.tolist() == ["?x"]


def test_header_fields_survive() -> None:
    frame = round_trip(batch([1.0], origin=Origin.GI, device="f4"), device=1)
    assert (frame.seq, frame.epoch, frame.spooled_ns, frame.lane) == (5, 9, NOW_NS + 1, Lane.DATA)
    assert (frame.batch.device, frame.batch.origin) == ("f4", Origin.GI)
    assert frame.batch.received_ns == NOW_NS
    assert frame.batch.source_ns is None


def test_optional_columns_survive() -> None:
    source_ns = np.array([NOW_NS, -1], np.int64)
    index = np.array([19, 3], np.int32)
    quality = np.array([0, 0x10003], np.uint32)
    got = round_trip(batch([1, 2], source_ns=source_ns, index=index, quality=quality)).batch
    assert got.source_ns is not None
    assert got.source_ns.tolist() == [NOW_NS, -1]
    assert got.index.tolist() == [19, 3]
    assert got.quality.tolist() == [0, 0x10003]


def test_good_samples_of_neighbouring_points_take_their_values_only() -> None:
    sent = batch([1.0, 2.0, 3.0], index=np.array([4, 5, 6], np.int32))
    assert len(pack_batch(sent, 0, 0, 0)) == BATCH_HEAD.size + 3 * 8
    assert round_trip(sent).batch.index.tolist() == [4, 5, 6]


@pytest.mark.parametrize("index", [[6, 5, 4], [4, 6, 5, 7], [4, 4, 6], [3, 9]])
def test_an_index_that_is_no_run_is_kept_as_it_is(index: list[int]) -> None:
    sent = batch([0.0] * len(index), index=np.array(index, np.int32))
    assert round_trip(sent).batch.index.tolist() == index


def test_columns_of_a_large_good_frame_have_zero_quality() -> None:
    large = catalog(points=6000)
    body = pack_batch(batch(np.zeros(6000)), 0, 0, 0)
    frame = unpack(memoryview(body), Lane.DATA, 1, large)
    assert isinstance(frame, Frame)
    assert not frame.batch.quality.any()
    assert len(frame.batch.quality) == 6000


def test_strided_and_foreign_columns_are_packed_right() -> None:
    sent = batch([0.0, 0.0])
    sent.values = np.arange(4, dtype=">f8")[::2]
    assert round_trip(sent).batch.values.tolist() == [0.0, 2.0]


def test_columns_of_a_read_frame_cannot_be_written() -> None:
    frame = round_trip(batch([1.0, 2.0]))
    with pytest.raises(ValueError, match="read-only"):
        frame.batch.values[0] = 5.0


def test_a_slice_of_a_frame_keeps_sequence_numbers_right() -> None:
    source_ns = np.arange(4, dtype=np.int64)
    part = sliced(round_trip(batch([1, 2, 3, 4], source_ns=source_ns)), 6, 8)
    assert part.seq == 6
    assert part.batch.values.tolist() == [2, 3]
    assert part.batch.source_ns is not None
    assert part.batch.source_ns.tolist() == [1, 2]
    assert part.batch.index.tolist() == [1, 2]


def test_a_gap_survives() -> None:
    body = memoryview(pack_gap(7, 3, 100, 200, GapReason.DROPPED))
    gap = Gap(Lane.EVENT, 9, 7, 3, 100, 200, GapReason.DROPPED)
    assert unpack(body, Lane.EVENT, 9, CATALOG) == gap
    assert span(body) == (7, 3)


def test_a_sign_of_life_survives() -> None:
    live = unpack_live(memoryview(pack_live(NOW_NS, {"f3": "good"})), 9)
    assert live is not None
    assert (live.epoch, live.time_ns, live.states) == (9, NOW_NS, {"f3": "good"})


@pytest.mark.parametrize("body", [b"\x03", b"\x02" * 30, pack_live(1, {})[:-1] + b"["])
def test_what_is_no_sign_of_life_is_none(body: bytes) -> None:
    assert unpack_live(memoryview(body), 9) is None


def body_with(at: int, byte: int) -> memoryview:
    body = bytearray(pack_batch(batch([1.0, 2.0], index=np.array([0, 5], np.int32)), 0, 0, 0))
    body[at] = byte
    return memoryview(bytes(body))


@pytest.mark.parametrize(
    ("at", "byte"), [(0, 9), (1, 5), (2, 8), (4, 2), (8, 0), (8, 3), (3, 3), (3, 6), (3, 0)]
)
def test_a_body_that_contradicts_itself_or_the_catalog_is_none(at: int, byte: int) -> None:
    assert unpack(body_with(at, byte), Lane.DATA, 9, CATALOG) is None


def test_a_text_beyond_its_body_is_none() -> None:
    body = bytearray(pack_batch(batch(["abc"], ValueType.TEXT), 0, 0, 0))
    body[BATCH_HEAD.size] = 4
    assert unpack(memoryview(bytes(body)), Lane.DATA, 9, CATALOG) is None


def test_an_unknown_reason_is_no_gap() -> None:
    body = bytearray(pack_gap(7, 3, 100, 200, GapReason.DROPPED))
    body[1] = 9
    assert unpack(memoryview(bytes(body)), Lane.DATA, 9, CATALOG) is None


def test_a_point_beyond_the_catalog_is_none() -> None:
    body = memoryview(pack_batch(batch(range(21)), 0, 0, 0))
    assert unpack(body, Lane.DATA, 9, CATALOG) is None


def block(*bodies: bytes) -> bytes:
    return b"".join(framed(body, SEED) + body for body in bodies)


def test_frames_are_found_up_to_the_first_bad_one() -> None:
    whole = block(b"\x01one", b"\x01two")
    good = good_bodies(whole + b"\x05\0\0\0wrong", SEED, 99)
    assert [bytes(body) for body in good.bodies] == [b"\x01one", b"\x01two"]
    assert good.end == len(whole)


@pytest.mark.parametrize("tail", [bytes(64), b"\x01", struct.pack("<II", MAX_BODY_BYTES + 1, 0)])
def test_zeroes_stumps_and_impossible_lengths_are_no_frames(tail: bytes) -> None:
    assert good_bodies(tail, 0, 99).bodies == []


def test_length_zero_is_bad_though_its_checksum_holds() -> None:
    assert good_bodies(FRAME.pack(0, zlib.crc32(b"", 0)), 0, 99).bodies == []


def test_a_frame_of_another_segment_is_bad() -> None:
    assert good_bodies(block(b"\x01one"), SEED + 1, 99).bodies == []


def test_no_more_frames_are_taken_than_asked_for() -> None:
    good = good_bodies(block(b"\x01one", b"\x01two"), SEED, 1)
    assert len(good.bodies) == 1
    assert good.end == FRAME.size + 4
