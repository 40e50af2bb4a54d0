import itertools
from collections import deque

import pytest

from otgate.publish.message import Message, Urgency
from otgate.publish.window import AIM_S, Window

NOW = itertools.repeat(0.0).__next__

SMALL = Message("t", b"123456789")


def test_never_more_messages_than_the_limit() -> None:
    window = Window(2, 1000, NOW)
    window.sent(1, SMALL)
    assert window.fits(SMALL)
    window.sent(2, SMALL)
    assert not window.fits(SMALL)


def test_never_more_bytes_than_the_limit() -> None:
    window = Window(100, 25, NOW)
    window.sent(1, SMALL)
    window.sent(2, SMALL)
    assert not window.fits(SMALL)


def test_one_message_fits_however_large() -> None:
    assert Window(1, 1, NOW).fits(Message("t", bytes(1000)))


def test_a_settled_message_makes_room_once() -> None:
    window = Window(1, 1000, NOW)
    window.sent(7, SMALL)
    assert window.settled(7) is SMALL
    assert window.settled(7) is None
    assert (len(window), window.size) == (0, 0)


def test_packet_ids_run_from_1_and_begin_again_past_those_in_flight() -> None:
    window = Window(100, 1000, NOW)
    window.sent(window.free_id(), SMALL)
    assert [window.free_id() for _ in range(65_534)] == list(range(2, 65_536))  # §2.2.1
    assert window.free_id() == 2


LATE = Message("t", b"123456789", urgency=Urgency.LATE)


def test_what_is_late_leaves_half_of_the_messages_to_what_is_live() -> None:
    window = Window(4, 1000, NOW)
    for packet_id in (1, 2):
        assert window.has_late_room
        window.sent(packet_id, LATE)
    assert not window.has_late_room
    assert window.fits(SMALL)
    window.settled(1)
    assert window.has_late_room


def test_what_is_late_leaves_half_of_the_bytes_to_what_is_live() -> None:
    window = Window(100, 20, NOW)
    window.sent(1, LATE)
    assert not window.has_late_room


def test_a_window_of_one_is_shared_in_turns() -> None:
    window = Window(1, 1000, NOW)
    assert window.has_late_room
    window.sent(1, SMALL)
    assert not window.has_late_room


def test_a_window_full_of_live_messages_has_no_room_for_late_ones_but_keeps_their_share() -> None:
    window = Window(2, 1000, NOW)
    window.sent(1, SMALL)
    window.sent(2, SMALL)
    assert not window.has_late_room
    assert window.has_late_share


def test_a_share_that_is_used_is_there_again_once_a_late_message_arrived() -> None:
    window = Window(2, 1000, NOW)
    window.sent(1, LATE)
    assert not window.has_late_share
    window.settled(1)
    assert window.has_late_share


class Link:
    """Carries what a window lets out, one message after the other, and answers on a way back."""

    def __init__(self, bytes_per_s: float, way_s: float = 0.0) -> None:
        self.now_s = 0.0
        self.window = Window(20, 1 << 20, lambda: self.now_s)
        self.bytes_per_s = bytes_per_s
        self.way_s = way_s
        self.ages: list[float] = []
        self._free_s = 0.0
        self._under_way: deque[tuple[float, float, int]] = deque()

    def carry(self, message: Message, seconds: float) -> float:
        """Offer the same message again and again; return the bytes a second that arrived."""
        until_s = self.now_s + seconds
        arrived = 0
        while self.now_s < until_s:
            while self.window.fits(message):
                packet_id = self.window.free_id()
                self.window.sent(packet_id, message)
                self._free_s = max(self._free_s, self.now_s) + message.size / self.bytes_per_s
                self._under_way.append((self._free_s + self.way_s, self.now_s, packet_id))
            self.now_s, sent_s, packet_id = self._under_way.popleft()
            self.ages.append(self.now_s - sent_s)
            self.window.settled(packet_id)
            arrived += message.size
        return arrived / seconds


BATCH = Message("t", bytes(1000))


def test_over_a_narrow_link_little_is_under_way_and_the_link_is_busy() -> None:
    link = Link(2000)
    assert link.carry(BATCH, 100) > 1950
    assert max(link.ages[30:]) <= 2 * AIM_S  # after what left before the first answer


@pytest.mark.parametrize("way_s", [0.0, 0.6, 3.0])
def test_a_long_way_is_no_reason_to_send_less(way_s: float) -> None:
    link = Link(1_000_000, way_s)
    link.carry(BATCH, 100)
    assert link.window.pace == link.window.size_limit


def test_a_link_that_becomes_wide_again_is_used() -> None:
    link = Link(2000)
    link.carry(BATCH, 60)
    assert link.window.pace < 10_000
    link.bytes_per_s = 1_000_000
    link.carry(BATCH, 10)
    assert link.carry(BATCH, 1) > 900_000


def test_a_broker_that_paused_once_is_given_all_again() -> None:
    link = Link(1_000_000)
    link.carry(BATCH, 1)
    for _ in range(20):
        link.window.sent(link.window.free_id(), BATCH)
    link.now_s += 7.0
    for packet_id in list(link.window._sent):
        link.window.settled(packet_id)
    link._under_way.clear()
    assert link.window.pace < link.window.size_limit
    assert link.carry(BATCH, 1) > 900_000
