"""Both sides as processes while their disks are full, faulty, slow, read-only or taken away."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from brokers import Mosquitto, broker
from daemons import said
from disk_faults import FEW, Gateway, gateway, injected, without_override
from disks import fill

__all__ = ["broker"]

pytestmark = pytest.mark.lab

RECOVERY_S = 1.0
MARGIN_S = 1.0
"""For the machine's load."""


@pytest.fixture
def on_small_disk(tmp_path: Path, broker: Mosquitto) -> Iterator[Gateway]:
    with gateway(tmp_path, broker, "spool") as found:
        yield found


@pytest.fixture
def plain(tmp_path: Path, broker: Mosquitto) -> Iterator[Gateway]:
    with gateway(tmp_path, broker) as found:
        yield found


def test_a_full_disk_is_bridged_and_recovers_within_a_second(on_small_disk: Gateway) -> None:
    ballast = on_small_disk.site / "spool" / "ballast"
    fill(ballast)
    on_small_disk.until_failing()
    time.sleep(2)
    ballast.unlink()
    assert on_small_disk.until_recovered() < RECOVERY_S + MARGIN_S
    on_small_disk.until_accounted()
    on_small_disk.assert_undisturbed()
    assert not on_small_disk.listener.gaps
    assert max(device["overruns"] for device in on_small_disk.devices().values()) <= FEW
    (failing,) = on_small_disk.said("spool_failing")
    assert "free on the disk" in failing["error"]
    on_small_disk.until(lambda: len(on_small_disk.said("spool_writing")) == 1)


def test_a_kill_on_a_full_disk_is_announced_as_at_least(on_small_disk: Gateway) -> None:
    ballast = on_small_disk.site / "spool" / "ballast"
    epoch = on_small_disk.status()["epoch"]
    fill(ballast)
    on_small_disk.until_failing()
    stood = on_small_disk.status()["samples"]["data"]
    tally = on_small_disk.spool / "tally.json"
    on_small_disk.until(lambda: json.loads(tally.read_bytes())["lanes"]["data"]["end"] > stood)
    subprocess.run(["kill", "-9", str(on_small_disk.pid("run"))], check=True)
    on_small_disk.until(lambda: on_small_disk.status().get("epoch", epoch) != epoch)
    assert on_small_disk.status()["state"] == "failing"
    ballast.unlink()
    on_small_disk.until_recovered()
    on_small_disk.until_accounted()
    account = next(
        account
        for stream, account in on_small_disk.listener.ledger.accounts.items()
        if (stream.lane, stream.epoch) == ("data", epoch)
    )
    assert account.at_least
    assert account.reached + account.gaps > stood
    assert on_small_disk.listener.lost == 0
    assert set(on_small_disk.listener.gaps) <= {"data dropped", "event dropped"}


FAULTS = {
    "EIO at every sync": ("fdatasync,fsync", "error=EIO"),
    "EIO at every write": ("writev", "error=EIO"),
    "ENOSPC at every write": ("writev", "error=ENOSPC"),
    "short writes": ("writev", "retval=7"),
    "a disk turned read-only": ("writev,fdatasync,ftruncate", "error=EROFS"),
}


def test_real_faults_of_the_spool_s_disk_lose_nothing(plain: Gateway, tmp_path: Path) -> None:
    for calls, fault in FAULTS.values():
        with injected(plain.pid("run"), calls, fault, tmp_path / "strace.log"):
            plain.until_failing()
            time.sleep(1)
            assert {device["state"] for device in plain.devices().values()} == {"good"}
        assert plain.until_recovered() < RECOVERY_S + MARGIN_S, fault
    plain.until_accounted()
    plain.assert_undisturbed()
    assert not plain.listener.gaps


@pytest.mark.slow
def test_a_disk_that_syncs_in_seconds_stalls_nobody(plain: Gateway, tmp_path: Path) -> None:
    fault = "delay_enter=3000000"
    with injected(plain.pid("run"), "fdatasync,fsync", fault, tmp_path / "strace.log"):
        until_s = time.monotonic() + 5
        slowest_s = 0.0
        while time.monotonic() < until_s:
            begun_s = time.monotonic()
            assert plain.devices()
            slowest_s = max(slowest_s, time.monotonic() - begun_s)
            time.sleep(0.05)
    assert slowest_s < 1.0
    plain.until_recovered()
    plain.until_accounted()
    plain.assert_undisturbed()
    assert not plain.listener.gaps


def remarks(gateway: Gateway) -> list[str]:
    return [line["remark"] for line in gateway.said("spool_remark")]


def bus(gateway: Gateway) -> dict[str, Any]:
    return said(gateway.site, "bus-analytics")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("calls", "fault"),
    [("writev,fdatasync", "error=ENOSPC"), ("writev,fdatasync", "error=EROFS")],
    ids=["full", "read-only"],
)
def test_a_bus_side_that_cannot_save_its_cursor_publishes_on(
    calls: str, fault: str, plain: Gateway, tmp_path: Path
) -> None:
    with injected(plain.pid("bus"), calls, fault, tmp_path / "strace.log"):
        plain.until(lambda: "cannot be saved" in bus(plain).get("cursor", ""))
        plain.listener.await_news(plain.listener.received)
        duplicates, received = plain.listener.duplicates, plain.listener.received
        time.sleep(1)
        told = bus(plain)
    assert told["connected"]
    assert received < plain.listener.received
    plain.until(lambda: bus(plain)["cursor"] == "saved")
    plain.until(lambda: "The cursor is saved again." in remarks(plain))
    assert len([remark for remark in remarks(plain) if "cannot be saved" in remark]) == 1
    plain.assert_undisturbed()
    assert plain.listener.duplicates == duplicates


