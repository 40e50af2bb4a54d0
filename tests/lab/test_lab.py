"""`otgate lab` and `otgate sim` as a user runs them."""

import asyncio
import json
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from otgate_sim.control import ask
from otgate_sim.lab import broker
from otgate_sim.lab.children import Children
from simulated import client

ROOT = Path(__file__).parents[2]
LAB = str(ROOT / "config" / "lab")
KEYS = {
    "samples_published",
    "samples_received",
    "lost",
    "duplicated",
    "denied_points_seen",
    "latency_ms_p50",
    "latency_ms_p99",
    "devices",
}

pytestmark = [pytest.mark.lab, pytest.mark.timeout(90)]


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stay short: the path of a unix socket has at most 107 characters."""
    return tmp_path_factory.mktemp("lab")


@asynccontextmanager
async def otgate(*arguments: str, **variables: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "otgate", *arguments, stdout=PIPE, stderr=PIPE,
        env=os.environ | variables,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def until(holds: Callable[[], bool], within_s: float = 20.0) -> None:
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110  files and processes of another process
            await asyncio.sleep(0.02)


def mentioning(text: str) -> list[str]:
    """Return the command lines of running processes that have ``text`` in them."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (FileNotFoundError, ProcessLookupError):
                continue
            found += [line] if text in line else []
    return found


def left_behind(directory: Path) -> list[str]:
    return mentioning(str(directory)) + [str(path) for path in directory.glob("otgate-lab-*")]


async def lab(tmp_path: Path, *arguments: str) -> tuple[int | None, dict[str, Any], str]:
    async with otgate("lab", *arguments, "--json", TMPDIR=str(tmp_path)) as process:
        out, err = await process.communicate()
    lines = out.decode().splitlines()
    assert len(lines) == 1, err.decode()
    return process.returncode, json.loads(lines[0]), err.decode()


async def test_a_short_lab_loses_nothing_and_shows_nothing_denied(tmp_path: Path) -> None:
    code, result, errors = await lab(tmp_path, "--for", "10")
    assert set(result) == KEYS
    assert (result["lost"], result["denied_points_seen"], code) == (0, 0, 0), errors
    assert result["samples_published"] == result["samples_received"] > 150
    assert 0 < result["latency_ms_p50"] <= result["latency_ms_p99"]
    modbus = dict.fromkeys(("f1", "f2", "t1", "p1", "m1", "m2"), "modbus")
    drivers = {name: one["driver"] for name, one in result["devices"].items()}
    assert drivers == modbus | {"f3": "dnp3", "f3q1": "iec61850"}
    assert all(one["received"] > 0 == one["lost"] for one in result["devices"].values())
    assert left_behind(tmp_path) == []


@pytest.mark.slow
async def test_without_mosquitto_the_lab_loses_nothing_on_a_small_broker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "SEARCH", str(tmp_path))
    async with Children(tmp_path) as children:
        url, note = await broker.broker(children)
        code, result, errors = await lab(tmp_path, "--for", "6", "--broker", url)
    assert "3.1.1 only" in note
    assert (code, result["lost"]) == (0, 0), errors
    assert result["samples_received"] > 150


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_stops_the_lab_and_leaves_nothing(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with otgate("lab", TMPDIR=str(tmp_path)) as process:
        await until(lambda: any(tmp_path.glob("otgate-lab-*/site/spool/*/data/*")))
        stopping = time.monotonic()
        process.send_signal(number)
        await asyncio.wait_for(process.communicate(), 10)
        assert time.monotonic() - stopping < 4  # 2 s on a machine with nothing else to do
    assert process.returncode == 0
    assert left_behind(tmp_path) == []


async def test_a_lab_that_is_killed_takes_its_processes_with_it(tmp_path: Path) -> None:
    async with otgate("lab", TMPDIR=str(tmp_path)) as process:
        await until(lambda: any(tmp_path.glob("otgate-lab-*/site/spool/*/data/*")))
        process.kill()
        await process.wait()
        await until(lambda: mentioning(str(tmp_path)) == [])


async def test_a_bad_site_is_refused_with_its_mistakes(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text("config_version: 1\nsite: {id: A B}\n")
    async with otgate("lab", "--site", str(tmp_path), TMPDIR=str(tmp_path)) as process:
        _, err = await process.communicate()
    assert process.returncode == 1
    assert b"error[" in err
    assert b"Traceback" not in err


async def test_impossible_seconds_are_a_usage_error() -> None:
    async with otgate("lab", "--for", "0") as process:
        await process.communicate()
    assert process.returncode == 2


@asynccontextmanager
async def simulator(tmp_path: Path) -> AsyncIterator[tuple[Process, Mapping[str, int], Path]]:
    map_file, control = tmp_path / "map.json", tmp_path / "sim.sock"
    arguments = ("sim", LAB, "--map", str(map_file), "--control", str(control))
    async with otgate(*arguments) as process:
        await until(lambda: map_file.exists() and control.exists())
        urls = json.loads(map_file.read_text())
        yield (
            process,
            {name: int(one["url"].rsplit(":", 1)[1]) for name, one in urls.items()},
            control,
        )


async def test_the_simulator_prints_its_map_and_stops_at_a_signal(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (process, ports, control):
        process.send_signal(signal.SIGTERM)
        out, _ = await asyncio.wait_for(process.communicate(), 5)
    assert process.returncode == 0
    assert all(f"://127.0.0.1:{port}" in out.decode() for port in ports.values())
    assert not control.exists()


async def test_a_fault_is_shown_from_the_command_line(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (_, ports, control):
        arguments = ("sim", "fault", "f1", "silent", "--for", "30", "--control", str(control))
        async with otgate(*arguments) as asking:
            out, _ = await asking.communicate()
        async with client(ports["f1"]) as wire:
            wire.send("0001 0000 0006 01 03 0000 0002")
            assert await wire.is_silent()
        told = await asyncio.to_thread(ask, control, {"verb": "status"})
    assert out == b"f1: silent for 30 s\n"
    assert told["devices"]["f1"] == {"fault": "silent", "replies": 0, "spoilt": 1}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("sim", "fault", "f1"), 2, "kinds: none, silent"),
        (("sim", "fault", "f1", "late", "--control", "/nonexistent/s"), 1, "no simulator answers"),
        (("sim", "/nonexistent"), 1, "cannot read"),
        (("sim", LAB, "--speed", "0"), 2, "--help"),
        (("sim", LAB, "--port-base", "99999"), 2, "--help"),
    ],
)
async def test_what_the_simulator_cannot_do_is_said(
    arguments: tuple[str, ...], code: int, words: str
) -> None:
    async with otgate(*arguments) as process:
        _, err = await process.communicate()
    assert process.returncode == code
    assert words in err.decode()
    assert b"Traceback" not in err
