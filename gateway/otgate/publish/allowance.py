"""How fast a backlog may go out: token buckets of messages and of bytes, on a clock of seconds."""

from collections.abc import Callable

BURST_S = 0.02
"""A bucket holds what flows in so long, so that a late wake costs no rate."""


class Bucket:
    """Fills at ``rate`` a second. More may be taken than is in it: the debt is waited for."""

    def __init__(self, rate: float, clock_s: Callable[[], float]) -> None:
        self._rate = rate
        self._clock_s = clock_s
        self._full = rate * BURST_S
        self._tokens = self._full
        self._at_s = clock_s()

    def wait_s(self) -> float:
        """Return how long it is until something may be taken; 0 where it may be now."""
        self._fill()
        return max(0.0, -self._tokens / self._rate)

    def take(self, count: float) -> None:
        """Take ``count`` out."""
        self._fill()
        self._tokens -= count

    def _fill(self) -> None:
        now_s = self._clock_s()
        self._tokens = min(self._full, self._tokens + (now_s - self._at_s) * self._rate)
        self._at_s = now_s


class Allowance:
    """A rate of messages and one of bytes, of which the slower counts."""

    def __init__(
        self, messages_per_s: float, bytes_per_s: float, clock_s: Callable[[], float]
    ) -> None:
        self._messages = Bucket(messages_per_s, clock_s)
        self._bytes = Bucket(bytes_per_s, clock_s)

    def wait_s(self) -> float:
        """Return how long it is until a message may leave; 0 where it may now."""
        return max(self._messages.wait_s(), self._bytes.wait_s())

    def spend(self, size: int) -> None:
        """Take note of a message of ``size`` bytes that left."""
        self._messages.take(1)
        self._bytes.take(size)
