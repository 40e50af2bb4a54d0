"""The RTU codec alone: frames out, judged bytes in."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otgate_modbus.codec import Ask, Missing
from otgate_modbus.rtu import RtuCodec, crc16, framed

READ_ONE = (1, 3, 0, 1)
RIGHT = framed(bytes.fromhex("01 03 02 002a"))


def asked(*place: int, **options: bool) -> tuple[RtuCodec, Ask]:
    codec, ask = RtuCodec(**options), Ask(*(place or READ_ONE))
    codec.request(ask)
    return codec, ask


def slow_crc(data: bytes) -> int:
    """SL §6.2.2 as it is described: bit by bit."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc


@pytest.mark.parametrize(
    ("place", "frame"),
    [
        ((1, 3, 0, 10), "01 03 0000 000a c5cd"),
        ((17, 1, 19, 37), "11 01 0013 0025 0e84"),
        ((17, 2, 196, 22), "11 02 00c4 0016 baa9"),
        ((17, 3, 107, 3), "11 03 006b 0003 7687"),
        ((17, 4, 8, 1), "11 04 0008 0001 b298"),
    ],
)
def test_a_request_is_framed(place: tuple[int, int, int, int], frame: str) -> None:
    assert RtuCodec().request(Ask(*place)) == bytes.fromhex(frame)


@given(st.binary(max_size=300))
def test_the_crc_is_the_one_of_the_standard(data: bytes) -> None:
    assert crc16(data) == slow_crc(data)
    assert crc16(framed(data)) == 0


def test_a_right_reply_is_its_data() -> None:
    codec, ask = asked()
    assert codec.feed(RIGHT) == [ask]
    assert ask.answer == b"\x00\x2a"
    assert codec.counts.replies == 1


def test_bits_are_their_bytes() -> None:
    codec, ask = asked(17, 1, 19, 37)
    assert codec.feed(framed(bytes.fromhex("11 01 05 cd6bb20e1b"))) == [ask]
    assert ask.answer == bytes.fromhex("cd6bb20e1b")


def test_an_exception_is_its_code() -> None:
    codec, ask = asked()
    assert codec.feed(framed(b"\x01\x83\x02")) == [ask]
    assert ask.answer == 2


@pytest.mark.parametrize("at", range(1, len(RIGHT)))
def test_a_reply_may_be_cut_anywhere(at: int) -> None:
    codec, ask = asked()
    assert codec.feed(RIGHT[:at]) == []
    assert codec.begun
    assert codec.feed(RIGHT[at:]) == [ask]


SPOILT = {
    "another unit": framed(bytes.fromhex("02 03 02 002a")),
    "another function": framed(bytes.fromhex("01 04 02 002a")),
    "another size": framed(bytes.fromhex("01 03 04 002a 002a")),
    "an odd byte count": framed(bytes.fromhex("01 03 03 002a00")),
    "a byte count of none": framed(bytes.fromhex("01 03 00")),
    "an exception of another function": framed(b"\x01\x84\x02"),
    "an exception of another unit": framed(b"\x02\x83\x02"),
    "a wrong CRC": RIGHT[:-1] + bytes([RIGHT[-1] ^ 1]),
    "a CRC with its bytes swapped": RIGHT[:-2] + RIGHT[:-3:-1],
    "an exception with a wrong CRC": framed(b"\x01\x83\x02")[:-1] + b"\x00",
    "a byte before it": b"\x00" + RIGHT,
    "a byte behind it": RIGHT + b"\x00",
    "two replies": RIGHT + RIGHT,
    "a TCP header": bytes.fromhex("0001 0000 0005 01 03 02 002a"),
    "ones": b"\xff" * 300,
    "its own request": RtuCodec().request(Ask(*READ_ONE)),
}


@pytest.mark.parametrize("fault", SPOILT)
def test_what_is_not_the_reply_spoils_it(fault: str) -> None:
    codec, ask = asked()
    assert codec.feed(SPOILT[fault]) == []
    assert codec.spoilt
    assert codec.give_up() is ask
    assert ask.answer is Missing.MISMATCHED
    assert codec.counts.mismatched == 1


@pytest.mark.parametrize("fault", SPOILT)
def test_nothing_that_follows_a_spoilt_reply_is_read(fault: str) -> None:
    codec, _ = asked()
    codec.feed(SPOILT[fault])
    assert codec.feed(RIGHT) == []
    assert codec.spoilt


