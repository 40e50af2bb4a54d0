"""Packets that vanish between the bus side and its broker, on a network of its own."""

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from brokers import Mosquitto
from namespaces import routed
from publishing import Feeder, catalog, feeding, publishing, subscriber

CASES = [("from", "idle"), ("from", "busy"), ("to", "idle"), ("to", "busy")]


@pytest.mark.slow
async def test_packets_that_vanish_in_either_direction_are_noticed_within_10_s(
    tmp_path: Path,
) -> None:
    with routed() as router:
        broker = Mosquitto(tmp_path / "broker", host=router.host(6), inside=router.inside)
        async with AsyncExitStack() as stack:
            stack.enter_context(broker)
            memory = await stack.enter_async_context(subscriber(broker.url))
            feeders, runnings = [], []
            for number, (direction, kind) in enumerate(CASES, 1):
                conduit = f"{direction}-{kind}"
                feeders.append(Feeder(tmp_path / conduit / "spool", catalog(conduit=conduit)))
                url = f"mqtt://{router.host(number)}:{broker.port}"
                state = tmp_path / conduit / "state"
                side = publishing(feeders[-1].directory, state, url, client_id=conduit)
                runnings.append(await stack.enter_async_context(side))
            for running in runnings:
                await running.until(lambda status: status["connected"])
            async with feeding(feeders[1], feeders[3]):
                await asyncio.sleep(0.5)
                for number, (direction, _) in enumerate(CASES, 1):
                    router.swallow(direction, number)
                begun_s = time.monotonic()
                for running in runnings:
                    await running.until(lambda status: not status["connected"], 30)
                took_s = time.monotonic() - begun_s
            router.pass_all()
            for feeder, running, (direction, kind) in zip(feeders, runnings, CASES, strict=True):
                feeder.measure()
                spooled = feeder.spooled
                await running.until(
                    lambda status, spooled=spooled: (
                        status["lanes"]["data"]["complete_through"] >= spooled
                    ),
                    60,
                )
                conduit = f"{direction}-{kind}"
                await memory.until(
                    lambda conduit=conduit, spooled=spooled: (
                        memory.account(conduit).count == spooled
                    )
                )
                assert memory.account(conduit).disorder == 0
        assert took_s < 10
        assert memory.audit.ledger.lost == 0
        for feeder in feeders:
            feeder.close()
