"""CPU per input sample of calculated points, before report, gate and spool.

Run as a script: ``python tests/bench/calc_bench.py [--quick]``. A device is polled whole; every
value changes at every poll.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from results import record
from timing import QUICK, THOROUGH, Effort, Figure, in_turns, looped

from calculating import F64, Little, S, window
from otgate.calc.calculation import Window
from otgate.model import Batch, Origin

POLLS = 16
"""Different polls, taken in turns."""


def both(count: int) -> Mapping[str, str | Window]:
    """Follow mean and greatest value of every point."""
    return {
        f"p{number}_{name}": window(f"d/p{number}", F64, name, 600)
        for number in range(count)
        for name in ("mean", "max")
    }


def sums(count: int) -> Mapping[str, str | Window]:
    """Add points in pairs: one shape."""
    return {f"s{n}": f"d/p{n} + d/p{n + 1}" for n in range(0, count, 2)}


def lengths(count: int) -> Mapping[str, str | Window]:
    """Add up all points in ten sums of ten lengths."""
    per = count // 10
    return {
        f"f{n}": " + ".join(f"d/p{n * per + at}" for at in range(per - n % 10)) for n in range(10)
    }


CASES = {
    "mean and max of every point": both,
    "sums of pairs": sums,
    "ten sums of ten lengths": lengths,
}


def figure(calculated: Mapping[str, str | Window], count: int, effort: Effort) -> Figure:
    """Measure one poll of ``count`` points, with what follows from it, per sample."""
    little = Little({f"d/p{n}": F64 for n in range(count)}, calculated)
    engine, rng = little.engine, np.random.default_rng(1)
    index, quality = np.arange(count, dtype=np.int32), np.zeros(count, np.uint32)
    columns = [rng.random(count) for _ in range(POLLS)]

    def poll(number: int) -> None:
        now_ns = (number + 1) * S
        values = columns[number % POLLS]
        engine.take(Batch("d", F64, Origin.POLL, index, values, quality, now_ns))
        engine.flush("d", now_ns)
        for _ in engine.tick(now_ns):
            pass

    return in_turns(looped(poll), looped(lambda _: None), count, effort)[0]


def main() -> None:
    """Print and record every figure."""
    effort = QUICK if "--quick" in sys.argv else THOROUGH
    found = {}
    for name, calculated in CASES.items():
        for count in (100, 1000):
            one = figure(calculated(count), count, effort)
            found[f"{name}, {count} points"] = one.as_json()
            print(f"{name:<30} {count:>5} points  {one.minimum:.3f} / {one.median:.3f} µs")
    if effort is THOROUGH:
        record("calc", found)


if __name__ == "__main__":
    main()
