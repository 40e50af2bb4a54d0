"""Faults asked for over the control socket."""

import asyncio
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from otgate.errors import Refused
from otgate_sim.control import ask, default_path, free_path, listening
from otgate_sim.faults import Fault, Trouble
from otgate_sim.simulation import Simulation
from simulated import device, point


def simulation() -> Simulation:
    return Simulation([device("f1", point("x"))])


async def asked(path: Path, **request: Any) -> dict[str, Any]:
    return await asyncio.to_thread(ask, path, request)


async def test_a_fault_is_shown_when_asked_for(tmp_path: Path) -> None:
    running = simulation()
    async with listening(tmp_path / "sim.sock", running.answer):
        done = await asked(tmp_path / "sim.sock", verb="fault", device="f1", kind="silent")
    assert done == {"device": "f1", "kind": "silent", "for_s": None}
    assert running.troubles["f1"].fault is Fault.SILENT


async def test_status_tells_each_device_s_fault(tmp_path: Path) -> None:
    running = simulation()
    running.troubles["f1"].begin(Fault.LATE)
    async with listening(tmp_path / "sim.sock", running.answer):
        told = await asked(tmp_path / "sim.sock", verb="status")
    assert told == {"devices": {"f1": {"fault": "late", "replies": 0, "spoilt": 0}}}


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (
            {"verb": "fault", "device": "f9", "kind": "silent"},
            "no simulated device 'f9'; there are f1",
        ),
        (
            {"verb": "fault", "device": "f1", "kind": "smoke"},
            "no fault 'smoke'; there are none, silent",
        ),
        ({"verb": "fault", "device": "f1", "kind": "late", "for_s": -1}, "cannot last -1 seconds"),
        (
            {"verb": "fault", "device": "f1", "kind": "late", "for_s": "x"},
            "cannot last 'x' seconds",
        ),
        ({"verb": "explode"}, "no verb 'explode'"),
        ({}, "no verb None"),
    ],
)
async def test_what_makes_no_sense_is_refused_in_words(
    tmp_path: Path, request_: dict[str, Any], words: str
) -> None:
    async with listening(tmp_path / "sim.sock", simulation().answer):
        with pytest.raises(Refused, match=words):
            await asked(tmp_path / "sim.sock", **request_)


@pytest.mark.parametrize("line", [b"{\n", b"[]\n", b"\xff\xfe\n", b"7\n"])
async def test_what_is_no_request_is_answered_with_an_error(tmp_path: Path, line: bytes) -> None:
    async with listening(tmp_path / "sim.sock", simulation().answer):
        reader, writer = await asyncio.open_unix_connection(tmp_path / "sim.sock")
        writer.write(line)
        assert b"error" in await reader.readline()
        writer.close()


async def test_only_the_owner_reaches_the_socket_and_it_is_gone_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "sim.sock"
    async with listening(path, simulation().answer):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


async def test_a_second_simulator_takes_another_path(tmp_path: Path) -> None:
    path = tmp_path / "sim.sock"
    async with listening(path, simulation().answer):
        assert free_path(path) != path
    assert free_path(path) == path


def test_a_socket_that_a_dead_simulator_left_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "sim.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    assert free_path(path) == path


def test_nobody_listening_is_said(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no simulator answers"):
        ask(tmp_path / "none.sock", {})


def test_the_default_path_is_in_the_runtime_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert default_path() == tmp_path / "otgate-sim.sock"


def test_a_fault_ends_by_itself() -> None:
    now = [10.0]
    trouble = Trouble(lambda: now[0])
    trouble.begin(Fault.SILENT, 5.0)
    now[0] = 14.9
    assert trouble.now() is Fault.SILENT
    now[0] = 15.0
    assert trouble.now() is Fault.NONE
