"""Peers are compared by the same count of points and the same clock of CPU."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.fleet_site import Fleet
from bench.peers import kinds
from bench.peers.compare import Spent, figures, main
from bench.peers.environment import Missing, asked
from bench.peers.kinds import PEERS, Load
from bench.peers.processes import Command, Family, cpu_s, started
from daemons import wait_until

BURN = (
    "import time\nwhile time.process_time() < 0.2: pass\nprint('burnt', flush=True)\ntime.sleep(60)"
)
CHILD = f"[sys.executable, '-c', {BURN!r}], start_new_session=True"
PARENT = f"import subprocess, sys\nsubprocess.run({CHILD})"


def python(code: str, folder: Path) -> Command:
    return Command([sys.executable, "-c", code], {}, folder)


def gone(pid: int) -> bool:
    """Whether a process has ended, waited for or not."""
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


def test_what_a_child_in_a_session_of_its_own_spends_counts(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with started(python(PARENT, tmp_path), log) as family:
        wait_until(lambda: "burnt" in log.read_text())
        child = family.pids()[1]
        assert family.cpu_s() >= cpu_s(child) >= 0.2
        assert family.memory_mb() > 0
    wait_until(lambda: gone(child))


def test_a_process_that_is_gone_spends_nothing() -> None:
    nobody = Family(2**22 - 1)
    assert nobody.cpu_s() == nobody.memory_mb() == 0


def test_a_peer_that_cannot_be_installed_says_why() -> None:
    with pytest.raises(Missing, match="no room"):
        asked([sys.executable, "-c", "import sys; sys.exit('no room')"])
    with pytest.raises(Missing, match="no-such-client"):
        asked(["no-such-client"])


def test_what_was_read_and_not_delivered_is_told() -> None:
    before, after = Spent(10, 1.0, 0, 0, 0), Spent(20, 3.0, 4_000_000, 400, 8_000_000)
    found = figures(before, after, Fleet(1000, 1000), 50)
    assert found["cpu_s_per_million_points"] == 0.5
    assert found["core_share"] == 0.2
    assert found["carried"] == 0.4
    assert found["delivered_of_read"] == 0.5


@pytest.fixture
def load(tmp_path: Path) -> Load:
    return Load(Fleet(2, 300), 1502, 1883, tmp_path)


def test_every_peer_reads_all_registers_in_blocks(load: Load) -> None:
    assert list(load.blocks()) == [(0, 125), (125, 125), (250, 50)]
    polled = [line for line in kinds.modpoll_lines(load) if line.startswith("poll")]
    assert polled == 2 * [
        f"poll,input_register,{at},{count},BE_BE\n"
        for at, count in ((0, 123), (123, 123), (246, 54))
    ]
    nodes = [node for node in kinds.node_red_nodes(load) if node["type"] == "modbus-read"]
    assert [(int(node["adr"]), int(node["quantity"])) for node in nodes] == 2 * list(load.blocks())
    for device in kinds.thingsboard_devices(load):
        (points,) = device["timeseries"]
        assert points["address"] == "0-299"
        assert points["maxRegistersPerRequest"] == 125
    collected = "".join(kinds.collectd_lines(load, Path("/nowhere")))
    assert collected.count('Collect "p') == 600


PAYLOADS: dict[str, Any] = {
    "pymodbus, paho-mqtt": {"p0": 1, "p1": 2},
    "modpoll": {"p0": 1, "p1": None},
    "thingsboard-gateway": {"d0": [{"ts": 1, "values": {"p0": 1, "p1": 2}}]},
    "Node-RED": {"p125": 1, "p126": 2},
    "otgate": {"device": "d0", "points": [{"id": "p0", "v": 1}, {"id": "p1", "v": 2}]},
    "floor: libmodbus, libmosquitto": {"points": [{"id": "p0", "v": 1}, {"id": "p1", "v": 2}]},
}


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_the_points_of_a_message_are_counted(peer: kinds.Peer) -> None:
    payload = PAYLOADS.get(peer.name)
    compact = json.dumps(payload, separators=(",", ":")).encode()
    assert peer.points(compact) == (1 if payload is None else 2)


@pytest.mark.slow
def test_ours_and_the_floor_are_measured_as_peers_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bench.json"
    monkeypatch.setenv("BENCH_JSON", str(file))
    small = "--devices", "2", "--registers", "100", "--seconds", "1.5", "--warm-up", "0"
    names = [peer.name for peer in PEERS[:2]]
    main([*small, "--only", *names])
    found = json.loads(file.read_text())["peers"]
    assert found.keys() == set(names)
    assert found["otgate"]["loads"]["2x100"]["cpu_s_per_million_points"] > 0
    floor = found[names[0]]
    assert "left_out" in floor or floor["loads"]["2x100"]["points_per_s"] > 0
    assert "otgate" in capsys.readouterr().out
