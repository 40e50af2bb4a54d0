"""Commissioning on a whole gateway: simulated devices, both sides, a broker."""

import csv
import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from brokers import Mosquitto, broker
from daemons import running, said, simulated, wait_until, write_site

__all__ = ["broker"]

pytestmark = pytest.mark.lab


@pytest.fixture
def site(tmp_path: Path, broker: Mosquitto) -> Iterator[Path]:
    folder = write_site(tmp_path / "site", broker.port)
    with simulated(folder) as endpoints, running(folder, endpoints) as process:
        wait_until(lambda: said(folder, "bus-analytics").get("samples", 0) > 10, process.log)
        yield folder


def commission(
    site: Path, broker: Mosquitto, *words: object, typed: str = ""
) -> subprocess.CompletedProcess[str]:
    endpoints = ("--endpoints", site / "endpoints.json")
    command = ["commission", site, broker.url, *endpoints, *words]
    return subprocess.run(
        [sys.executable, "-m", "otgate", *map(str, command)],
        input=typed, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip


def verdicts(site: Path) -> dict[str, str]:
    lines = (site / "commissioning.jsonl").read_text().splitlines()
    return {entry["point"]: entry["verdict"] for entry in map(json.loads, lines)}


def test_points_are_walked_resumed_and_reported(
    site: Path, broker: Mosquitto, tmp_path: Path
) -> None:
    stopped = commission(site, broker, "--point", "f1/i*", "--tester", "ann", typed="\n\nq\n")
    assert stopped.returncode == 1
    assert "stopped; start it again to go on" in stopped.stderr
    assert verdicts(site) == {"f1/ia": "pass"}

    rest = commission(site, broker, "--point", "f1/i*", "--auto", "--report", tmp_path / "report")
    assert (rest.returncode, "f1/ia" in rest.stderr) == (0, False), rest.stderr
    assert set(verdicts(site).values()) == {"pass"}
    table = (tmp_path / "report/report.csv").read_bytes()
    hashed = hashlib.sha256(table).hexdigest()
    assert hashed in rest.stderr
    assert (tmp_path / "report/report.csv.sha256").read_text().startswith(hashed)
    assert hashed in (tmp_path / "report/report.md").read_text()
    assert (tmp_path / "report/report.xlsx").read_bytes()[:2] == b"PK"
    rows = list(csv.DictReader(io.StringIO(table.decode())))
    assert [row["point"] for row in rows] == list(verdicts(site))
    assert rows[0]["tester"] == "ann"
    assert "broker" in rows[0]["conduits"]


@pytest.mark.slow
def test_what_is_expected_and_not_there_fails(
    site: Path, broker: Mosquitto, tmp_path: Path
) -> None:
    answers = tmp_path / "answers.csv"
    answers.write_text("point,expected,verdict,note\nf1/ia,123456,,\nf1/ib,,fail,wrong phase\n")
    done = commission(site, broker, "--point", "f1/i[ab]", "--answers", answers)
    assert done.returncode == 1
    assert verdicts(site) == {"f1/ia": "fail", "f1/ib": "fail"}
    assert "expected 123456" in done.stderr
    assert done.stdout == "0 of 2 points passed\n"


@pytest.mark.slow
def test_a_device_under_maintenance_has_to_be_absent(site: Path, broker: Mosquitto) -> None:
    command = [sys.executable, "-m", "otgate", "maintenance", str(site), "f1", "on"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    done = commission(site, broker, "--point", "f1/ia", "--auto")
    assert done.returncode == 0, done.stderr
    assert "absent: the device is under maintenance" in done.stderr


def test_without_a_gateway_or_a_broker_it_says_so(tmp_path: Path, broker: Mosquitto) -> None:
    site = write_site(tmp_path / "site", broker.port)
    with simulated(site):
        nobody = commission(site, broker, "--point", "f1/ia", "--auto")
    assert nobody.returncode == 1
    assert "nobody answers at" in nobody.stderr
    assert "Traceback" not in nobody.stderr
