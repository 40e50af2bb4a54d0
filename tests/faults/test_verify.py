"""`otgate verify` before a broker that loses things: what is lost, and what only passed by."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from brokers import Mosquitto, broker, free_port
from daemons import eventually
from otgate.cli.audit import Auditor
from otgate.publish.settings import read_broker
from otgate.publish.subscribe import Source, subscribe
from otgate.testing.relay import Relay, relayed
from otgate.together import cancelled
from publishing import Feeder, Running, publishing

__all__ = ["broker"]

KEPT = ("persistence true", "autosave_interval 36000")
"""Options of a broker that keeps on its disk what it is told to save, and nothing after that."""


@dataclass
class Scene:
    """A gateway's spool and publisher, a broker, and a verifying subscriber behind a relay."""

    broker: Mosquitto
    relay: Relay
    feeder: Feeder
    publisher: Running
    auditor: Auditor

    async def measured(self, samples: int) -> None:
        """Spool samples and wait until the broker has acknowledged them."""
        before = self.publisher.publisher.status()["samples"]
        self.feeder.measure(samples // 10)
        await self.publisher.until(lambda status: status["samples"] >= before + samples)

    async def heard(self, samples: int) -> None:
        await eventually(lambda: self.auditor.ledger.received >= samples)

    async def subscriber_returns(self) -> None:
        before = self.auditor.connections
        await self.relay.start()
        await eventually(lambda: self.auditor.connections > before)

    async def broker_dies_and_returns(self) -> None:
        connections = self.publisher.publisher.status()["connections"]
        await asyncio.to_thread(self.broker.restart)
        await self.publisher.until(lambda status: status["connections"] > connections)

    def losses(self) -> list[list[tuple[int, int]]]:
        """Return the lost ranges of the data lane, epoch by epoch."""
        accounts = sorted(self.auditor.ledger.accounts.items())
        return [account.losses() for stream, account in accounts if stream.lane == "data"]

    @property
    def counts(self) -> tuple[int, int, int]:
        ledger = self.auditor.ledger
        return ledger.received, ledger.lost, ledger.unseen


@asynccontextmanager
async def scene(folder: Path, mosquitto: Mosquitto) -> AsyncIterator[Scene]:
    spool, auditor = folder / "spool", Auditor()
    feeder = Feeder(spool)
    state = folder / "state"
    with mosquitto:
        async with (
            relayed(("127.0.0.1", mosquitto.port)) as relay,
            publishing(spool, state, mosquitto.url, replay_s=0) as publisher,
        ):
            near, _ = read_broker(f"mqtt://127.0.0.1:{relay.port}")
            origin = Source(near, session="verify", session_s=600)
            listening = asyncio.ensure_future(subscribe(origin, auditor, clock=time.time_ns))
            await eventually(lambda: auditor.connections)
            try:
                found = Scene(mosquitto, relay, feeder, publisher, auditor)
                await found.measured(100)
                await found.heard(100)
                yield found
            finally:
                await cancelled([listening])
                found.feeder.close()


async def test_what_a_stock_broker_forgot_while_we_were_away_is_unseen_and_not_lost(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path, Mosquitto(tmp_path / "broker")) as found:
        await found.relay.stop()
        await found.measured(50)
        await found.broker_dies_and_returns()
        await found.measured(30)
        await found.subscriber_returns()
        await found.measured(20)
        await found.heard(120)
        assert found.counts == (120, 0, 80)


async def test_what_a_broker_kept_for_us_over_its_death_is_neither(tmp_path: Path) -> None:
    async with scene(tmp_path, kept(tmp_path)) as found:
        await found.relay.stop()
        await found.measured(50)
        await saved(found.broker)
        await found.broker_dies_and_returns()
        await found.subscriber_returns()
        await found.measured(20)
        await found.heard(170)
        assert found.counts == (170, 0, 0)


async def test_what_a_broker_lost_out_of_our_session_is_lost(tmp_path: Path) -> None:
    async with scene(tmp_path, kept(tmp_path)) as found:
        await found.relay.stop()
        await found.measured(50)
        await saved(found.broker)
        await found.measured(30)
        await found.broker_dies_and_returns()
        await found.subscriber_returns()
        await found.measured(20)
        await found.heard(170)
        assert found.counts == (170, 30, 0)
        assert found.losses() == [[(150, 180)]]


async def test_the_end_of_an_epoch_that_a_broker_lost_is_lost_to_the_last_sample(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path, kept(tmp_path)) as found:
        await found.relay.stop()
        await saved(found.broker)
        await found.measured(40)
        await found.broker_dies_and_returns()
        found.feeder.close()
        found.feeder = Feeder(tmp_path / "spool")
        await found.subscriber_returns()
        await found.measured(20)
        await found.heard(120)
        await eventually(lambda: found.auditor.ledger.lost)
        assert found.counts == (120, 40, 0)
        assert found.losses() == [[(100, 140)], []]


def kept(folder: Path) -> Mosquitto:
    place = folder / "kept"
    place.mkdir()
    options = [*KEPT, f"persistence_location {place}/"]
    return Mosquitto(folder / "broker", options=options, port=free_port())


async def saved(mosquitto: Mosquitto) -> None:
    """Make the broker write down what it holds."""
    os.kill(mosquitto.pid, signal.SIGUSR1)
    await asyncio.sleep(0.5)  # it tells nobody when it is done
