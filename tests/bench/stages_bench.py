"""CPU per sample of every stage a sample passes, beside a bare floor of the same run.

Run as a script: ``python tests/bench/stages_bench.py [--quick] [STAGE ...]``. A batch has 1, 100
or 1000 points. Of what decode and report see, 0, 10 or 100 % has changed since the last poll; the
stages after them get what changed alone: points here and there (10 %), or neighbours (100 %).
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import bus_stages
import field_stages
import spool_stages
from results import read, record, results_file
from summary import stage_table
from timing import QUICK, THOROUGH, Effort, Trial, in_turns

Stage = Callable[[int, int], AbstractContextManager[tuple[Trial, Trial]]]

STAGES: Mapping[str, Stage] = {
    "decode": field_stages.decode,
    "report": field_stages.report,
    "gate": field_stages.gate,
    "gate_limited": field_stages.gate_limited,
    "append": spool_stages.append,
    "append_alone": spool_stages.append_alone,
    "read": spool_stages.read,
    "encode": bus_stages.encode,
    "publish": bus_stages.publish,
}
POLLED = frozenset({"decode", "report"})
"""Stages that also see what has not changed."""

POINTS = (1, 100, 1000)
CHANGED = (0, 10, 100)

FEWER = {"append_alone": Effort(5, 0.01, 100)}
"""Effort for what takes wall time."""


def measured(stage: str, points: int, changed: int, effort: Effort) -> dict[str, Any]:
    """Return µs of CPU per sample, ours and the floor's, and the ratio of the minima."""
    with STAGES[stage](points, changed) as (ours, floor):
        one, other = in_turns(ours, floor, points, effort)
    found: dict[str, Any] = {}
    if stage == "append":
        found["bytes_per_sample"] = spool_stages.bytes_per_sample(points, changed)
    ratio = one.minimum / other.minimum if other.minimum else 0.0
    return found | {
        "us_per_sample": one.as_json(),
        "floor_us_per_sample": other.as_json(),
        "ratio": float(f"{ratio:.3g}"),
    }


def figures(stage: str, effort: Effort) -> dict[str, Any]:
    """Measure one stage in all sizes; a key says how many points and what share changed."""
    return {
        f"{points}@{changed}": measured(stage, points, changed, effort)
        for points in POINTS
        for changed in CHANGED
        if changed or stage in POLLED
    }


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="run everything once, badly")
    parser.add_argument("stages", nargs="*", choices=[[], *STAGES], metavar="STAGE")
    asked = parser.parse_args()
    found = dict(read(results_file()).get("stages", {})) if asked.stages else {}
    for stage in asked.stages or STAGES:
        effort = QUICK if asked.quick else FEWER.get(stage, THOROUGH)
        found[stage] = figures(stage, effort)
    record("stages", {stage: found[stage] for stage in STAGES if stage in found})
    print(stage_table(found))


if __name__ == "__main__":
    main()
