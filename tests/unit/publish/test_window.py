from otgate.publish.message import Message, Urgency
from otgate.publish.window import Window

SMALL = Message("t", b"123456789")


def test_never_more_messages_than_the_limit() -> None:
    window = Window(2, 1000)
    window.sent(1, SMALL)
    assert window.fits(SMALL)
    window.sent(2, SMALL)
    assert not window.fits(SMALL)


def test_never_more_bytes_than_the_limit() -> None:
    window = Window(100, 25)
    window.sent(1, SMALL)
    window.sent(2, SMALL)
    assert not window.fits(SMALL)


def test_one_message_fits_however_large() -> None:
    assert Window(1, 1).fits(Message("t", bytes(1000)))


def test_a_settled_message_makes_room_once() -> None:
    window = Window(1, 1000)
    window.sent(7, SMALL)
    assert window.settled(7) is SMALL
    assert window.settled(7) is None
    assert (len(window), window.size) == (0, 0)


def test_packet_ids_run_from_1_and_begin_again_past_those_in_flight() -> None:
    window = Window(100, 1000)
    window.sent(window.free_id(), SMALL)
    assert [window.free_id() for _ in range(65_534)] == list(range(2, 65_536))  # §2.2.1
    assert window.free_id() == 2


LATE = Message("t", b"123456789", urgency=Urgency.LATE)


def test_what_is_late_leaves_half_of_the_messages_to_what_is_live() -> None:
    window = Window(4, 1000)
    for packet_id in (1, 2):
        assert window.has_late_room
        window.sent(packet_id, LATE)
    assert not window.has_late_room
    assert window.fits(SMALL)
    window.settled(1)
    assert window.has_late_room


def test_what_is_late_leaves_half_of_the_bytes_to_what_is_live() -> None:
    window = Window(100, 20)
    window.sent(1, LATE)
    assert not window.has_late_room


def test_a_window_of_one_is_shared_in_turns() -> None:
    window = Window(1, 1000)
    assert window.has_late_room
    window.sent(1, SMALL)
    assert not window.has_late_room


def test_a_window_full_of_live_messages_has_no_room_for_late_ones_but_keeps_their_share() -> None:
    window = Window(2, 1000)
    window.sent(1, SMALL)
    window.sent(2, SMALL)
    assert not window.has_late_room
    assert window.has_late_share


def test_a_share_that_is_used_is_there_again_once_a_late_message_arrived() -> None:
    window = Window(2, 1000)
    window.sent(1, LATE)
    assert not window.has_late_share
    window.settled(1)
    assert window.has_late_share
