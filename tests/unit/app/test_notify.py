"""What a service manager is told."""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from daemons import eventually
from otgate.app.attending import attending
from otgate.observe.notify import Notifier, watchdog_s
from otgate.together import cancelled


class Manager:
    """Receives what is told."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(0)
        self.environment = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "60000"}

    def told(self) -> list[str]:
        found: list[str] = []
        while True:
            try:
                found += self.socket.recv(4096).decode().splitlines()
            except BlockingIOError:
                return found


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path / "notify")
    yield made
    made.socket.close()


@pytest.fixture
def notifier(manager: Manager) -> Iterator[Notifier]:
    with closing(Notifier(manager.environment)) as made:
        yield made


async def test_a_side_is_ready_and_gives_signs_of_life(
    manager: Manager, notifier: Notifier
) -> None:
    told: list[str] = []

    def alive() -> bool:
        told.extend(manager.told())
        return told.count("WATCHDOG=1") >= 3

    task = asyncio.ensure_future(attending(notifier, lambda _: ""))
    await eventually(alive)
    await cancelled([task])
    assert told[:2] == ["READY=1", "STATUS=running"]
    assert set(told[2:]) == {"WATCHDOG=1"}


async def test_a_side_that_is_stuck_gives_none_until_it_gets_on(
    manager: Manager, notifier: Notifier
) -> None:
    why, asked = "nothing can be written", []

    def stuck(limit_s: float) -> str:
        asked.append(limit_s)
        return why

    with capture_logs() as logs:
        task = asyncio.ensure_future(attending(notifier, stuck))
        await eventually(lambda: len(asked) >= 4)
        told = manager.told()
        assert "WATCHDOG=1" not in told
        why = ""

        def alive() -> bool:
            told.extend(manager.told())
            return "WATCHDOG=1" in told

        await eventually(alive)
        await cancelled([task])
    assert asked[0] == pytest.approx(0.03)
    assert told.index("STATUS=nothing can be written") < told.index("WATCHDOG=1")
    assert "STATUS=running" in told[3:]
    assert [each["event"] for each in logs] == ["side_stuck"]


def test_without_a_manager_nothing_is_told() -> None:
    notifier = Notifier({})
    notifier.tell("READY=1")
    assert notifier.watchdog_s == 0


def test_a_manager_that_is_gone_is_no_harm(tmp_path: Path) -> None:
    with closing(Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")})) as notifier:
        notifier.tell("READY=1")


def test_an_abstract_socket_is_reached() -> None:
    name = f"otgate-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name}")
        with closing(Notifier({"NOTIFY_SOCKET": f"@{name}"})) as notifier:
            notifier.tell("READY=1")
        assert manager.recv(100) == b"READY=1"


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "often"}, 0.0),
        ({}, 0.0),
    ],
)
def test_a_watchdog_is_meant_for_one_process(environment: dict[str, str], wanted: float) -> None:
    assert watchdog_s(environment) == wanted
