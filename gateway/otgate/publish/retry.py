"""When to connect again, and to which broker: full jitter, fail-over, no fight."""

import random
from dataclasses import dataclass
from enum import Enum

STABLE_S = 60.0
"""A connection that lasted this long resets the back-off."""
FIRST_S = 1.0
LONGEST_S = 60.0
PROBE_S = 1.0
TAKEN_OVER_S = 60.0
"""Least wait after another client took the session over: it would be a fight."""


class Ending(Enum):
    """How an attempt or a connection ended."""

    LOST = "lost"
    TAKEN_OVER = "taken over"
    PROBED = "probed"
    """The broker works, but closes upon one of our messages, which was being looked for."""


@dataclass(frozen=True, slots=True)
class Next:
    """Which broker to try, and when."""

    broker: int
    delay_s: float


class Retry:
    """Decides the next attempt of a client that has ``brokers`` to choose from."""

    def __init__(self, brokers: int, rng: random.Random) -> None:
        self._brokers = brokers
        self._rng = rng
        self._broker = 0
        self._rounds = 0
        self._tried = 0

    def first(self) -> Next:
        """Return the first attempt of all."""
        return Next(self._broker, 0.0)

    def after(self, ending: Ending, lasted_s: float | None) -> Next:
        """Return the next attempt; ``lasted_s`` is None where no connection came about."""
        if ending is Ending.TAKEN_OVER:
            return Next(self._broker, TAKEN_OVER_S * (1 + self._rng.random()))
        if ending is Ending.PROBED:
            self._rounds = 0
            return Next(self._broker, self._rng.uniform(PROBE_S / 4, PROBE_S))
        if lasted_s is not None and lasted_s >= STABLE_S:
            self._broker = self._rounds = self._tried = 0
            return Next(0, self._rng.uniform(0, FIRST_S))
        self._broker = (self._broker + 1) % self._brokers
        self._tried += 1
        if self._tried % self._brokers:
            return Next(self._broker, 0.0)
        ceiling = min(LONGEST_S, FIRST_S * 2.0**self._rounds)
        self._rounds = min(self._rounds + 1, 10)
        return Next(self._broker, self._rng.uniform(0, ceiling))
