"""What one record of the audit log costs: for who takes the note, and with its writing.

Run as a script: ``python tests/bench/audit_bench.py [--quick]``. All CPU of the process counts,
the writer's thread and the chain's hashes included; the disk's syncs do not.
"""

import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))

from results import record

from audit_logs import keeping
from otgate.observe.audit.log import Audit
from otgate.observe.audit.proof import proved

FIELDS = {"verb": "reload", "by": "operator", "uid": 1000, "with": {"allow_gain": False}}
RUNS, NOTES, AT_ONCE = 15, 2000, 50
"""Notes come in bursts, as when a device is lost."""


def run(directory: Path, notes: int) -> tuple[float, float]:
    """Return the microseconds of one record: of its note, and of all."""
    log = Audit(keeping(directory))
    noting_s, begun_s = 0.0, time.process_time()
    for _ in range(notes // AT_ONCE):
        at_s = time.thread_time()
        for _ in range(AT_ONCE):
            log.hear("device_lost", FIELDS)
        noting_s += time.thread_time() - at_s
        time.sleep(0.001)
    log.close()
    spent_s = time.process_time() - begun_s
    assert not proved(directory).breaks
    return noting_s / notes * 1e6, spent_s / notes * 1e6


def main() -> None:
    """Print and record every figure."""
    runs = 2 if "--quick" in sys.argv else RUNS
    with tempfile.TemporaryDirectory() as folder:
        found = [run(Path(folder, str(number)), NOTES) for number in range(runs)]
    notes, whole = zip(*found, strict=True)
    figures = {
        "note_us": {"min": min(notes), "median": median(notes)},
        "record_us": {"min": min(whole), "median": median(whole)},
    }
    for name, values in figures.items():
        print(f"{name}: {values['min']:.3g} / {values['median']:.3g}")
    record("audit", figures)


if __name__ == "__main__":
    main()
