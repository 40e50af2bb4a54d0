"""What lies between the bus side and its broker: black holes, resets, slow links, two of us."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from brokers import Mosquitto, broker
from otgate.publish.settings import Protocol
from otgate.testing.relay import Manner, Relay, relayed
from publishing import Feeder, Memory, Running, catalog, feeding, publishing, subscriber

__all__ = ["broker"]

NOTICED_WITHIN_S = 10


@dataclass
class Side:
    """A bus side with a conduit of its own, behind a relay of its own."""

    conduit: str
    feeder: Feeder
    relay: Relay
    running: Running

    async def delivered(self, memory: Memory) -> None:
        """Return once the consumer has everything that was spooled."""
        spooled = self.feeder.spooled
        await self.running.until(
            lambda status: status["lanes"]["data"]["complete_through"] >= spooled, 60
        )
        await memory.until(lambda: memory.account(self.conduit).count >= spooled, 60)

    async def noticed(self) -> float:
        """Return how long it took to notice that the broker is dead."""
        begun = time.monotonic()
        await self.running.until(lambda status: not status["connected"], 30)
        return time.monotonic() - begun


@asynccontextmanager
async def side(
    folder: Path, broker: Mosquitto, conduit: str, **settings: object
) -> AsyncIterator[Side]:
    feeder = Feeder(folder / conduit / "spool", catalog(conduit=conduit))
    state = folder / conduit / "state"
    async with relayed((broker.host, broker.port)) as relay:
        url = f"mqtt://{relay.host}:{relay.port}"
        async with publishing(
            feeder.directory, state, url, client_id=conduit, **settings
        ) as running:
            yield Side(conduit, feeder, relay, running)
    feeder.close()


@pytest.mark.slow
async def test_a_black_hole_in_either_direction_is_noticed_within_10_s(
    tmp_path: Path, broker: Mosquitto
) -> None:
    manners = [Manner.SILENT, Manner.DEAF, Manner.DARK]
    async with AsyncExitStack() as stack:
        memory = await stack.enter_async_context(subscriber(broker.url))
        sides = [
            await stack.enter_async_context(side(tmp_path, broker, f"{kind}-{manner.name.lower()}"))
            for kind in ("idle", "busy")
            for manner in manners
        ]
        for each in sides:
            each.feeder.measure()
            await each.delivered(memory)
        async with feeding(*(each.feeder for each in sides[3:])):
            for each, manner in zip(sides, [*manners, *manners], strict=True):
                each.relay.turns(manner)
            took_s = await asyncio.gather(*(each.noticed() for each in sides))
        for each in sides:
            each.feeder.measure()
            each.relay.turns(Manner.FAITHFUL)
            each.relay.cut()
        for each in sides:
            await each.delivered(memory)
    assert max(took_s) < NOTICED_WITHIN_S
    assert (memory.audit.ledger.lost, memory.audit.ledger.unseen) == (0, 0)
    assert {memory.account(each.conduit).disorder for each in sides} == {0}
    assert {memory.account(each.conduit).gaps for each in sides} == {0}


async def test_resets_lose_nothing_and_double_no_more_than_the_rewind(
    tmp_path: Path, broker: Mosquitto
) -> None:
    async with (
        subscriber(broker.url) as memory,
        side(tmp_path, broker, "reset", replay_s=1.0) as one,
    ):
        resets = 3
        async with feeding(one.feeder):
            for number in range(resets):
                await one.running.until(
                    lambda status, number=number: status["connections"] > number, 30
                )
                await asyncio.sleep(1.5)  # so that no backlog is within the rewind
                one.relay.cut()
        await one.delivered(memory)
        account = memory.account("reset")
        assert (memory.audit.ledger.lost, account.disorder, account.gaps) == (0, 0, 0)
        assert account.duplicates <= resets * (
            50 * 10 + one.running.publisher.status()["window"] * 10
        )


@pytest.mark.slow
async def test_a_slow_broker_that_acknowledges_is_not_taken_for_a_dead_one(
    tmp_path: Path, broker: Mosquitto
) -> None:
    async with (
        subscriber(broker.url) as memory,
        side(tmp_path, broker, "slow", window=5, window_bytes=8192) as one,
    ):
        await one.running.until(lambda status: status["connected"])
        one.relay.bytes_s = 5_000
        one.feeder.measure(times=400, count=100)
        until_s = time.monotonic() + 11
        sent = []
        while time.monotonic() < until_s:
            sent.append(one.running.publisher.status()["samples"])
            assert one.running.publisher._session is not None
            assert one.running.publisher._session.window.size <= 8192
            await asyncio.sleep(0.1)
        assert sent[-1] < 40_000
        one.relay.bytes_s = None
        await one.delivered(memory)
        assert one.running.publisher.status()["connections"] == 1
        assert (memory.audit.ledger.lost, memory.account("slow").duplicates) == (0, 0)


async def test_a_broker_whose_answers_come_late_gets_everything_once(
    tmp_path: Path, broker: Mosquitto
) -> None:
    async with subscriber(broker.url) as memory, side(tmp_path, broker, "late") as one:
        await one.running.until(lambda status: status["connected"])
        one.relay.delay_s = 0.3
        one.feeder.measure(times=100)
        await one.delivered(memory)
        assert one.running.publisher.status()["connections"] == 1
        assert (memory.audit.ledger.lost, memory.account("late").duplicates) == (0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("protocol", [Protocol.V5, Protocol.V311])
async def test_two_bus_sides_under_one_client_id_do_not_fight(
    tmp_path: Path, broker: Mosquitto, protocol: Protocol
) -> None:
    async with AsyncExitStack() as stack:
        runnings = []
        feeders = []
        for conduit in ("one", "two"):
            feeders.append(Feeder(tmp_path / conduit / "spool", catalog(conduit=conduit)))
            runnings.append(
                await stack.enter_async_context(
                    publishing(
                        feeders[-1].directory,
                        tmp_path / conduit / "state",
                        broker.url,
                        client_id="same",
                        protocol=protocol,
                    )
                )
            )
        async with feeding(*feeders):
            await asyncio.sleep(20)
        states = [running.publisher.status() for running in runnings]
        told = " ".join(str(state["error"]) for state in states)
        assert sum(state["connections"] for state in states) <= 16
        assert "took the session over" in told or "another client uses our client id" in told
        assert [state["refused"] for state in states] == [0, 0]
    for feeder in feeders:
        feeder.close()
