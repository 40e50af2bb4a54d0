"""Where benchmarks leave their figures: one JSON object, `build/bench.json`, a section a script.

``record("fleet_50x1000", {"cpu_s_per_million_points": 0.9})``
"""

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def results_file() -> Path:
    """Return the file that figures go to; ``BENCH_JSON`` names another."""
    return Path(os.environ.get("BENCH_JSON", ROOT / "build" / "bench.json"))


def record(section: str, values: Mapping[str, Any]) -> None:
    """Put ``values`` in the place of ``section``, leave the other sections, renew ``meta``."""
    file = results_file()
    results = {**read(file), "meta": meta(), section: values}
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(f".{os.getpid()}")
    unfinished.write_text(json.dumps(results, indent=2) + "\n")
    unfinished.replace(file)


def read(file: Path) -> dict[str, Any]:
    """Return what is recorded, nothing where there is no file or one cut short."""
    try:
        found = json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def meta() -> dict[str, Any]:
    """Return what the figures were measured with, and on."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cpu": cpu_model(),
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
    }


def cpu_model() -> str:
    """Return the processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def commit() -> str:
    """Return the commit measured, with a plus where files differ from it; empty without Git."""
    asked = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+"]
    try:
        return subprocess.run(asked, capture_output=True, check=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
