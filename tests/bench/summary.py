"""Print what `build/bench.json` holds: `python tests/bench/summary.py`."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from asked import asked_table, fleet_table
from results import read, results_file

SHARES = ("0", "10", "100")
SAID_APART = ("meta", "stages")
HEADING = (
    f"{'CPU, µs per sample':<20}{'points':>7}"
    + "".join(f"{share + ' % changed':>30}" for share in SHARES)
    + "\n"
    + f"{'':<27}"
    + f"{'min / median (x floor)':>30}" * len(SHARES)
)


def stage_table(stages: Mapping[str, Any]) -> str:
    """Return the stages' figures as lines: minimum, median, and how many times the floor."""
    return "\n".join([HEADING, *(row for stage in stages for row in rows(stage, stages[stage]))])


def rows(stage: str, figures: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each size; a share that a stage never sees is a dash."""
    for points in dict.fromkeys(key.partition("@")[0] for key in figures):
        found = (figures.get(f"{points}@{share}") for share in SHARES)
        yield f"{stage:<20}{points:>7}" + "".join(f"{cell(one):>30}" for one in found)


def cell(found: Mapping[str, Any] | None) -> str:
    """Return one figure."""
    if found is None:
        return "-"
    spent = found["us_per_sample"]
    return f"{spent['min']:.4g} / {spent['median']:.4g} (x{found['ratio']:.3g})"


def main() -> None:
    """Print everything."""
    results = read(results_file())
    print(" · ".join(f"{name} {value}" for name, value in results.get("meta", {}).items()))
    print(stage_table(results.get("stages", {})))
    print(fleet_table(results))
    print(asked_table(results))
    for section, values in results.items():
        if section not in SAID_APART and not section.startswith("fleet_"):
            print(f"{section}: {json.dumps(values, indent=2)}")


if __name__ == "__main__":
    main()