@pytest.mark.slow
def test_a_cursor_is_kept_where_another_program_left_no_room(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with gateway(tmp_path, broker, "state") as found:
        cursor = found.site / "state/bus/analytics/cursor.json"
        found.until(cursor.with_suffix(".spare").exists)
        fill(found.site / "state" / "ballast")
        number = json.loads(cursor.read_bytes())["number"]
        found.until(lambda: json.loads(cursor.read_bytes())["number"] > number + 1)
        assert bus(found)["cursor"] == "saved"
        repeated = found.listener.duplicates
        subprocess.run(["kill", "-9", str(found.pid("bus"))], check=True)
        found.until(lambda: found.said("side_died"))
        found.listener.await_news(found.listener.received)
        found.until_accounted()
        assert found.listener.duplicates - repeated < 2000
        assert found.listener.lost == 0
        assert found.said("spool_remark") == []


@pytest.mark.slow
def test_a_second_gateway_is_told_who_holds_the_spool(plain: Gateway, tmp_path: Path) -> None:
    field = plain.pid("run")
    command = [sys.executable, "-m", "otgate", "run", plain.site, "--field"]
    done = subprocess.run(
        [*command, "--control", tmp_path / "other"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert f"has a writer already: process {field}; stop it" in done.stderr
    assert "Traceback" not in done.stderr
    plain.listener.await_news(plain.listener.received)
    plain.assert_undisturbed()


@pytest.mark.slow
def test_drops_on_a_full_disk_are_exact_and_data_go_before_events(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with gateway(tmp_path, broker, "spool", devices=4, registers=1500) as found:
        listening = verifying(broker.url)
        ballast = found.site / "spool" / "ballast"
        fill(ballast)
        found.until(lambda: found.status()["dropped"]["data"] > 20_000, limit_s=90)
        ballast.unlink()
        assert found.until_recovered() < RECOVERY_S + 2 * MARGIN_S
        found.until_accounted(60)
        dropped = found.status()["dropped"]
        assert dropped["event"] == 0
        assert found.listener.gaps == {"data dropped": dropped["data"]}
        assert found.listener.lost == 0
        assert found.said("side_died") == []
        listening.send_signal(signal.SIGINT)
        printed, _ = listening.communicate(timeout=30)
        assert json.loads(printed.splitlines()[-1])["lost"] == 0


def verifying(url: str) -> subprocess.Popen[str]:
    """Start `otgate verify`, which prints its report when it is interrupted."""
    command = [sys.executable, "-m", "otgate", "verify", url, "--for", "100", "--json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_a_field_side_restarted_on_a_read_only_disk_says_so_and_returns(
    on_small_disk: Gateway,
) -> None:
    disk, heard = on_small_disk.site / "spool", on_small_disk.listener.received
    subprocess.run(["kill", "-9", str(on_small_disk.pid("run"))], check=True)
    on_small_disk.until(lambda: remounted(disk, "ro"))
    log = on_small_disk.process.log
    on_small_disk.until(lambda: "cannot be written: Read-only file system." in log.read_text())
    assert bus(on_small_disk)["connected"]
    assert remounted(disk, "rw")
    on_small_disk.until(lambda: on_small_disk.listener.received > heard, limit_s=30)
    on_small_disk.until_accounted()
    assert on_small_disk.listener.lost == 0
    assert "Traceback" not in log.read_text()


def remounted(folder: Path, how: str) -> bool:
    """Tell whether the file system could be mounted anew: not while files are open for writing."""
    command = ["mount", "-o", f"remount,{how}", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.slow
def test_permission_taken_away_and_given_back_loses_nothing(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with gateway(tmp_path, broker, prefix=without_override(), registers=100, spool_mb=1) as found:
        folders = [found.spool / lane for lane in ("data", "event", "live")]
        folders.append(found.site / "state" / "bus" / "analytics")
        modes = [folder.stat().st_mode for folder in folders]
        for folder in folders:
            folder.chmod(0)
        found.until_failing()
        found.until(lambda: "cannot be read: Permission denied" in bus(found)["spool"])
        found.until(lambda: "cannot be saved: Permission denied" in bus(found)["cursor"])
        time.sleep(1)
        for folder, mode in zip(folders, modes, strict=True):
            folder.chmod(mode)
        assert found.until_recovered() < RECOVERY_S + MARGIN_S
        found.until(lambda: (bus(found)["spool"], bus(found)["cursor"]) == ("readable", "saved"))
        found.until_accounted()
        found.assert_undisturbed()
        assert not found.listener.gaps
        waits = [told for told in found.said("spool_waited_for") if "denied" in told["why"]]
        assert len(found.said("spool_failing")) == len(waits) == 1


@pytest.mark.slow
def test_a_spool_removed_under_both_sides_is_made_again(plain: Gateway) -> None:
    shutil.rmtree(plain.spool)
    plain.until(lambda: list(plain.spool.glob("data/*.seg")))
    plain.until_recovered()
    plain.until_accounted()
    plain.assert_undisturbed()
    renewed = {line["child"] for line in plain.said("side_renewed")}
    assert renewed <= {"bus side analytics"}  # whose sandbox knows the old one alone
