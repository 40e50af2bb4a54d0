"""What is encoded is decoded, however it was cut; what is not DNP3 is counted and dropped."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnp3_columns import DELIVERED, columns, common_ms
from otgate_dnp3.stack import encode
from otgate_dnp3.stack.decode import decoded
from otgate_dnp3.stack.link import Frame, FrameReader, frame
from otgate_dnp3.stack.objects import counted, walk
from otgate_dnp3.stack.points import Columns, TimeQuality
from otgate_dnp3.stack.transport import Reassembly, Segmenter


def plain(made: Columns) -> tuple[Any, ...]:
    """Columns as values that compare."""
    flags = None if made.flags is None else list(made.flags)
    times = None if made.time_ms is None else list(made.time_ms)
    kind = (made.group, made.variation, made.point_type, made.event, made.time_quality)
    return (*kind, list(made.index), list(made.values), flags, times)


def encoded(made: Columns, width: int = 0) -> bytes:
    """One block, behind the common time that its relative times need."""
    base = common_ms(made)
    block = encode.block(made, index_width=width, common_ms=base)
    if made.time_quality is not TimeQuality.SYNCHRONISED:
        return block
    return counted(51, 1, [base.to_bytes(6, "little")]) + block


@pytest.mark.parametrize("kind", DELIVERED)
def test_every_variation_survives_the_wire(kind: tuple[int, int]) -> None:
    @settings(max_examples=20)
    @given(columns(st.just(kind)), st.sampled_from([0, 1, 2, 4]))
    def holds(made: Columns, width: int) -> None:
        packed = kind in {(1, 1), (3, 1), (10, 1)} or kind[0] in {50, 51, 52}
        if packed or (width == 1 and made.index[-1] > 255):
            width = 0
        found = walk(encoded(made, width))
        assert found.rest == b""
        assert plain(decoded(found.blocks).columns[-1]) == plain(made)

    holds()


@given(st.lists(columns(), max_size=6))
def test_blocks_are_read_in_the_order_of_the_wire(made: list[Columns]) -> None:
    found = walk(b"".join(map(encoded, made)))
    assert found.rest == b""
    read = [each.group for each in decoded(found.blocks).columns if each.group != 51]
    assert read == [each.group for each in made if each.group != 51]


@given(st.lists(columns(), min_size=1, max_size=4), st.data())
def test_a_fragment_cut_anywhere_keeps_what_was_before_the_cut(
    made: list[Columns], data: st.DataObject
) -> None:
    objects = b"".join(map(encoded, made))
    cut = data.draw(st.integers(0, len(objects)))
    whole, found = walk(objects), walk(objects[:cut])
    assert found.blocks == whole.blocks[: len(found.blocks)]
    assert sum(map(len, (found.rest,))) <= cut
    assert bool(found.rest) == bool(found.why)


@given(st.binary(max_size=300))
def test_any_objects_are_read_or_are_the_rest(objects: bytes) -> None:
    found = walk(objects)
    assert objects.endswith(found.rest)
    for column in decoded(found.blocks).columns:
        sizes = {len(each) for each in (column.index, column.values, column.flags or column.index)}
        assert sizes == {len(column.time_ms or column.index)}
    walk(objects, carried=False)


@given(st.lists(st.binary(min_size=1, max_size=2000), max_size=4), st.data())
def test_fragments_come_through_frames_cut_anywhere(
    fragments: list[bytes], data: st.DataObject
) -> None:
    segmenter = Segmenter()
    frames = [frame(0x44, 1, 10, s) for each in fragments for s in segmenter.cut(each)]
    stream = b"".join(frames)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=12)))
    reader, reassembly = FrameReader(), Reassembly()
    chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    found = [received for chunk in chunks for received in reader.feed(chunk)]
    assert [each for each in (reassembly.feed(f.data) for f in found) if each] == fragments
    assert reader.counts.junk_octets == 0


@given(st.lists(st.binary(max_size=300) | st.just(frame(0x44, 1, 10, b"ok")), max_size=20))
def test_a_stream_of_anything_gives_frames_or_nothing(chunks: list[bytes]) -> None:
    reader = FrameReader()
    found = [each for chunk in chunks for each in reader.feed(chunk)] + reader.give_up()
    assert not reader.unfinished
    assert all(isinstance(each, Frame) for each in found)
    assert sum(chunk == frame(0x44, 1, 10, b"ok") for chunk in chunks) <= len(found)