def test_a_late_reply_is_not_the_next_answer() -> None:
    codec, first = asked()
    codec.forget()
    assert codec.feed(RIGHT) == []
    assert codec.counts.stray == len(RIGHT)
    second = Ask(1, 3, 8, 1)
    codec.request(second)
    assert not codec.begun
    assert codec.feed(framed(bytes.fromhex("01 03 02 0007"))) == [second]
    assert (first.answer, second.answer) == (Missing.NOT_ASKED, b"\x00\x07")


def test_the_half_of_a_late_reply_is_forgotten_with_its_request() -> None:
    codec, _ = asked()
    codec.feed(RIGHT[:4])
    second = Ask(*READ_ONE)
    codec.request(second)
    assert codec.feed(RIGHT) == [second]


def test_a_reply_that_stops_in_its_midst_can_be_given_up() -> None:
    codec, ask = asked()
    codec.feed(RIGHT[:6])
    assert codec.give_up() is ask
    assert ask.answer is Missing.MISMATCHED


def test_without_a_request_there_is_nothing_to_give_up() -> None:
    codec = RtuCodec()
    assert codec.give_up() is None
    assert codec.counts.mismatched == 0


@pytest.mark.parametrize(
    ("heard", "settled"),
    [
        (RIGHT[:-1] + b"\x00", True),
        (framed(b"\x01\x83\x02")[:-1] + b"\x00", True),
        (b"\xff" * 40, False),
        (b"\x00", False),
        (b"\x01\x03", False),
        (b"\x00\x02\x03\x04\x05", False),
    ],
)
def test_a_spoilt_reply_is_told_from_noise_before_it(heard: bytes, settled: object) -> None:
    codec, _ = asked()
    codec.feed(heard)
    assert codec.settled is settled


def test_trailing_bytes_are_forgiven_where_a_device_is_known_for_them() -> None:
    codec, ask = asked(trailing=True)
    assert codec.feed(RIGHT + b"\x00") == [ask]
    assert ask.answer == b"\x00\x2a"


@pytest.mark.parametrize("at", range(1, 15))
def test_an_adapter_may_hear_what_it_sends(at: int) -> None:
    codec, ask = RtuCodec(echo=True), Ask(*READ_ONE)
    heard = codec.request(ask) + RIGHT
    answered = codec.feed(heard[:at])
    assert answered + codec.feed(heard[at:]) == [ask]
    assert ask.answer == b"\x00\x2a"


def test_an_echo_alone_is_no_answer() -> None:
    codec, ask = RtuCodec(echo=True), Ask(*READ_ONE)
    assert codec.feed(codec.request(ask)) == []
    assert not codec.begun
    assert not codec.spoilt


@pytest.mark.parametrize("count", [1, 8, 40])
def test_noise_in_place_of_an_echo_may_come_before_the_reply(count: int) -> None:
    codec, _ = asked(echo=True)
    codec.feed(bytes(count))
    assert codec.spoilt
    assert not codec.settled


def test_an_echo_that_is_not_what_was_sent_is_a_collision() -> None:
    codec, ask = RtuCodec(echo=True), Ask(*READ_ONE)
    codec.feed(codec.request(ask)[:-1] + b"\x00")
    assert codec.spoilt


@given(st.lists(st.binary(max_size=40), max_size=10), st.sampled_from(("echo", "trailing")))
def test_nothing_but_a_whole_right_frame_is_an_answer(chunks: list[bytes], quirk: str) -> None:
    codec, ask = asked(**{quirk: True})
    for chunk in chunks:
        if codec.feed(chunk):
            break
    if isinstance(ask.answer, bytes):
        assert framed(b"\x01\x03\x02" + ask.answer) in b"".join(chunks)


def test_work_on_noise_is_linear() -> None:
    codec, _ = asked()
    began = time.process_time()
    for _ in range(2000):
        codec.feed(b"\x01\x03" * 512)
    assert time.process_time() - began < 1.0


def test_an_exception_is_counted_for_its_unit_and_a_reply_is_not() -> None:
    codec, _ = asked()
    codec.feed(framed(bytes.fromhex("01 83 02")))
    codec.request(Ask(*READ_ONE))
    codec.feed(RIGHT)
    assert codec.counts.exceptions == {1: 1}
