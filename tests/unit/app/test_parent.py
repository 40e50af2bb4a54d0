import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from confined import needs_landlock
from otgate.app.loop import hold_hangups, take_hangups
from otgate.app.parent import Side, expects_hangups, hung_up, parent
from otgate.errors import Refused
from otgate.observe.control import ask
from otgate.together import cancelled

BUS = """\
config_version: 1
conduit: analytics
brokers: ["mqtt://127.0.0.1:1"]
"""


def bus_side(folder: Path, text: str = BUS) -> Side:
    (folder / "bus").mkdir()
    (folder / "bus" / "analytics.yaml").write_text(text)
    (folder / "spool" / "analytics").mkdir(parents=True)
    return Side("bus side", ["bus", str(folder / "bus" / "analytics.yaml"), "--log", "json"])


def child_pids() -> set[int]:
    tasks = Path("/proc/self/task").glob("*/children")
    return {int(pid) for task in tasks for pid in task.read_text().split()}


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  another process gives no event
            await asyncio.sleep(0.02)


def answers(folder: Path) -> bool:
    try:
        return bool(ask(folder / "run" / "bus-analytics.sock", "status"))
    except Refused:
        return False


@pytest.fixture
async def family(tmp_path: Path) -> AsyncIterator[tuple[asyncio.Task[int], int]]:
    running = asyncio.ensure_future(parent([bus_side(tmp_path)]))
    before = child_pids()
    try:
        await until(lambda: answers(tmp_path))
        yield running, (child_pids() - before).pop()
    finally:
        await cancelled([running])


async def test_a_child_that_dies_is_started_again(
    family: tuple[asyncio.Task[int], int], tmp_path: Path
) -> None:
    _, pid = family
    os.kill(pid, signal.SIGKILL)
    await until(lambda: pid not in child_pids())
    await until(lambda: answers(tmp_path))


@pytest.mark.slow
async def test_a_child_that_outgrew_its_sandbox_is_renewed_and_did_not_die(
    family: tuple[asyncio.Task[int], int], tmp_path: Path
) -> None:
    needs_landlock()
    _, pid = family
    spool = tmp_path / "spool" / "analytics"
    with capture_logs() as logs:
        spool.rename(tmp_path / "old")
        spool.mkdir()
        await until(lambda: pid not in child_pids())
        await until(lambda: answers(tmp_path))
    assert [each["event"] for each in logs] == ["side_renewed", "side_started"]


async def test_a_stopped_parent_leaves_no_child(family: tuple[asyncio.Task[int], int]) -> None:
    running, pid = family
    await cancelled([running])
    assert pid not in child_pids()
    assert gone(pid)


async def test_a_child_that_does_not_listen_is_killed(
    family: tuple[asyncio.Task[int], int],
) -> None:
    running, pid = family
    os.kill(pid, signal.SIGSTOP)
    await cancelled([running])
    assert gone(pid)


async def test_a_refused_configuration_is_not_tried_again(tmp_path: Path) -> None:
    side = bus_side(tmp_path, "config_version: 1\n")
    assert await parent([side]) == os.EX_CONFIG


async def test_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    side = bus_side(tmp_path)
    code = f"import asyncio; from otgate.app.parent import *; asyncio.run(parent([{side!r}]))"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    try:
        await until(lambda: answers(tmp_path))
    finally:
        process.kill()
        await process.wait()
    await until(lambda: not answers(tmp_path))


def test_a_process_that_has_no_word_for_a_hangup_is_told_from_one_that_has() -> None:
    pid = os.getpid()
    assert not expects_hangups(pid)
    hold_hangups()
    try:
        assert expects_hangups(pid)
    finally:
        take_hangups()
    before = signal.signal(signal.SIGHUP, lambda *_: None)
    try:
        assert expects_hangups(pid)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert not expects_hangups(2**22 + 1)


async def test_a_hangup_waits_for_a_child_that_has_just_begun() -> None:
    code = (
        "import signal, time; time.sleep(0.3); signal.signal(1, lambda *_: exit(7)); time.sleep(60)"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    hung_up(process)
    assert await process.wait() == 7
    hung_up(process)
