"""`otgate doctor SITE` of a gateway that runs: what confines its processes now."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from confined import needs_landlock
from daemons import Process, said, wait_until, write_site
from otgate.cli import main

pytestmark = [pytest.mark.lab, pytest.mark.slow]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    needs_landlock()
    return write_site(tmp_path / "site", 1)


@pytest.fixture
def gateway(site: Path) -> Iterator[Process]:
    with Process(site / "run.log", "run", site, "--log", "json") as process:
        wait_until(lambda: said(site, "field") and said(site, "bus-analytics"), process.log)
        yield process


def doctor(site: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    code = main(["doctor", str(site), "--format", "json"])
    return code, json.loads(capsys.readouterr().out)


def test_sides_that_run_are_told_by_their_processes(
    site: Path, gateway: Process, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = doctor(site, capsys)
    children = gateway.children
    assert code == 0
    for side, verb in (("field side", "run"), ("bus side analytics", "bus")):
        told = found[side]["running"]
        assert told["pid"] == children[verb]
        assert "Landlock" in told["told"]
        assert [one["in_force"] for one in told["protections"]] == [True, True, True]


def test_a_side_that_runs_with_less_than_its_file_asks_for_is_open(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bus = site / "bus" / "analytics.yaml"
    asked = bus.read_text()
    bus.write_text(asked + "sandbox: off\n")
    with Process(site / "run.log", "run", site, "--log", "json") as process:
        wait_until(lambda: said(site, "bus-analytics"), process.log)
        bus.write_text(asked)
        code = main(["doctor", str(site)])
    printed = capsys.readouterr().out
    assert code == 1
    assert "which says: off" in printed
    assert "OPEN      a filter of system calls: restart the side to have it" in printed


def test_what_does_not_run_is_said_and_no_fault(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = doctor(site, capsys)
    assert (code, found["field side"]["running"]["unknown"]) == (0, "it does not run")
