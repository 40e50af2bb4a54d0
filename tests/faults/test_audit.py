"""The audit log of whole sides: what is done to them is recorded, over kills."""

import json
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from audit_logs import events, records
from daemons import Process, said, simulated, wait_until, write_site
from otgate.observe.audit.anchor import Anchored, anchors_in
from otgate.observe.audit.proof import proved
from otgate.spool.reader import SpoolReader

pytestmark = [pytest.mark.lab, pytest.mark.slow]


def field(site: Path, endpoints: Path) -> Process:
    log = site / "run.log"
    process = Process(log, "run", site, "--field", "--endpoints", endpoints, "--log", "json")
    wait_until(lambda: scans(site), log)
    return process


def scans(site: Path) -> int:
    devices = said(site, "field").get("devices", {})
    return sum(device["scans"] for device in devices.values())


def otgate(*words: str | Path) -> int:
    command = [sys.executable, "-m", "otgate", *words]
    return subprocess.run(command, check=False, capture_output=True, timeout=30).returncode


def firsts(log: Path, event: str) -> set[str]:
    found = [record["what"]["points"] for record in records(log) if record["event"] == event]
    return {name for names in found for name in names}


def asked(log: Path) -> list[tuple[str, bool]]:
    found = [record["what"] for record in records(log) if record["event"] == "asked"]
    return [(what["verb"], "refused" in what) for what in found if what["verb"] != "status"]


def test_what_is_done_to_a_field_side_is_in_its_log_over_a_kill(tmp_path: Path) -> None:
    site = write_site(tmp_path, 1)
    log = site / "state" / "audit"
    with simulated(site) as endpoints:
        with field(site, endpoints) as process:
            assert otgate("reload", site) == 0
            assert otgate("policy", "stop", site, "analytics") == 0
            assert otgate("maintenance", site, "f1", "on", "--why", "a test") == 0
            wait_until(lambda: "kwh" in firsts(log, "first_crossing"))
            policy = (site / "policy.yaml").read_text()
            (site / "policy.yaml").write_text("rubbish")
            assert otgate("reload", site) == 1
            process.kill()
        (site / "policy.yaml").write_text(policy)
        with field(site, endpoints) as process:
            process._process.send_signal(signal.SIGHUP)
            wait_until(lambda: events(log).count("reloaded") == 2)
            assert process.stop() == 0
    assert asked(log) == [("reload", False), ("stop", False), ("maintain", False), ("reload", True)]
    told = events(log)
    assert told[0] == "start"
    assert told[-3:] == ["counts", "stop", "checkpoint"]
    assert firsts(log, "first_crossing") == {"ia", "ib", "kwh", "cb"}
    assert firsts(log, "first_denial") == {"trip", "secret"}
    assert told.index("crash") < told.index("start", 1)
    assert {"conduit_asked", "conduit_shut", "maintenance_asked"} <= {*told}
    by = [r["what"]["by"] for r in records(log) if r["event"] == "reloaded"]
    assert by[1] == "SIGHUP"
    assert not proved(log).breaks


def test_a_field_side_shows_its_log_to_syslog_and_in_its_spool(tmp_path: Path) -> None:
    site = write_site(tmp_path, 1)
    heard = tmp_path / "syslog"
    text = (site / "site.yaml").read_text()
    (site / "site.yaml").write_text(f'{text}audit: {{mqtt: "on", syslog: "unix:{heard}"}}\n')
    log = site / "state" / "audit"
    reader = SpoolReader.open(site / "spool" / "analytics", tmp_path / "cursor")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener, closing(reader):
        listener.bind(str(heard))
        with simulated(site) as endpoints, field(site, endpoints) as process:
            wait_until(lambda: getattr(reader.newest_live(), "anchor", ""), limit_s=40)
            shown = reader.newest_live()
            assert process.stop() == 0
        told = [anchor for _ in "ab" for anchor in anchors_in(listener.recv(4096).decode())]
    assert shown is not None
    assert shown.anchor == told[0].hash
    assert [anchor.log for anchor in told] == ["sub7/gw1/field"] * 2
    assert not proved(log, anchors=[*told, Anchored(shown.anchor)]).breaks


def test_a_bus_side_keeps_a_log_of_its_own(tmp_path: Path) -> None:
    site = write_site(tmp_path, 1)
    log = site / "state" / "bus" / "analytics" / "audit"
    (site / "spool" / "analytics").mkdir(parents=True)  # which it would wait for
    with Process(site / "bus.log", "bus", site / "bus" / "analytics.yaml", "--log", "json") as bus:
        wait_until(lambda: said(site, "bus-analytics"), site / "bus.log", limit_s=40)
        wait_until(lambda: "asked" in events(log))
        bus.kill()
        bus.start()
        wait_until(lambda: said(site, "bus-analytics"), site / "bus.log", limit_s=40)
        assert bus.stop() == 0
    told = records(log)
    assert told[0]["what"]["log"] == "bus/analytics"
    assert told[0]["what"]["brokers"] == ["mqtt://127.0.0.1:1"]
    names = [record["event"] for record in told]
    assert {"crash", "asked", "stop"} <= {*names}
    assert names[-1] == "checkpoint"
    assert not proved(log).breaks


def test_a_log_that_cannot_be_written_stops_no_samples(tmp_path: Path) -> None:
    site = write_site(tmp_path, 1)
    (site / "state").mkdir()
    (site / "state" / "audit").write_text("in the way")
    with simulated(site) as endpoints, field(site, endpoints) as process:
        conduit = lambda: said(site, "field")["conduits"]["analytics"]  # noqa: E731  twice below
        wait_until(lambda: conduit()["spool"]["samples"]["data"] > 10, site / "run.log")
        assert process.stop() == 0
    failing = [line for line in (site / "run.log").read_text().splitlines() if "audit_f" in line]
    assert len(failing) == 1
    assert json.loads(failing[0])["error"].startswith("a file stands where a directory")
