"""Time and memory of reading an SCL file of one or more megabytes, and of importing it.

.venv/bin/python tests/bench/scl_bench.py [--quick] [MEGABYTES ...]
"""

import argparse
import resource
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from results import record

from otgate.config.written import point_map
from otgate_iec61850.scl import read_scl
from otgate_iec61850.scl.points import points_of

BAY = Path(__file__).parents[2] / "config" / "lab" / "bay.cid"


def station(size: int) -> str:
    """Return a station of as many copies of the lab's bay as make ``size`` bytes."""
    text = BAY.read_text("utf-8")
    start, stop = text.index("  <IED "), text.index("  <DataTypeTemplates>")
    ied = text[start:stop]
    copies = max(1, (size - len(text)) // len(ied) + 1)
    ieds = "".join(ied.replace("F3Q1", f"F{n}Q1").replace("<DOI", "\n<DOI") for n in range(copies))
    return text[:start] + ieds + text[stop:]


def measured(size: int) -> dict[str, float]:
    """Read and import a file of about ``size`` bytes."""
    with TemporaryDirectory() as directory:
        file = Path(directory) / "station.scd"
        file.write_text(station(size), "utf-8")
        started = time.process_time()
        scl = read_scl(file)
        servers = [ied.access_points[0] for ied in map(scl.ied, scl.ieds)]
        read_s = time.process_time() - started
        points = [list(points_of(server, Counter())) for server in servers]
        texts = [point_map(each) for each in points]
        import_s = time.process_time() - started
        return {
            "mb": round(file.stat().st_size / 1e6, 2),
            "ieds": len(servers),
            "points": sum(map(len, points)),
            "csv_mb": round(sum(map(len, texts)) / 1e6, 2),
            "read_cpu_s": round(read_s, 3),
            "import_cpu_s": round(import_s, 3),
            "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one small file")
    parser.add_argument("megabytes", nargs="*", type=float)
    asked = parser.parse_args()
    found = {}
    for megabytes in asked.megabytes or ([0.1] if asked.quick else [1, 10]):
        found[f"{megabytes:g}"] = one = measured(int(megabytes * 1e6))
        print(
            f"{one['mb']:6.2f} MB {one['points']:7,} points"
            f" read {one['read_cpu_s']:6.3f} s, import {one['import_cpu_s']:6.3f} s CPU,"
            f" {one['memory_mb']:4} MB"
        )
    record("scl", found)


if __name__ == "__main__":
    main()
