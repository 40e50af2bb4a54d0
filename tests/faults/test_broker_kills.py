"""What a killed or slow Mosquitto costs the consumer: stock, and as we ship it."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brokers import Mosquitto, broker
from daemons import eventually
from evidence import Listener
from otgate.publish.ledger import NO_NUMBERS, Account
from publishing import Feeder, feeding, publishing, subscriber

__all__ = ["broker"]

SHIPPED = Path(__file__).parents[2] / "config/mosquitto/durable.conf"
KEPT = re.compile(r"^(persistence|autosave\w*|max_queued\w*) .*$", re.MULTILINE)
KILLS = 3


def durable(folder: Path) -> list[str]:
    """What the shipped configuration says of keeping messages, with the files in ``folder``."""
    lines = [found.group() for found in KEPT.finditer(SHIPPED.read_text())]
    assert "autosave_interval 1" in lines
    assert "autosave_on_changes true" in lines
    return [*lines, f"persistence_location {folder}/"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["durable", "saves seldom", "stock"])
async def test_a_broker_killed_under_load_costs_the_consumer_nothing_that_it_could_see(
    tmp_path: Path, kind: str
) -> None:
    folder = tmp_path / "broker"
    options = {
        "durable": durable(folder),
        "saves seldom": ["persistence true", f"persistence_location {folder}/"],
        "stock": ["persistence false"],
    }[kind]
    if kind != "durable":
        options = [*options, "max_queued_messages 1000"]
    feeder = Feeder(tmp_path / "spool")
    with Mosquitto(folder, options=options) as broker:
        async with (
            subscriber(broker.url, session="consumer") as memory,
            publishing(feeder.directory, tmp_path / "state", broker.url) as running,
        ):
            async with feeding(feeder):
                for kill in range(KILLS):
                    await running.until(lambda status, kill=kill: status["connections"] > kill, 30)
                    await asyncio.sleep(1.5)
                    broker.kill()
                    broker.start()
                await running.until(lambda status: status["connections"] > KILLS, 30)
            spooled = feeder.spooled
            await running.until(
                lambda status: status["lanes"]["data"]["complete_through"] >= spooled, 60
            )
            await memory.until(lambda: is_told_all(memory.account(), spooled), 60)
        account = memory.account()
        ledger = memory.audit.ledger
        print(f"{kind}: {spooled=} {account.count=} {account.duplicates=} {ledger.unseen=}")
        assert ledger.lost == 0
        assert account.count + ledger.unseen == spooled
        assert account.duplicates <= KILLS * 10 * (50 * 3 + 64 + 20)
        if kind == "durable":
            assert ledger.unseen == 0
    feeder.close()


def is_told_all(account: Account, spooled: int) -> bool:
    """Whether the last samples came, and that no backlog follows any more."""
    return account.reached >= spooled and account.pending == NO_NUMBERS


@pytest.mark.parametrize(("queued", "loses"), [("1000", True), ("200000", False)])
async def test_a_subscriber_that_does_not_read_loses_what_the_broker_does_not_queue(
    tmp_path: Path, queued: str, *, loses: bool
) -> None:
    feeder = Feeder(tmp_path / "spool")
    options = [f"max_queued_messages {queued}", "max_queued_bytes 0"]
    with Mosquitto(tmp_path / "broker", options=options) as broker, Listener(broker.port) as slow:
        async with publishing(feeder.directory, tmp_path / "state", broker.url) as running:
            feeder.measure()
            await eventually(lambda: slow.received == 10)
            slow.pause()
            feeder.measure(times=1500)
            await running.until(
                lambda status: status["lanes"]["data"]["complete_through"] == 15_010, 60
            )
            slow.resume()
            await asyncio.sleep(1.0)
            feeder.measure()
            await eventually(lambda: slow.reached == 15_020, 60)
            assert (slow.lost > 0) is loses
            status = running.publisher.status()
            assert (status["refused"], status["connections"]) == (0, 1)
    feeder.close()


async def test_what_a_broker_forgets_while_the_bus_side_is_away_comes_again(tmp_path: Path) -> None:
    folder, state = tmp_path / "broker", tmp_path / "state"
    seldom = ["persistence true", f"persistence_location {folder}/", "autosave_interval 3600"]
    feeder = Feeder(tmp_path / "spool")
    with Mosquitto(folder, options=seldom) as broker:
        async with publishing(feeder.directory, state, broker.url) as running:
            feeder.measure(times=100)
            await running.until(is_through(1000), 30)
        broker.kill()
        broker.start()
        async with (
            subscriber(broker.url) as memory,
            publishing(feeder.directory, state, broker.url),
        ):
            await memory.until(lambda: memory.account().count == 1000, 30)
    feeder.close()


@pytest.mark.parametrize(("replay_s", "again"), [(0.5, 10), (0.0, 0)])
async def test_after_a_stop_no_more_comes_again_than_the_last_seconds_brought(
    tmp_path: Path, broker: Mosquitto, replay_s: float, again: int
) -> None:
    feeder, state = Feeder(tmp_path / "spool"), tmp_path / "state"
    async with subscriber(broker.url) as memory:
        async with publishing(feeder.directory, state, broker.url, replay_s=replay_s) as running:
            feeder.measure(times=20)
            await running.until(is_through(200))
            await asyncio.sleep(2 * replay_s)
            feeder.measure()
            await running.until(is_through(210))
        async with publishing(feeder.directory, state, broker.url, replay_s=replay_s):
            feeder.measure()
            await memory.until(lambda: memory.account().count == 220)
        assert memory.account().duplicates == again
    feeder.close()


def is_through(samples: int) -> Callable[[dict[str, Any]], bool]:
    return lambda status: status["lanes"]["data"]["complete_through"] == samples
