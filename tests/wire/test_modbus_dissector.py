"""What we send and what we take for an answer, as tshark's Modbus dissector reads it."""

import struct
from pathlib import Path

import pytest

from captures import Said, capture, fields
from otgate_modbus.codec import Ask, Codec, Identify
from otgate_modbus.rtu import RtuCodec, framed

TCP_PORT, RTU_PORT = 502, 5020
OVER_TCP = ("-d", f"tcp.port=={RTU_PORT},mbrtu", "-o", "mbrtu.crc_verification:TRUE")
BAD = "_ws.malformed || _ws.expert.severity >= 6291456 || (tcp.len > 0 && !modbus)"
"""Malformed, a warning or worse, or octets that are no Modbus."""

ASKS = [
    *(Ask(1, function, 65_535, 1) for function in (1, 2, 3, 4)),
    *(Ask(247, function, 0, 2000) for function in (1, 2)),
    *(Ask(255, function, 100, 125) for function in (3, 4)),
]
IDENTIFY = [Identify(1, category, first) for category in (1, 2) for first in (0, 3)]


def replies(ask: Ask) -> list[bytes]:
    """Right replies to a question, from the unit id on: data, and refusals."""
    data = bytes(at % 251 for at in range(ask.size))
    refusals = [bytes((ask.unit, ask.function | 0x80, code)) for code in (1, 2, 3, 4, 6, 8, 10, 11)]
    return [bytes((ask.unit, ask.function, ask.size)) + data, *refusals]


def over_tcp() -> list[tuple[bool, bytes]]:
    codec, said = Codec(), []
    for ask in ASKS:
        for reply in replies(ask):
            said.append((True, codec.request(ask)))
            said.append((False, said[-1][1][:4] + struct.pack(">H", len(reply)) + reply))
            assert codec.feed(said[-1][1]) == [ask]
    said += [(True, codec.request(ask)) for ask in IDENTIFY]
    return said


def on_a_line() -> list[tuple[bool, bytes]]:
    codec, said = RtuCodec(), []
    for ask in ASKS:
        for reply in replies(ask):
            said += [(True, codec.request(ask)), (False, framed(reply))]
            assert codec.feed(said[-1][1]) == [ask]
    return said


@pytest.mark.parametrize(
    ("said", "port", "arguments"), [(over_tcp(), TCP_PORT, ()), (on_a_line(), RTU_PORT, OVER_TCP)]
)
def test_no_frame_is_malformed(
    tmp_path: Path, said: Said, port: int, arguments: tuple[str, ...]
) -> None:
    capture(tmp_path / "said", said, port)
    assert fields(tmp_path / "said", "frame.number", only=BAD, arguments=arguments) == []
    seen = fields(tmp_path / "said", "modbus.func_code", only="modbus", arguments=arguments)
    assert len(seen) == len(list(said))


def test_a_crc_of_ours_that_is_spoilt_is_seen_by_the_dissector_too(tmp_path: Path) -> None:
    frame = RtuCodec().request(ASKS[0])
    capture(tmp_path / "said", [(True, frame[:-1] + bytes((frame[-1] ^ 1,)))], RTU_PORT)
    assert fields(tmp_path / "said", "frame.number", only=BAD, arguments=OVER_TCP)


def test_the_dissector_reads_the_question_that_was_meant(tmp_path: Path) -> None:
    codec = Codec()
    capture(tmp_path / "said", [(True, codec.request(ask)) for ask in ASKS], TCP_PORT)
    names = ("mbtcp.trans_id", "mbtcp.unit_id", "modbus.func_code", "modbus.reference_num")
    counts = ("modbus.bit_cnt", "modbus.word_cnt")
    seen = fields(tmp_path / "said", *names, *counts, only="modbus")
    assert [list(map(int, filter(None, row))) for row in seen] == [
        [at, *struct.unpack(">BBHH", ask.body)] for at, ask in enumerate(ASKS, 1)
    ]


def test_the_dissector_finds_the_same_registers_in_a_reply(tmp_path: Path) -> None:
    codec, ask = Codec(), Ask(1, 3, 0x6B, 3)  # AP §6.3, example
    reply = bytes.fromhex("0001 0000 0009 01 03 06 022b 0000 0064")
    capture(tmp_path / "said", [(True, codec.request(ask)), (False, reply)], TCP_PORT)
    assert codec.feed(reply) == [ask]
    assert isinstance(ask.answer, bytes)
    (seen,) = fields(tmp_path / "said", "modbus.regval_uint16", only="modbus.byte_cnt")
    assert list(map(int, seen[0].split(","))) == list(struct.unpack(">3H", ask.answer))
