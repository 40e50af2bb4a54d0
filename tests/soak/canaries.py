"""Let a million samples cross while both sides are killed, and look for what is denied.

    python tests/soak/canaries.py       1,000,000 crossings; OTGATE_SOAK_CANARIES says otherwise

Progress goes to standard error, the report to build/soak-canaries.json. Exit code 1: a token of a
denied point was found in a place of the IT zone.
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

from canary_devices import Misdeed  # noqa: E402  by the line above
from canary_site import CONDUITS, SERVED, Layout  # noqa: E402  by the line above
from canary_world import World, world  # noqa: E402  by the line above

REPORT = ROOT / "build" / "soak-canaries.json"
ROUND = 40_000
"""Crossings from one look at all places to the next."""
LAYOUT = Layout(groups=256, last="off")
"""Of 1,800 points some thousand samples cross at each poll."""
PERIOD_S, PATIENCE_S = 0.25, 600.0
"""So slow that it can run beside other work: a device that is never good ends no round."""


def main() -> int:
    wanted = int(os.environ.get("OTGATE_SOAK_CANARIES", "1000000"))
    begun = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="otgate-soak-") as folder,
        world(Path(folder), LAYOUT, PERIOD_S) as found,
    ):
        found.patience_s, found.watched = PATIENCE_S, frozenset(SERVED)
        leaked = soaked(found, wanted)
        report = {
            "crossings": sum(map(found.crossings, CONDUITS)),
            "leaked": leaked,
            "took_s": round(time.monotonic() - begun),
        }
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))
    return 1 if leaked else 0


def soaked(running: World, wanted: int) -> list[str]:
    """Trouble and look, until so many have crossed or something is found; return that."""
    seed = random.Random(1)
    while not (told := looked(running)):
        crossed = sum(map(running.crossings, CONDUITS))
        print(f"{crossed:,} crossings, no leak", file=sys.stderr, flush=True)
        if crossed >= wanted:
            break
        trouble(running, seed)
        running.await_crossings(min(ROUND, wanted) // 2, limit_s=3600)
        running.await_good()
    return told


def looked(running: World) -> list[str]:
    """Return what is where it must not be."""
    running.forget_wires()
    return [
        f"{conduit} {place}: point {point}, {what}"
        for conduit in CONDUITS
        for place, found in running.seen(conduit).items()
        for point, what in sorted(running.leaks(conduit, found))
    ]


def trouble(running: World, seed: random.Random) -> None:
    """Do to the gateway one of what may happen to it."""
    buses = list(running.buses.values())
    match seed.choice(["device", "device", "field", "bus", "both", "broker", "policy"]):
        case "device":
            running.spoil(seed.choice(sorted(set(Misdeed) - {Misdeed.NONE}, key=repr)))
        case "field":
            running.kill(running.field)
        case "bus":
            running.kill(seed.choice(buses))
        case "both":
            running.kill(running.field, *buses)
        case "broker":
            running.broker.restart()
        case _:
            running.reload()


if __name__ == "__main__":
    sys.exit(main())
