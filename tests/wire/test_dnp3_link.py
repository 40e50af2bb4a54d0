"""Link frames octet by octet: IEEE 1815-2012, clause 9."""

import pytest

from otgate_dnp3.stack.link import FCB, FCV, PRM, FrameReader, Primary, frame
from otgate_dnp3.stack.station import Role, Station

RESET_LINK = "0564 05 c0 0100 0004 e921"
"""The frame that most descriptions of the protocol print: master 1024 to outstation 1."""


def octets(text: str) -> bytes:
    return bytes.fromhex(text)


def answered(station: Station, *frames: str) -> list[tuple[str, str]]:
    found = FrameReader().feed(octets("".join(frames)))
    assert len(found) == len(frames)
    return [(a.hex(), b.hex()) for a, b in map(station.receive, found)]


def outstation() -> Station:
    return Station(Role.OUTSTATION, 1, 1024)


def confirmed(count: int, data: str) -> str:
    control = 0x80 | PRM | FCV | count | Primary.CONFIRMED_USER_DATA
    return frame(control, 1, 1024, octets(data)).hex()


def test_a_header_carries_its_crc_lowest_octet_first() -> None:
    assert frame(0xC0, 1, 1024) == octets(RESET_LINK)


def test_sixteen_octets_are_one_block_and_the_seventeenth_begins_another() -> None:
    built = frame(0xC4, 1, 1024, bytes(range(17)))
    assert len(built) == 10 + 18 + 3
    assert built[2] == 5 + 17
    assert FrameReader().feed(built)[0].data == bytes(range(17))


def test_the_longest_frame_is_292_octets() -> None:
    assert len(frame(0xC4, 1, 1024, bytes(250))) == 292
    with pytest.raises(ValueError, match="251 octets"):
        frame(0xC4, 1, 1024, bytes(251))


def test_reset_link_is_acknowledged() -> None:
    assert answered(outstation(), RESET_LINK) == [(frame(0x00, 1024, 1).hex(), "")]


def test_request_link_status_is_answered_by_either_end() -> None:
    asked = frame(0xC9, 1, 1024).hex()
    assert answered(outstation(), asked) == [(frame(0x0B, 1024, 1).hex(), "")]
    master = Station(Role.MASTER, 1024, 1)
    asked = frame(0x49, 1024, 1).hex()
    assert answered(master, asked) == [(frame(0x8B, 1, 1024).hex(), "")]


def test_confirmed_user_data_is_refused_before_a_reset() -> None:
    assert answered(outstation(), confirmed(FCB, "c0")) == [(frame(0x01, 1024, 1).hex(), "")]


def test_confirmed_user_data_is_taken_once_and_acknowledged_every_time() -> None:
    ack = frame(0x00, 1024, 1).hex()
    first, second = confirmed(FCB, "c0aa"), confirmed(0, "c1bb")
    got = answered(outstation(), RESET_LINK, first, first, second)
    assert got == [(ack, ""), (ack, "c0aa"), (ack, ""), (ack, "c1bb")]


def test_test_link_states_turns_the_frame_count_bit() -> None:
    ack = frame(0x00, 1024, 1).hex()
    test = frame(0x80 | PRM | FCV | FCB | Primary.TEST_LINK_STATES, 1, 1024).hex()
    got = answered(outstation(), RESET_LINK, test, confirmed(0, "c0"))
    assert got == [(ack, ""), (ack, ""), (ack, "c0")]


def test_unconfirmed_user_data_is_not_answered() -> None:
    assert answered(outstation(), frame(0xC4, 1, 1024, b"\xc0\x01").hex()) == [("", "c001")]


def test_an_unknown_function_is_not_supported() -> None:
    assert answered(outstation(), frame(0xC7, 1, 1024).hex()) == [(frame(0x0F, 1024, 1).hex(), "")]


def test_a_secondary_frame_is_never_answered() -> None:
    assert answered(outstation(), frame(0x8B, 1, 1024).hex()) == [("", "")]
