"""Whose frames a station takes."""

import pytest

from otgate_dnp3.stack.link import Frame
from otgate_dnp3.stack.station import Role, Station

READ = b"\xc0\xc0\x01"


def from_master(destination: int, source: int = 1) -> Frame:
    return Frame(0xC4, destination, source, READ)


@pytest.mark.parametrize(("destination", "source"), [(11, 1), (10, 2), (0xFFFC, 1)])
def test_a_frame_to_or_from_another_address_is_dropped(destination: int, source: int) -> None:
    station = Station(Role.OUTSTATION, 10, 1)
    assert station.receive(from_master(destination, source)) == (b"", b"")
    assert (station.counts.foreign, station.counts.taken) == (1, 0)


def test_a_frame_in_its_own_direction_is_dropped() -> None:
    station = Station(Role.MASTER, 1, 10)
    assert station.receive(Frame(0xC4, 1, 10, READ)) == (b"", b"")
    assert station.counts.wrong_direction == 1


def test_an_outstation_takes_a_broadcast_and_does_not_answer_it() -> None:
    station = Station(Role.OUTSTATION, 10, 1)
    assert station.receive(from_master(0xFFFF)) == (b"", READ)
    assert station.receive(Frame(0xC9, 0xFFFD, 1, b"")) == (b"", b"")


def test_a_master_takes_no_broadcast() -> None:
    station = Station(Role.MASTER, 1, 10)
    assert station.receive(Frame(0x44, 0xFFFF, 10, READ)) == (b"", b"")
    assert station.counts.foreign == 1


def test_the_self_address_is_answered_where_it_is_told_to() -> None:
    station = Station(Role.OUTSTATION, 10, 1, answers_self_address=True)
    assert station.receive(from_master(0xFFFC)) == (b"", READ)


def test_confirmed_user_data_without_a_frame_count_is_not_supported() -> None:
    station = Station(Role.OUTSTATION, 10, 1)
    station.receive(Frame(0xC0, 10, 1, b""))
    answer, segment = station.receive(Frame(0xC3, 10, 1, READ))
    assert (answer[3] & 0x0F, segment) == (15, b"")


def test_user_data_without_data_is_counted() -> None:
    station = Station(Role.OUTSTATION, 10, 1)
    assert station.receive(Frame(0xC4, 10, 1, b"")) == (b"", b"")
    assert station.counts.empty == 1


def test_an_answer_to_its_own_link_status_request_is_counted() -> None:
    station = Station(Role.MASTER, 1, 10)
    station.receive(Frame(0x0B, 1, 10, b""))
    assert station.counts.link_status == 1


def test_a_new_connection_begins_unreset() -> None:
    station = Station(Role.OUTSTATION, 10, 1)
    station.receive(Frame(0xC0, 10, 1, b""))
    station.reset()
    station.receive(Frame(0xF3, 10, 1, READ))
    assert station.counts.unreset == 1
