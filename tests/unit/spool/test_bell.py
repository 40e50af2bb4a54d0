import time
from collections.abc import Iterator
from threading import Thread

import pytest

from otgate.spool.bell import Bell

LONG_S = 20.0


class Worker:
    """Takes what lies in its tray each time that the bell rings."""

    def __init__(self) -> None:
        self.bell = Bell()
        self.tray: list[int] = []
        self.taken = 0
        self.looks = 0
        self.ended = False
        self.thread = Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        while not self.ended:
            self.bell.wait(LONG_S)
            self.bell.quiet()
            self.looks += 1
            while self.tray:
                self.tray.pop()
                self.taken += 1


@pytest.fixture
def worker() -> Iterator[Worker]:
    working = Worker()
    yield working
    working.ended = True
    working.bell.ring()
    working.thread.join(LONG_S)


def waited(seconds: float, bell: Bell) -> float:
    begun_s = time.monotonic()
    bell.wait(seconds)
    return time.monotonic() - begun_s


def test_nobody_waits_for_a_bell_that_rang_before() -> None:
    bell = Bell()
    bell.ring()
    assert waited(LONG_S, bell) < LONG_S / 2


def test_a_bell_that_does_not_ring_is_waited_for_as_long_as_asked() -> None:
    assert waited(0.05, Bell()) >= 0.05


def test_two_rings_are_heard_once() -> None:
    bell = Bell()
    bell.ring()
    bell.ring()
    bell.wait(LONG_S)
    bell.quiet()
    assert waited(0.05, bell) >= 0.05


def test_a_ring_between_a_wait_in_vain_and_quiet_wakes_the_next_wait() -> None:
    bell = Bell()
    bell.wait(0.0)
    bell.ring()
    bell.quiet()
    bell.ring()
    assert waited(LONG_S, bell) < LONG_S / 2


def test_whatever_is_rung_for_is_taken(worker: Worker) -> None:
    for number in range(5000):
        worker.tray.append(number)
        worker.bell.ring()
        if number % 50 == 0:
            time.sleep(0.0005)
    limit_s = time.monotonic() + LONG_S
    while worker.taken < 5000 and time.monotonic() < limit_s:
        time.sleep(0.001)
    assert worker.taken == 5000
    assert worker.looks <= 5000
