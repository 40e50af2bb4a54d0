"""The lab's processes: watched, stopped together, and free ports for them."""

import asyncio
import shutil
import socket
from pathlib import Path

import pytest

from otgate.errors import Refused
from otgate_sim.lab.broker import answering, free_port
from otgate_sim.lab.children import Children, dying_with_us


async def test_leaving_the_block_stops_every_child(tmp_path: Path) -> None:
    async with Children(tmp_path) as children:
        running = [await children.start(f"sleeper {n}", ["sleep", "60"]) for n in range(3)]
    assert [child.process.returncode for child in running] == [-15, -15, -15]


async def test_a_child_that_will_not_stop_is_killed_within_two_seconds(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with Children(tmp_path) as children:
        child = await children.start("deaf", ["sh", "-c", "trap '' TERM; echo ready; sleep 60"])
        while not child.log.read_text():  # noqa: ASYNC110  a file of another process
            await asyncio.sleep(0.01)
        stopping = loop.time()
    assert child.process.returncode == -9
    assert loop.time() - stopping < 2.5


async def test_a_child_that_ends_by_itself_is_reported_with_its_last_words(tmp_path: Path) -> None:
    async with Children(tmp_path) as children:
        await children.start("sleeper", ["sleep", "60"])
        await children.start("bus side x", ["sh", "-c", "echo no such spool >&2; exit 78"])
        with pytest.raises(Refused, match=r"the bus side x ended with 78\n  no such spool"):
            await children.watch()


async def test_a_stopped_child_is_watched_no_more(tmp_path: Path) -> None:
    async with Children(tmp_path) as children:
        child = await children.start("field side", ["sleep", "60"])
        await children.start("sleeper", ["sleep", "60"])
        await children.stop(child)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await children.watch()


async def test_a_broker_that_does_not_start_is_reported(tmp_path: Path) -> None:
    async with Children(tmp_path) as children:
        child = await children.start("broker", ["sh", "-c", "echo bad file >&2; exit 3"])
        with pytest.raises(Refused, match=r"did not start\n  bad file"):
            await answering(child, free_port())


def test_without_setpriv_a_foreign_command_is_run_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    assert dying_with_us(["mosquitto", "-v"]) == ["mosquitto", "-v"]


def test_a_free_port_can_be_listened_on() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", free_port()))
