"""Reload, stop and start on a whole gateway, as its administrators do it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from brokers import Mosquitto, broker
from daemons import (
    Process,
    events,
    published,
    running,
    said,
    simulated,
    verified,
    wait_until,
    write_site,
)
from otgate.app.parent import expects_hangups

__all__ = ["broker"]

pytestmark = pytest.mark.lab


@pytest.fixture
def site(tmp_path: Path, broker: Mosquitto) -> Path:
    return write_site(tmp_path / "site", broker.port)


@pytest.fixture
def gateway(site: Path) -> Iterator[Process]:
    with simulated(site) as endpoints, running(site, endpoints) as process:
        wait_until(lambda: published(site) > 10, process.log)
        yield process


def conduit(site: Path) -> dict[str, Any]:
    told: dict[str, Any] = said(site, "field")["conduits"]["analytics"]
    return told


def otgate(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "otgate", *map(str, words)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def edit(path: Path, old: str, new: str) -> str:
    before = path.read_text()
    assert old in before
    path.write_text(before.replace(old, new))
    return before


def test_a_tighter_policy_holds_at_once_and_a_wider_one_takes_a_word(
    site: Path, gateway: Process, broker: Mosquitto
) -> None:
    scans = said(site, "field")["devices"]["f1"]["scans"]
    before = edit(site / "policy.yaml", "tags_all: [feeder]", 'point: ["*/ia"]')
    done = otgate("reload", site)
    assert (done.returncode, "f1/ib  loses" in done.stdout) == (0, True), done.stderr
    wait_until(lambda: conduit(site)["crossing_points"] == 2)

    (site / "policy.yaml").write_text(before)
    refused = otgate("reload", site)
    assert refused.returncode == 1
    assert "more would cross: 6 points" in refused.stderr
    assert "--allow-gain" in refused.stderr
    assert conduit(site)["crossing_points"] == 2

    wide = otgate("reload", site, "--allow-gain")
    assert (wide.returncode, wide.stderr) == (0, "")
    assert "devices begun" not in wide.stdout
    assert conduit(site)["crossing_points"] == 8
    assert said(site, "field")["devices"]["f1"]["scans"] > scans
    code, told = verified(broker.url, 3)
    assert code == 0, told
    assert "Traceback" not in gateway.log.read_text()


def test_files_with_an_error_change_nothing_and_are_told_with_their_place(
    site: Path, gateway: Process
) -> None:
    before = conduit(site)["crossing_points"], said(site, "field")["policy_hash"]
    edit(site / "policy.yaml", "tags_all: [feeder]", "tags_all: [feedr]")
    done = otgate("reload", site)
    assert done.returncode == 1
    assert "unknown tag `feedr`" in done.stderr
    assert "policy.yaml:8:77" in done.stderr
    assert (conduit(site)["crossing_points"], said(site, "field")["policy_hash"]) == before
    first = published(site)
    wait_until(lambda: published(site) > first, gateway.log)


def test_what_only_a_restart_can_change_is_refused(site: Path, gateway: Process) -> None:
    edit(site / "site.yaml", "id: sub7", "id: sub8")
    done = otgate("reload", site)
    assert (done.returncode, "id changed, which takes a restart" in done.stderr) == (1, True)
    assert gateway.log.exists()


def test_a_device_that_changed_begins_anew_and_the_others_go_on(
    site: Path, gateway: Process
) -> None:
    site_file = site / "site.yaml"
    first, second = site_file.read_text().split("  - id: f2")
    site_file.write_text(f"{first}  - id: f2{second.replace('fast: 0.1', 'fast: 0.3')}")
    done = otgate("reload", site)
    assert "devices begun: f2" in done.stdout, done.stderr
    devices = said(site, "field")["devices"]
    assert devices["f1"]["scans"] > devices["f2"]["scans"]
    wait_until(lambda: said(site, "field")["devices"]["f2"]["state"] == "good", gateway.log)


def test_a_signal_reloads_and_what_it_refuses_is_logged(site: Path, gateway: Process) -> None:
    edit(site / "policy.yaml", "version: 1}", "version: 2}")
    before = said(site, "field")["policy_hash"]
    os.kill(gateway.pid, signal.SIGHUP)
    wait_until(lambda: said(site, "field")["policy_hash"] != before, gateway.log)
    edit(site / "policy.yaml", "effect: allow", "effect: permit")
    os.kill(gateway.pid, signal.SIGHUP)
    wait_until(lambda: "reload_refused" in [one["event"] for one in events(gateway.log)])
    assert gateway.children


def test_a_stopped_conduit_stays_so_over_a_restart_of_the_field_side(
    site: Path, gateway: Process
) -> None:
    done = otgate("policy", "stop", site, "analytics")
    assert (done.returncode, done.stdout.startswith("analytics: stopped by ")) == (0, True)
    assert conduit(site)["crossing_points"] == 0
    os.kill(gateway.children["run"], signal.SIGKILL)
    wait_until(lambda: said(site, "field").get("conduits", {}), gateway.log)
    assert conduit(site)["shut"].startswith("stopped by ")
    stood = published(site)
    done = otgate("policy", "start", site, "analytics")
    assert (done.returncode, done.stdout) == (0, "analytics: open\n")
    wait_until(lambda: published(site) > stood, gateway.log)
    unknown = otgate("policy", "stop", site, "analytcs")
    assert (unknown.returncode, "there are analytics" in unknown.stderr) == (1, True)


def test_an_expired_policy_lets_nothing_cross_and_a_later_day_does(
    site: Path, gateway: Process
) -> None:
    edit(site / "policy.yaml", "version: 1}", "version: 2, valid_until: 2020-01-31}")
    done = otgate("reload", site)
    assert done.returncode == 0
    assert "the policy has ended: nothing crosses" in done.stdout
    assert conduit(site)["shut"] == "the policy ended on 2020-01-31"
    assert conduit(site)["crossing_points"] == 0
    edit(site / "policy.yaml", "2020-01-31", "2099-01-31")
    assert otgate("reload", site).returncode == 0
    assert conduit(site)["crossing_points"] == 8
    assert "policy_expired" in [one["event"] for one in events(gateway.log)]


def test_a_staged_policy_is_judged_on_what_the_devices_send(
    site: Path, gateway: Process, tmp_path: Path
) -> None:
    new = tmp_path / "new.yaml"
    text = (site / "policy.yaml").read_text()
    new.write_text(text.replace("tags_all: [feeder]", 'point: ["*/ia", "*/cb"]'))
    before = said(site, "field")["policy_hash"], conduit(site)["crossing_points"]
    done = otgate("policy", "stage", site, new, "--for", "1", "--format", "json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)["conduits"]["analytics"]
    assert (told["points"], told["samples"] > 0) == (4, True)
    assert {one["way"] for one in told["named"]} == {"loses"}
    assert (said(site, "field")["policy_hash"], conduit(site)["crossing_points"]) == before
    shown = otgate("policy", "stage", site, new, "--for", "0.2")
    assert "would have crossed, of 4 points" in shown.stdout
    assert otgate("policy", "stage", site, tmp_path / "none.yaml").returncode == 1
    assert "Traceback" not in gateway.log.read_text()


def test_a_device_under_maintenance_stays_within_its_zone_over_reload_and_restart(
    site: Path, gateway: Process
) -> None:
    scans = said(site, "field")["devices"]["f2"]["scans"]
    done = otgate("maintenance", site, "f1", "on", "--why", "injection")
    assert (done.stdout, done.stderr) == ("f1: maintenance on\n", "")
    wait_until(lambda: conduit(site)["under_test"] > 10, gateway.log)
    told = said(site, "field")["maintenance"]
    assert set(told) == {"f1"}
    assert {"maintenance": True, "on": True, "why": "injection"}.items() <= told["f1"].items()
    assert otgate("reload", site).returncode == 0
    assert set(said(site, "field")["maintenance"]) == {"f1"}
    assert said(site, "field")["devices"]["f2"]["scans"] > scans

    os.kill(gateway.children["run"], signal.SIGKILL)
    wait_until(lambda: len(starts(gateway)) == 2, gateway.log)
    wait_until(lambda: conduit(site)["under_test"] > 10, gateway.log)

    assert otgate("maintenance", site, "f1", "off").stdout == "f1: maintenance off\n"
    held = conduit(site)["under_test"]
    before = published(site)
    wait_until(lambda: published(site) > before + 20, gateway.log)
    assert conduit(site)["under_test"] == held
    assert otgate("maintenance", site, "f1", "site").returncode == 0
    assert said(site, "field")["maintenance"] == {}
    asked = [each for each in events(gateway.log) if each["event"] == "maintenance_asked"]
    assert [each["maintenance"] for each in asked] == ["on", "off", "site"]


def starts(gateway: Process) -> list[dict[str, Any]]:
    return [each for each in events(gateway.log) if each["event"] == "field_side_started"]


def test_maintenance_of_what_is_not_there_is_refused(site: Path, gateway: Process) -> None:
    done = otgate("maintenance", site, "f7", "on")
    assert done.returncode == 1
    assert "no device `f7`" in done.stderr
    assert "Traceback" not in gateway.log.read_text()


def test_a_restart_lets_no_more_cross_than_before_until_it_is_told_to(
    site: Path, gateway: Process
) -> None:
    edit(site / "policy.yaml", "{tags_any: [protection]}", "{kind: [setting]}")
    edit(site / "policy.yaml", "[feeder]}, why", "[]}, why")
    os.kill(gateway.children["run"], signal.SIGKILL)
    wait_until(lambda: said(site, "field").get("not_yet_allowed") == 2, gateway.log)
    assert conduit(site)["crossing_points"] == 8
    first = published(site)
    wait_until(lambda: published(site) > first, gateway.log)
    refused = otgate("reload", site)
    assert "allowed by feeder; before: denied by not-yet-allowed" in refused.stderr
    assert otgate("reload", site, "--allow-gain").returncode == 0
    assert (conduit(site)["crossing_points"], said(site, "field")["not_yet_allowed"]) == (10, 0)
    os.kill(gateway.children["run"], signal.SIGKILL)
    wait_until(lambda: said(site, "field").get("conduits"), gateway.log)
    assert conduit(site)["crossing_points"] == 10


def test_a_signal_before_the_field_side_is_ready_is_followed_once_it_is(site: Path) -> None:
    with Process(site / "field.log", "run", site, "--field", "--log", "json") as field:
        wait_until(lambda: expects_hangups(field.pid))
        for _ in range(3):
            os.kill(field.pid, signal.SIGHUP)
        wait_until(lambda: "reloaded" in [one["event"] for one in events(field.log)], field.log)


@pytest.mark.slow
def test_a_parent_that_hangs_up_while_its_sides_begin_kills_none(site: Path) -> None:
    with Process(site / "run.log", "run", site, "--log", "json") as process:
        wait_until(lambda: expects_hangups(process.pid))
        while not said(site, "field"):
            os.kill(process.pid, signal.SIGHUP)
            time.sleep(0.02)
        told = [one["event"] for one in events(process.log)]
    assert "side_died" not in told


@pytest.mark.slow
def test_a_gateway_whose_log_finds_no_room_runs_on(site: Path) -> None:
    with simulated(site) as endpoints, running(site, endpoints, log=Path("/dev/full")) as process:
        wait_until(lambda: published(site) > 10)
        pids = set(process.children.values())
        assert otgate("reload", site).returncode == 0
        before = published(site)
        wait_until(lambda: published(site) > before + 20)
        assert set(process.children.values()) == pids
        assert process.stop() == 0
