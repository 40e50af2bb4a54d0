"""A histogram of durations in fixed buckets, counted where they happen and read by whoever asks."""

from bisect import bisect_left

BOUNDS_S = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 5.0, 10.0, 60.0, 600.0, 3600.0,
)  # fmt: skip
"""Upper ends of the buckets: from one poll on a fast link to an outage that was made up for."""


class Histogram:
    """How often a duration fell into each bucket. One thread counts; any may read."""

    __slots__ = ("counts", "sum_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        """By bucket, each without those below it; the last has no upper end."""
        self.sum_s = 0.0

    def observe(self, seconds: float) -> None:
        """Count a duration; one below zero, which a clock that was set makes, is zero."""
        seconds = max(seconds, 0.0)
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.sum_s += seconds
