"""Masters have been crashed by replies: both codecs and the whole driver, in the client role."""

import asyncio
import itertools
import random
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from modbus_fuzz import ADU, KINDS, run, run_line
from modbus_peers import Asked, Server, point, serving, session
from otgate.errors import LinkLost
from otgate.testing.contract import Remembered
from otgate_modbus.codec import Answer, Ask, Missing
from otgate_modbus.identification import MOST_REPLIES, Category, identified
from otgate_modbus.rtu import RtuCodec, framed

SLOW = pytest.mark.slow
ROUNDS = 5_000
SEEDS = [*range(3), *(pytest.param(seed, marks=SLOW) for seed in range(3, 23))]

TYPES = ["u16", "i32", "u64 na", "f16", "f32", "f64", "bcd32", "mod10000(3)", "string(9)"]
TYPES += ["time32", "time64", "enum32", "u8_high", "i16 na"]
POINTS = [point(f"p{at}", f"hr {16 * at}", type_, order="") for at, type_ in enumerate(TYPES)]
POINTS += [point("i", "ir 3"), point("c", "co 3-9"), point("d", "di 5")]


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_that_a_tcp_server_says_stops_the_codec(seed: int) -> None:
    victim = run(seed, ROUNDS)
    assert victim.answered > ROUNDS
    assert victim.lost > ROUNDS / 20


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_that_is_said_stops_a_codec_with_manners(kind: str) -> None:
    assert run(99, ROUNDS, kind).answered > ROUNDS / 20


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_that_is_heard_on_a_line_stops_the_codec(seed: int) -> None:
    lines = run_line(seed, ROUNDS)
    assert lines.answered > ROUNDS / 4
    assert lines.untrue <= 1  # a CRC of 16 bits lets one in 65,536 through


@given(st.binary(min_size=2, max_size=250), st.sets(st.integers(0, 2015), min_size=1, max_size=3))
@example(bytes(2), {0})
def test_up_to_three_bits_flipped_on_a_line_are_never_an_answer(
    data: bytes, flipped: set[int]
) -> None:
    """The polynomial's Hamming distance is 4 in frames of this length."""
    data = data[: len(data) // 2 * 2]
    ask, codec = Ask(1, 3, 0, len(data) // 2), RtuCodec()
    codec.request(ask)
    octets = bytearray(framed(bytes((1, 3, len(data))) + data))
    for bit in {bit % (8 * len(octets)) for bit in flipped}:
        octets[bit // 8] ^= 1 << bit % 8
    assert codec.feed(bytes(octets)) == []


CODECS = st.builds(RtuCodec, echo=st.booleans(), trailing=st.booleans())


@given(CODECS, st.lists(st.binary(min_size=1, max_size=300), max_size=10))
def test_any_bytes_on_a_line_are_the_answer_or_none(codec: RtuCodec, pieces: list[bytes]) -> None:
    ask = Ask(1, 3, 0, 2)
    codec.request(ask)
    answered = [each for piece in pieces for each in codec.feed(piece)]
    assert answered in ([], [ask])
    for each in answered:
        data = isinstance(each.answer, bytes)
        reply = b"\1\3\4" + each.answer if data else bytes((1, 0x83, each.answer))
        assert framed(reply) in b"".join(pieces)
    assert len(codec._held) <= sum(map(len, pieces))


ANSWERS = st.binary(max_size=252) | st.integers(0, 255) | st.sampled_from(Missing)
LIES = st.builds(
    lambda number, more, count, rest: bytes((14, 1, 1, more, number, count)) + rest,
    st.integers(0, 255),
    st.sampled_from([0, 0xFF]),
    st.integers(0, 255),
    st.binary(max_size=246),
)


@given(st.lists(ANSWERS | LIES, min_size=1))
async def test_whatever_a_device_says_it_is_it_is_asked_a_bounded_number_of_times(
    answers: list[Answer],
) -> None:
    said, asked = itertools.cycle(answers), 0

    async def ask(category: Category, first: int) -> Answer:
        nonlocal asked
        asked += 1
        return next(said)

    assert all(isinstance(text, str) for text in (await identified(ask)).values())
    assert asked <= 2 * MOST_REPLIES


def lying(server: Server, chance: random.Random) -> None:
    """Answer, but every third time changed by chance."""

    def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        reply = asked.honest()
        writer.write(ADU.mutated(reply, chance) if chance.random() < 0.3 else reply)

    server.answers = answer


@pytest.mark.virtual_time
@pytest.mark.parametrize(
    "seed", [*range(3), *(pytest.param(seed, marks=SLOW) for seed in range(3, 23))]
)
async def test_a_server_that_lies_costs_polls_and_connections_and_nothing_else(seed: int) -> None:
    state, lost = Remembered(), 0
    async with serving() as server:
        lying(server, random.Random(seed))
        for _ in range(60):
            async with session(*POINTS, port=server.port, state=state, timeout_s=0.5) as bench:
                try:
                    for _ in range(20):
                        with suppress(TimeoutError):
                            await bench.scan()
                except LinkLost:
                    lost += 1
        server.answers = lambda asked, writer: writer.write(asked.honest())
        async with session(*POINTS, port=server.port, state=Remembered()) as bench:
            assert all(quality == 0 for _, quality in (await bench.scan()).values())
    assert lost > 20
