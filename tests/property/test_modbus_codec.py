"""Masters have been crashed by replies: the codec against anything that a server may say."""

import struct
import sys

from hypothesis import example, given
from hypothesis import strategies as st

from otgate_modbus.codec import Ask, Codec, FramingLost, Missing

ASKS = st.builds(
    Ask,
    st.integers(0, 255),
    st.sampled_from([1, 2, 3, 4]),
    st.integers(0, 65535),
    st.integers(1, 125),
)


def fed(codec: Codec, *chunks: bytes) -> list[Ask]:
    """Feed until the link would be dropped."""
    answered: list[Ask] = []
    try:
        for chunk in chunks:
            answered += codec.feed(chunk)
    except FramingLost:
        pass
    return answered


@st.composite
def near_misses(draw: st.DrawFn) -> tuple[Ask, bytes]:
    """A reply with any of its fields replaced."""
    ask = draw(ASKS)
    fields = [1, 0, 3 + ask.size, ask.unit, ask.function, ask.size]
    wrong = draw(st.sets(st.integers(0, 5)))
    for at in wrong:
        fields[at] = draw(st.integers(0, 65535 if at < 3 else 255))
    data = draw(st.binary(max_size=260) | st.just(bytes(ask.size)))
    return ask, struct.pack(">HHHBBB", *fields) + data


@given(ASKS, st.lists(st.binary(max_size=300), max_size=10))
@example(Ask(1, 3, 0, 1), [b"\0\1\0\0\0\3\1\x83\2"])
def test_any_bytes_are_an_answer_a_late_answer_or_the_end(ask: Ask, chunks: list[bytes]) -> None:
    codec = Codec()
    codec.request(ask)
    fed(codec, *chunks)
    assert len(codec._rest) < 260


@given(near_misses())
def test_only_a_reply_that_is_right_in_every_field_is_data(near: tuple[Ask, bytes]) -> None:
    ask, reply = near
    codec = Codec()
    codec.request(ask)
    fed(codec, reply)
    if isinstance(ask.answer, bytes):
        assert len(ask.answer) == ask.size
        header = struct.pack(">HHHBBB", 1, 0, 3 + ask.size, ask.unit, ask.function, ask.size)
        assert reply.startswith(header + ask.answer)
    elif isinstance(ask.answer, int):
        assert reply[:8] == struct.pack(">HHHBB", 1, 0, 3, ask.unit, ask.function | 0x80)
    else:
        assert ask.answer in {Missing.NOT_ASKED, Missing.MISMATCHED}


@given(ASKS, st.data())
def test_it_does_not_matter_where_a_reply_is_cut(ask: Ask, data: st.DataObject) -> None:
    codec = Codec()
    codec.request(ask)
    payload = data.draw(st.binary(min_size=ask.size, max_size=ask.size))
    head = struct.pack(">HHHBBB", 1, 0, 3 + ask.size, ask.unit, ask.function, ask.size)
    late = struct.pack(">HHHBBB", 7, 0, 3, 1, 0x83, 2)
    stream = late + head + payload + late
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)))))
    chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert fed(codec, *chunks) == [ask]
    assert ask.answer == payload
    assert codec.counts.late == 2


@given(st.lists(ASKS, min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_replies_are_paired_by_transaction_id_alone(asks: list[Ask], random: object) -> None:
    codec = Codec()
    for ask in asks:
        codec.request(ask)
    replies = [
        struct.pack(">HHHBBB", tid, 0, 3, ask.unit, ask.function | 0x80, tid)
        for tid, ask in enumerate(asks, 1)
    ]
    order = list(range(len(asks)))
    random.shuffle(order)  # type: ignore[attr-defined]  # hypothesis types it as object
    answered = fed(codec, b"".join(replies[at] for at in order))
    assert [ask.answer for ask in asks] == list(range(1, len(asks) + 1))
    assert answered == [asks[at] for at in order]


def test_work_is_linear_in_what_is_received() -> None:
    once, fourfold = (calls_for(replies) for replies in (2_000, 8_000))
    assert fourfold < 4.1 * once


def calls_for(replies: int) -> int:
    """Return how many calls it takes to read as many replies, in pieces that end anywhere."""
    codec, calls = Codec(), 0
    asks = [Ask(1, 3, 0, 1) for _ in range(replies)]
    for ask in asks:
        codec.request(ask)
    heads = (struct.pack(">HHHBBBH", at, 0, 5, 1, 3, 2, 0) for at in range(1, replies + 1))
    stream = b"".join(heads)

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    sys.setprofile(count)
    try:
        for at in range(0, len(stream), 1000):
            codec.feed(stream[at : at + 1000])
    finally:
        sys.setprofile(None)
    assert codec.counts.replies == replies
    return calls
