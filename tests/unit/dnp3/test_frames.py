"""Frames found in a stream that is not only frames."""

import time

import pytest

from otgate_dnp3.stack.crc import crc
from otgate_dnp3.stack.link import LONGEST_FRAME, FrameReader, frame

A = frame(0x44, 1, 10, bytes(range(40)))
B = frame(0x44, 1, 10, b"second")


def slow_crc(data: bytes) -> int:
    register = 0
    for octet in data:
        register ^= octet
        for _ in range(8):
            register = register >> 1 ^ (0xA6BC if register & 1 else 0)
    return register ^ 0xFFFF


def spoiled(data: bytes, at: int) -> bytes:
    return data[:at] + bytes((data[at] ^ 0x10,)) + data[at + 1 :]


@pytest.mark.parametrize("size", [0, 1, 2, 7, 8, 15, 16, 255])
def test_the_table_agrees_with_the_polynomial_bit_by_bit(size: int) -> None:
    data = bytes((7 * at + size) & 0xFF for at in range(size))
    assert crc(data) == slow_crc(data)


@pytest.mark.parametrize("at", range(len(A)))
def test_a_flipped_bit_anywhere_costs_one_frame_and_never_the_next(at: int) -> None:
    reader = FrameReader()
    found = reader.feed(spoiled(A, at) + B) + reader.give_up()
    assert [each.data for each in found] == [b"second"]


@pytest.mark.parametrize("cut", range(1, len(A)))
def test_a_truncated_frame_costs_itself_alone(cut: int) -> None:
    reader = FrameReader()
    found = reader.feed(A[:cut] + B) + reader.give_up()
    assert [each.data for each in found] == [b"second"]
    assert not reader.unfinished


@pytest.mark.parametrize("cut", range(len(A) + 1))
def test_it_does_not_matter_where_the_stream_is_cut(cut: int) -> None:
    reader = FrameReader()
    assert [len(f.data) for f in reader.feed(A[:cut]) + reader.feed(A[cut:] + B)] == [40, 6]
    assert reader.counts.junk_octets == 0


def test_noise_between_frames_is_skipped_and_counted() -> None:
    reader = FrameReader()
    noise = b"\x00\x05\x05\x64\xff" * 5
    assert len(reader.feed(noise + A + noise + B)) == 2
    assert reader.counts.junk_octets == 50
    assert (reader.counts.frames, reader.counts.bad_header) == (2, 10)


def test_a_length_below_its_own_header_is_no_frame() -> None:
    header = bytes.fromhex("0564 04 44 0100 0a00")
    reader = FrameReader()
    assert reader.feed(header + crc(header).to_bytes(2, "little") + B)[0].data == b"second"
    assert reader.counts.bad_length == 1


def test_no_more_than_one_frame_is_ever_kept() -> None:
    reader = FrameReader()
    for _ in range(2000):
        reader.feed(A[:-1])
        assert len(reader._rest) < LONGEST_FRAME


def test_work_is_linear_in_what_is_received() -> None:
    header = frame(0x44, 1, 10, bytes(250))[:10]
    spent = [worked(header * count) for count in (2_000, 8_000)]
    assert spent[1] < 12 * spent[0]


def worked(stream: bytes) -> float:
    reader = FrameReader()
    before = time.process_time()
    for at in range(0, len(stream), 1000):
        reader.feed(stream[at : at + 1000])
    return time.process_time() - before
