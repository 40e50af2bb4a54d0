"""Both Modbus codecs in the hands of a server that says anything, for as long as is asked.

    python tests/soak/modbus_octets.py        ten minutes; OTGATE_SOAK_FUZZ_S says otherwise

Half of the time octets are mutated blindly, half of it guided by the lines that they reach, where
atheris is installed (pip install atheris). The report goes to build/soak-modbus-octets.json. Exit
code 1: an exception other than the codec's own, an answer of the wrong form, or memory kept.
"""

import importlib
import json
import os
import subprocess
import sys
import time
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

ATHERIS: Any = importlib.import_module("atheris") if "--guided" in sys.argv else None

with ATHERIS.instrument_imports(include=["otgate_modbus"]) if ATHERIS else nullcontext():
    from modbus_fuzz import FRAMES, KINDS, run, run_line, sound
    from otgate_modbus.codec import Ask, FramingLost, Identify
    from otgate_modbus.rtu import RtuCodec

REPORT = ROOT / "build" / "soak-modbus-octets.json"
ROUNDS = 5_000
ASKS = [(1, 3, 0, 2), (1, 1, 0, 19), (17, 4, 9, 125)]


def main() -> int:
    if ATHERIS:
        ATHERIS.Setup([sys.argv[0], *sys.argv[2:]], heard)
        ATHERIS.Fuzz()  # libFuzzer ends the process
    lasts_s = float(os.environ.get("OTGATE_SOAK_FUZZ_S", "600")) / 2
    report: dict[str, Any] = {"seed": int(time.time()), **blind(int(time.time()), lasts_s)}
    report["guided"] = guided(lasts_s)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))
    return int(report["guided"] not in {0, None})


def blind(seed: int, lasts_s: float) -> dict[str, int]:
    """Mutate replies of all kinds of codecs; what must not be raises."""
    done = {"runs": 0, "answered": 0, "lost": 0, "untrue": 0}
    until_s = time.monotonic() + lasts_s
    while time.monotonic() < until_s:
        seed += 1
        for kind in KINDS:
            victim = run(seed, ROUNDS, kind)
            done["answered"] += victim.answered
            done["lost"] += victim.lost
        lines = run_line(seed, ROUNDS)
        done["answered"] += lines.answered
        done["untrue"] += lines.untrue
        done["runs"] += 1
    return done


def guided(lasts_s: float) -> int | None:
    """Run libFuzzer in a process of its own; return its exit code, None where there is none."""
    if find_spec("atheris") is None:
        return None
    limits = [f"-max_total_time={int(lasts_s)}", "-max_len=600", "-verbosity=0"]
    return subprocess.run([sys.executable, __file__, "--guided", *limits], check=False).returncode


def heard(data: bytes) -> None:
    """Take octets in one piece and another, over TCP and on a line."""
    kinds = list(KINDS.values())
    codec, line = kinds[data[0] % len(kinds) if data else 0](), RtuCodec()
    cut = data[1] if len(data) > 1 else 0
    asks = [*(Ask(*each) for each in ASKS), Identify(1, 1, 0)]
    for ask in asks:
        codec.request(ask)
    try:
        for piece in (data[2 : 2 + cut], data[2 + cut :]):
            answered = codec.feed(piece)
            assert all(map(sound, answered))
            assert len(codec._rest) < FRAMES
    except FramingLost:
        pass
    line.request(ask := Ask(*ASKS[0]))
    for piece in (data[:cut], data[cut:]):
        assert line.feed(piece) in ([], [ask])
    assert sound(ask)
    assert len(line._held) <= len(data)


if __name__ == "__main__":
    sys.exit(main())
