from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from otgate.model import Batch, Lane, Origin, ValueType
from otgate.spool.frame import good_bodies, pack_batch, unpack
from otgate.spool.items import Frame
from spools import catalog

CATALOG = catalog(points=50)
I64 = st.integers(-(2**63), 2**63 - 1)
ELEMENTS: dict[ValueType, st.SearchStrategy[Any]] = {
    ValueType.F64: st.floats(width=64),
    ValueType.I64: I64,
    ValueType.U64: st.integers(0, 2**64 - 1),
    ValueType.BOOL: st.booleans(),
    ValueType.TEXT: st.text(),
}


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    kind = draw(st.sampled_from(ValueType))
    count = draw(st.integers(1, 12))

    def column(elements: st.SearchStrategy[Any], dtype: Any) -> Any:
        drawn = draw(st.lists(elements, min_size=count, max_size=count))
        return np.array(drawn, dtype=dtype)

    start = draw(st.integers(0, 50 - count))
    run = np.arange(start, start + count, dtype=np.int32)
    good = np.zeros(count, np.uint32)
    return Batch(
        draw(st.sampled_from(["f3", "f4"])),
        kind,
        draw(st.sampled_from(Origin)),
        run if draw(st.booleans()) else column(st.integers(0, 49), np.int32),
        column(ELEMENTS[kind], kind.dtype),
        good if draw(st.booleans()) else column(st.integers(0, 2**32 - 1), np.uint32),
        draw(I64),
        column(I64, np.int64) if draw(st.booleans()) else None,
    )


def same(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return one is other
    if one.dtype == object:
        return bool(one.tolist() == other.tolist())
    return bool(one.dtype == other.dtype and one.tobytes() == other.tobytes())


@settings(deadline=None)
@given(batches(), st.integers(0, 2**63), I64)
def test_every_batch_survives(sent: Batch, seq: int, spooled_ns: int) -> None:
    body = pack_batch(sent, ["f3", "f4"].index(sent.device), seq, spooled_ns)
    frame = unpack(memoryview(body), Lane.EVENT, 9, CATALOG)
    assert isinstance(frame, Frame)
    got = frame.batch
    assert (frame.seq, frame.spooled_ns, frame.epoch) == (seq, spooled_ns, 9)
    assert (got.device, got.value_type, got.origin) == (sent.device, sent.value_type, sent.origin)
    assert got.received_ns == sent.received_ns
    for column in ("index", "values", "quality", "source_ns"):
        assert same(getattr(sent, column), getattr(got, column)), column


@settings(deadline=None)
@given(batches(), st.integers(0, 400), st.integers(0, 255))
def test_a_body_with_any_byte_changed_is_decoded_or_refused(
    sent: Batch, at: int, byte: int
) -> None:
    body = bytearray(pack_batch(sent, 0, 5, 6))
    body[at % len(body)] = byte
    frame = unpack(memoryview(bytes(body)), Lane.DATA, 9, CATALOG)
    if isinstance(frame, Frame):
        assert 0 < len(frame.batch.index) == len(frame.batch.values) == len(frame.batch.quality)
        assert 0 <= frame.batch.index.min() <= frame.batch.index.max() < 50


@settings(deadline=None)
@given(st.binary(max_size=600))
def test_any_bytes_are_no_body_or_a_sound_one(body: bytes) -> None:
    if body:
        unpack(memoryview(body), Lane.DATA, 9, CATALOG)


@settings(deadline=None)
@given(st.binary(max_size=600), st.integers(0, 2**32 - 1))
def test_any_bytes_hold_no_frames_beyond_their_end(block: bytes, seed: int) -> None:
    good = good_bodies(block, seed, 99)
    assert 0 <= good.end <= len(block)
    assert (good.end == 0) == (good.bodies == [])
