"""Time and memory of `otgate check` as a whole process, by the number of points.

Then of what it refuses: files that are large and wrong, asked to cost 2 s at most.

.venv/bin/python tests/bench/check_bench.py [--quick] [POINTS ...]
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from results import record

from daemons import write_site
from hostile import LARGE

POINTS_PER_DEVICE = 1000
HEADER = (
    "id,name,description,substation,bay,kind,address,type,scale,eu_lo,eu_hi,unit,deadband,tags\n"
)
POLICY = """\
config_version: 1
policy: {name: bench, version: 1}
vocabulary: {tags: [feeder]}
zones: {bay: {purdue: 1}, enterprise: {purdue: 4}}
conduits:
  analytics: {from: [bay], to: enterprise, ceiling: internal}
rules:
  - {name: all, effect: allow, match: {tags_all: [feeder]}, why: a measurement of time}
"""


def rows(device: int) -> str:
    """Return the rows of one device's point map."""
    return HEADER + "".join(
        f"p{n},Feeder {device} value {n},About value {n},Substation 7,F{n % 7},measurement,"
        f"hr {2 * n},i32,0.1,0,600,A,0.5%,feeder\n"
        for n in range(POINTS_PER_DEVICE)
    )


def write(directory: Path, points: int) -> Path:
    """Write a site of about so many points."""
    (directory / "points").mkdir()
    (directory / "policy.yaml").write_text(POLICY)
    entries = []
    for device in range(max(1, points // POINTS_PER_DEVICE)):
        (directory / f"points/d{device}.csv").write_text(rows(device))
        entries.append(
            f"  - {{id: d{device}, driver: modbus, zone: bay, points: points/d{device}.csv,"
            f' modbus: {{url: "tcp://10.0.{device // 200}.{device % 200}"}}}}\n'
        )
    site = directory / "site.yaml"
    site.write_text(
        "config_version: 1\nsite: {id: bench, gateway: gw1}\ndevices:\n"
        + "".join(entries)
        + "defaults: {sensitivity: internal}\npolicy: policy.yaml\n"
    )
    return site


def measured(points: int) -> dict[str, Any]:
    """Check a site and return how long it took and how large the process was."""
    with TemporaryDirectory() as directory:
        site = write(Path(directory), points)
        return checked(site, wanted=0)


def refused(name: str) -> dict[str, Any]:
    """Check a site with a file that is large and wrong."""
    with TemporaryDirectory() as directory:
        site = write_site(Path(directory), 1883)
        (site / LARGE[name].file).write_bytes(LARGE[name].content)
        return checked(site, wanted=1)


def checked(site: Path, *, wanted: int) -> dict[str, Any]:
    """Run `otgate check` and return what it took."""
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "otgate", "check", str(site)], stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == wanted, f"exit code {process.returncode}"
    took_s = time.monotonic() - started
    return {
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
        "wall_s": round(took_s, 2),
        "memory_mb": usage.ru_maxrss // 1024,
    }


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one small site")
    parser.add_argument("points", nargs="*", type=int)
    asked = parser.parse_args()
    found = {}
    for points in asked.points or ([100] if asked.quick else [1000, 10_000, 50_000]):
        found[str(points)] = one = measured(points)
        print(f"{points:>14,} points {one['wall_s']:6.2f} s {one['memory_mb']:6} MB")
    for name in () if asked.quick or asked.points else LARGE:
        one = refused(name)  # its memory is not told: the text of the file in this process counts
        found[f"refused {name}"] = {"cpu_s": one["cpu_s"]}
        print(f"refused {one['cpu_s']:6.2f} s CPU  {name}")
    record("check", found)


if __name__ == "__main__":
    main()
