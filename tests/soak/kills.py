"""Kill both sides of a gateway under load, 1,000 times and more, and account for every sample.

    python tests/soak/kills.py          1,000 kills; OTGATE_SOAK_KILLS says otherwise
    OTGATE_SOAK_SEED=7 …                repeat a run

Progress goes to standard error, the report to build/soak-kills.json. Exit code 1: something was
lost, arrived otherwise than it was spooled, or was repeated beyond a read window.
"""

import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from evidence import FAULTLESS  # noqa: E402  found by the line above
from kills import READ_WINDOW, Gateway, Side, figures, gateway, modest, troubles  # noqa: E402

REPORT = ROOT / "build" / "soak-kills.json"
COMPARE_EVERY = 20
WEIGHTS = {Side.FIELD: 4, Side.BUS: 4, Side.BOTH: 1, Side.PARENT: 1}
LONGEST_LIFE_S = 6.0
"""Kills come at random moments up to so long after the last restart: also while one starts."""


def main() -> int:
    wanted = int(os.environ.get("OTGATE_SOAK_KILLS", "1000"))
    seed = int(os.environ.get("OTGATE_SOAK_SEED") or time.time())
    say(f"{wanted} kills, OTGATE_SOAK_SEED={seed}")
    with tempfile.TemporaryDirectory(prefix="otgate-soak-") as folder:
        report = {"seed": seed, **soaked(Path(folder), wanted, seed)}
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))
    return judged(report)


def soaked(folder: Path, wanted: int, seed: int) -> dict[str, object]:
    """Run a gateway through all kills; return what a report says of it."""
    begun = time.monotonic()
    with gateway(folder, modest(folder), seed) as running:
        killed(running, wanted)
        running.stop()
        return {
            "took_s": round(time.monotonic() - begun),
            **figures(running.kills, running.audit),
            "verdict": running.audit.verdict(),
            "survivors_complained": troubles(running.process.log),
        }


def killed(running: Gateway, wanted: int) -> None:
    """Kill, and compare now and then, so that neither account grows with the run."""
    sides = random.Random(running.seed.random())
    for number in range(1, wanted + 1):
        time.sleep(running.seed.uniform(0, LONGEST_LIFE_S))
        (side,) = sides.choices(list(WEIGHTS), list(WEIGHTS.values()))
        kill = running.kill(side)
        if number % COMPARE_EVERY == 0 or number == wanted:
            running.audit.compare()
            told = figures(running.kills, running.audit)
            say(f"{number}/{wanted} {json.dumps(told)}")
        elif kill.duplicates > READ_WINDOW:
            say(f"{number}/{wanted} {kill}: beyond the read window of {READ_WINDOW}")


def judged(report: dict[str, object]) -> int:
    """Return the exit code."""
    repeated = report["duplicates"]
    assert isinstance(repeated, dict)
    fine = report["verdict"] == FAULTLESS and repeated["max"] <= READ_WINDOW
    say("nothing was lost" if fine else "FAILED: see the verdict above")
    return 0 if fine else 1


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
