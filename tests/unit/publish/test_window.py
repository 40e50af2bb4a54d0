from otgate.publish.message import Message
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
