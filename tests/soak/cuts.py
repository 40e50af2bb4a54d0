"""Cut the power of many histories of a spool, and say what was lost. Run by `make soak`."""

import argparse
import json
import os
import sys
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from cut_history import History  # noqa: E402  found by the line above
from otgate.spool import tally  # noqa: E402

SAY_EVERY_S = 5.0
tally.monotonic = lambda: 0.0  # type: ignore[attr-defined]  # a history must not depend on it


class Soak:
    """Histories one after another, until there were as many cuts as asked for."""

    def __init__(self, cuts: int, seed: str) -> None:
        self.wanted = cuts
        self.seed = seed
        self.cuts = self.histories = 0
        self.violations: list[str] = []
        self._start_s = self._said_s = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start_s

    def run(self) -> None:
        while self.cuts < self.wanted and not self.violations:
            self.play(f"{self.seed}-{self.histories}")
            self.histories += 1
            if time.monotonic() - self._said_s > SAY_EVERY_S:
                self._say()
        self._say()

    def play(self, seed: str) -> None:
        history = History(seed)
        try:
            history.play()
        except Exception as error:  # noqa: BLE001  whatever it is, it has to be replayed
            traceback.print_exc()
            steps = " ".join(history.steps)
            self.violations.append(f"history {seed}: {error}; after {steps}")
        self.cuts += history.cuts

    def _say(self) -> None:
        self._said_s = time.monotonic()
        rate = self.cuts / max(self.seconds, 1e-9)
        left_s = max(self.wanted - self.cuts, 0) / max(rate, 1e-9)
        text = f"{self.cuts} cuts in {self.histories} histories, {rate:.0f} a second, "
        print(f"{text}{left_s:.0f} s left", file=sys.stderr, flush=True)

    def report(self) -> dict[str, object]:
        return {
            "cuts": self.cuts,
            "histories": self.histories,
            "violations": self.violations,
            "seconds": round(self.seconds, 1),
            "seed": self.seed,
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    wanted = int(os.environ.get("OTGATE_SOAK_CUTS", "1000000"))
    parser.add_argument("--cuts", type=int, default=wanted)
    parser.add_argument("--seed", default=str(time.time_ns()))
    parser.add_argument("--history", help="play this one alone")
    given = parser.parse_args()
    soak = Soak(given.cuts, given.seed)
    if given.history:
        soak.play(given.history)
    else:
        soak.run()
    report = ROOT / "build" / "soak-cuts.json"
    report.parent.mkdir(exist_ok=True)
    report.write_text(json.dumps(soak.report(), indent=1) + "\n", encoding="utf-8")
    for violation in soak.violations:
        print(f"{violation}\nreplay: {sys.argv[0]} --history {violation.split()[1][:-1]}")
    return bool(soak.violations)


if __name__ == "__main__":
    sys.exit(main())
