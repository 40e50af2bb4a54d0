"""CPU time of small things, measured several times in turns: minimum and median."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

Trial = Callable[[int], float]
"""Do something so many times and return the CPU seconds that took; set-up does not count."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is spent on one figure."""

    repeats: int
    seconds: float
    """CPU of one repeat, about."""
    most: int = 20_000
    """Times in one repeat."""


THOROUGH = Effort(7, 0.04)
QUICK = Effort(1, 0.0005, 200)


@dataclass(frozen=True, slots=True)
class Figure:
    """CPU per unit, in µs."""

    minimum: float
    median: float

    def as_json(self) -> dict[str, float]:
        """Return four significant digits of each: there are no more."""
        return {"min": float(f"{self.minimum:.4g}"), "median": float(f"{self.median:.4g}")}


def looped(run: Callable[[int], object]) -> Trial:
    """Return a trial that calls ``run`` with 0, 1, 2 …, counting on from trial to trial."""
    number = 0

    def trial(times: int) -> float:
        nonlocal number
        begun_s = time.process_time()
        for each in range(number, number + times):
            run(each)
        spent_s = time.process_time() - begun_s
        number += times
        return spent_s

    return trial


def in_turns(ours: Trial, floor: Trial, units: float, effort: Effort) -> tuple[Figure, Figure]:
    """Measure both, one after the other again and again, per ``units`` of one time."""
    trials = ours, floor
    times = [fitting(trial, effort) for trial in trials]
    spent: tuple[list[float], list[float]] = ([], [])
    for _ in range(effort.repeats):
        for trial, count, found in zip(trials, times, spent, strict=True):
            found.append(trial(count) / count / units * 1e6)
    one, other = (Figure(min(found), statistics.median(found)) for found in spent)
    return one, other


def fitting(trial: Trial, effort: Effort) -> int:
    """Return how many times fill a repeat; running them warms everything up."""
    times = 1
    while times < effort.most and trial(times) < effort.seconds / 4:
        times *= 4
    return min(times * 4, effort.most)
