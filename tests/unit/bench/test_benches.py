"""Every benchmark runs, and says what it promises to say. How fast is nobody's claim here."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).parents[2] / "bench"
SAYS = {
    "audit": {"note_us", "record_us"},
    "check": {"100"},
    "dnp3_driver": {"asyncio"},
    "drain": {
        "live_ms_p50",
        "live_ms_p99",
        "draining_ms_p50",
        "draining_ms_p99",
        "live_samples_per_s",
        "drained_samples_per_s",
        "load",
    },
    "modbus": {"blocking_socket_us_per_read", "asyncio", "uvloop"},
    "iec61850_driver": {"asyncio", "uvloop"},
    "scl": {"0.1"},
    "mms": {"us_to_decode_a_report_of_50", "asyncio", "uvloop"},
    "policy": {
        "gate_ns_per_sample",
        "points",
        "compile_cpu_s",
        "check_cpu_s",
        "prove_cpu_s",
        "gains_cpu_s",
    },
    "supervisor": {"devices", "points", "runs"},
}
POLLED, REPORTED = ("0", "10", "100"), ("10", "100")
STAGES = {
    "decode": POLLED,
    "report": POLLED,
    "gate": REPORTED,
    "gate_limited": REPORTED,
    "append": REPORTED,
    "append_alone": REPORTED,
    "read": REPORTED,
    "encode": REPORTED,
    "publish": REPORTED,
}


def run(script: str, file: Path, *options: str) -> str:
    command = [sys.executable, str(BENCH / script), *options]
    environment = {**os.environ, "BENCH_JSON": str(file)}
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def recorded(name: str, file: Path) -> Any:
    run(f"{name}_bench.py", file, "--quick")
    return json.loads(file.read_text())[name]


@pytest.mark.parametrize("name", SAYS)
def test_a_benchmark_records_its_figures(name: str, tmp_path: Path) -> None:
    assert recorded(name, tmp_path / "bench.json").keys() == SAYS[name]


@pytest.mark.slow
def test_a_fleet_is_measured_at_each_share_of_change_and_with_one_dead(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    told = run("fleet_bench.py", file, "--quick")
    runs = json.loads(file.read_text())
    assert runs.keys() == {"meta", "fleet_10x200", "fleet_10x200_10pc", "fleet_10x200_dead"}
    runs.pop("meta")
    for figures in runs.values():
        assert figures["cpu_s_per_million_points"] > 0
        assert figures["points_per_s"] > 0
        assert figures["change_ms_p99"] >= figures["change_ms_p50"] > 0
        assert figures["late_ms_p99"] >= figures["late_ms_p50"] >= 0
        assert figures["holes"] == figures["strange_messages"] == 0
    assert runs["fleet_10x200_dead"]["state_of_the_dead"] != "good"
    assert runs["fleet_10x200"].get("ratio_to_floor", 2) > 1 or "floor: left out" in told
    assert all(f"\n{name.removeprefix('fleet_')} " in told for name in runs)


def test_every_stage_is_measured_in_every_size_beside_a_floor(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    found = recorded("stages", file)
    summary = run("summary.py", file)
    assert all(f"\n{stage} " in summary for stage in STAGES)
    for stage, shares in STAGES.items():
        figures = found.pop(stage)
        assert figures.keys() == {
            f"{points}@{share}" for points in (1, 100, 1000) for share in shares
        }
        for figure in figures.values():
            assert figure.keys() >= {"us_per_sample", "floor_us_per_sample", "ratio"}
            assert figure["us_per_sample"].keys() == {"min", "median"}
    assert not found
