"""Our octets read by two independent implementations, and theirs by ours."""

from dnp3.application.parser import parse_request, parse_response
from dnp3.datalink.frame import DataLinkFrame
from dnp3.datalink.parser import FrameParser
from dnp3.objects.layout import LAYOUTS as PEER_LAYOUTS
from dnp3.objects.layout import data_length, object_width
from dnp3.transport.reassembler import Reassembler
from dnp3.transport.segment import TransportSegment
from hypothesis import given
from hypothesis import strategies as st
from py1815 import link as peer_link
from py1815.decode import decode_objects

from dnp3_columns import DELIVERED, columns, common_ms
from otgate_dnp3.stack import encode
from otgate_dnp3.stack.application import Function, request, response
from otgate_dnp3.stack.layouts import LAYOUTS, Shape
from otgate_dnp3.stack.link import FrameReader, frame
from otgate_dnp3.stack.objects import every, walk
from otgate_dnp3.stack.points import Columns
from otgate_dnp3.stack.transport import Segmenter

FRAMES = st.tuples(
    st.sampled_from([0x44, 0xC4, 0x73, 0xF3]),
    st.integers(0, 0xFFEF),
    st.integers(0, 0xFFEF),
    st.binary(min_size=1, max_size=250),
)

PY1815 = sorted(k for k in DELIVERED if k[0] in {1, 2, 10, 20, 21, 22, 23, 30, 32, 40, 42})
"""What py1815 knows of what we deliver."""


def test_every_object_is_as_wide_as_the_peer_says() -> None:
    widths = {kind: object_width(*kind) for kind in PEER_LAYOUTS}
    fixed = {k: w for k, w in widths.items() if w and LAYOUTS[k].shape is Shape.FIXED}
    assert len(fixed) > 100
    assert {kind: LAYOUTS[kind].size for kind in fixed} == fixed


def test_packed_objects_are_as_long_as_the_peer_says() -> None:
    for kind in ((1, 1), (3, 1), (10, 1), (80, 1)):
        for number in range(1, 20):
            size = data_length(PEER_LAYOUTS[kind], number, 0)
            objects = bytes((*kind, 0, 0, number - 1)) + bytes(size or 0)
            assert walk(objects).rest == b""
            assert walk(objects[:-1]).rest != b""


@given(FRAMES)
def test_both_peers_read_our_frames(parts: tuple[int, int, int, bytes]) -> None:
    built = frame(*parts)
    theirs = peer_link.parse(built)
    assert (theirs.control, theirs.destination, theirs.source, theirs.payload) == parts
    (other,) = FrameParser().feed(built)
    assert (other.header.destination, other.header.source) == parts[1:3]
    assert other.user_data == parts[3]


@given(FRAMES)
def test_we_read_the_frames_of_both_peers(parts: tuple[int, int, int, bytes]) -> None:
    assert FrameReader().feed(peer_link.build(*parts)) == [parts]
    rebuilt = DataLinkFrame.from_bytes(frame(*parts)).to_bytes()
    assert FrameReader().feed(rebuilt) == [parts]


@given(st.binary(min_size=1, max_size=2000))
def test_a_peer_puts_our_segments_together(fragment: bytes) -> None:
    reassembler = Reassembler()
    whole = [reassembler.add(TransportSegment.from_bytes(s)) for s in Segmenter().cut(fragment)]
    assert whole[-1] is not None
    assert whole[-1].data == fragment


@given(columns())
def test_a_peer_finds_the_end_of_every_object_we_encode(made: Columns) -> None:
    objects = encode.block(made, common_ms=common_ms(made))
    read = parse_response(response(0xC0, 0, objects + every(60, 1)))
    first = read.objects[0].header
    assert (first.group, first.variation) == (made.group, made.variation)
    assert read.objects[-1].header.group == 60


@given(columns(st.sampled_from(PY1815)), st.sampled_from([0, 2]))
def test_a_peer_reads_the_values_that_we_encode(made: Columns, width: int) -> None:
    packed = (made.group, made.variation) in {(1, 1), (10, 1)}
    width = 0 if packed else width
    base = common_ms(made)
    read = decode_objects(encode.block(made, index_width=width, common_ms=base))
    assert read.complete
    assert [each.index for each in read.objects] == list(made.index)
    assert [float(each.value) for each in read.objects] == [float(each) for each in made.values]


def test_a_peer_reads_our_requests() -> None:
    objects = every(60, 2) + every(60, 3) + every(60, 4) + every(60, 1)
    read = parse_request(request(Function.READ, 3, objects))
    assert (read.header.function, read.header.control.seq) == (1, 3)
    assert [each.header.variation for each in read.objects] == [2, 3, 4, 1]
