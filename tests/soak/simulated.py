"""Simulate hours of faults on a virtual clock, and replay one by its seed. Run by `make soak`."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from simulation.site import Written  # noqa: E402  found by the line above
from simulation.world import World  # noqa: E402  likewise

HOUR_S = 3600.0


def told(world: World) -> str:
    """Say how a simulation went, the same for each run of its seed."""
    judge = world.judge
    return (
        f"seed {world.seed}: {world.seconds / HOUR_S:g} h, {world.befalling.count} faults, "
        f"{world.field.lives} and {world.bus.lives} lives, {judge.samples} samples, "
        f"{judge.delivered} delivered, {judge.gaps} announced as lost, "
        f"{len(world.history.violations)} violations, history {world.history.digest[:16]}"
    )


def simulated(written: Written, seed: int, hours: float) -> bool:
    """Run a seed and say how it went; show its end and how to see it again where it failed."""
    world = World(written, seed, hours * HOUR_S).run()
    print(told(world), flush=True)
    if not world.history.violations:
        return True
    print(*world.history.last, "", *world.history.violations, sep="\n")
    print(f"again: tests/soak/simulated.py --seed {seed} --hours {hours:g}")
    return False


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many; from --first on")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--hours", type=float, default=24.0, help="how long each lasts")
    parser.add_argument("--seed", type=int, help="play this one alone")
    given = parser.parse_args()
    seeds = range(given.first, given.first + given.seeds) if given.seed is None else [given.seed]
    begun_s = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        written = Written.into(Path(folder))
        failed = [seed for seed in seeds if not simulated(written, seed, given.hours)]
    cpu_s = time.process_time() - begun_s
    hours = len(seeds) * given.hours
    rate = hours * HOUR_S / cpu_s
    print(f"{hours:g} hours in {cpu_s:.0f} s of CPU, {rate:.0f} times as fast", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
