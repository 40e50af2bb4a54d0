"""Samples in the backlog whose points a newer catalog no longer has."""

import asyncio
from pathlib import Path

import pytest

from brokers import Mosquitto, broker, free_port
from otgate.publish.settings import LastValues
from otgate.publish.topics import MessageClass
from otgate.spool.catalog import Catalog
from publishing import Feeder, catalog, publishing, subscriber

__all__ = ["broker"]


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def fed(spool: Path, what: Catalog, times: int = 1, count: int = 10) -> None:
    feeder = Feeder(spool, what)
    feeder.measure(times=times, count=count)
    feeder.close()


async def test_a_backlog_is_published_without_what_was_revoked_meanwhile(
    tmp_path: Path, spool: Path, state: Path
) -> None:
    with Mosquitto(tmp_path / "broker", port=free_port()) as broker:
        fed(spool, catalog(10), times=5)
        fed(spool, catalog(4), count=4)
        async with (
            subscriber(broker.url) as memory,
            publishing(spool, state, broker.url) as running,
        ):
            await running.until(lambda status: status["lanes"]["data"]["complete_through"] == 4)
            await memory.until(lambda: memory.audit.ledger.received == 24)
            names = {point.id for samples in memory.samples for point in samples.points}
            assert names == {"ia0", "ia1", "ia2", "ia3"}
            gaps = memory.of(MessageClass.GAP)
            assert {(gap.reason, gap.count) for gap in gaps} == {("recalled", 6)}
            assert running.publisher.status()["recalled"] == 30
        assert "ia4" not in broker.log


async def test_a_running_bus_side_obeys_within_a_second_and_clears_what_is_retained(
    broker: Mosquitto, spool: Path, state: Path
) -> None:
    feeder = Feeder(spool, catalog(10))
    feeder.measure()
    async with publishing(spool, state, broker.url, last=LastValues.ON) as running:
        await running.until(lambda status: status["samples"] == 10)
        async with subscriber(broker.url) as memory:
            await memory.until(lambda: len(memory.of(MessageClass.LAST)) == 10)
        feeder.close()
        loop = asyncio.get_running_loop()
        since_s = loop.time()
        Feeder(spool, catalog(4)).close()
        await running.until(lambda _: len(running.publisher._retained) == 4 + 4)
        assert loop.time() - since_s < 5  # 1 s on a machine with nothing else to do
    async with subscriber(broker.url) as memory:
        await memory.until(lambda: len(memory.of(MessageClass.LAST)) == 4)
        metas = memory.of(MessageClass.META)
        assert {point.id for meta in metas for point in meta.points} == {
            "ia0", "ia1", "ia2", "ia3", "cb",
        }  # fmt: skip


async def test_a_backlog_is_rounded_to_a_step_that_came_after_it(
    broker: Mosquitto, spool: Path, state: Path
) -> None:
    fed(spool, catalog(10), times=5)
    fed(spool, catalog(10, step=5))
    async with subscriber(broker.url) as memory, publishing(spool, state, broker.url) as running:
        await running.until(lambda status: status["samples"] == 60)
        await memory.until(lambda: memory.audit.ledger.received == 60)
        backlog = [
            samples for samples in memory.samples if samples.seq < 50 and len(samples.points)
        ]
        told = {(point.id, point.v) for samples in backlog[:5] for point in samples.points}
        assert told == {(f"ia{n}", 5.0 * round(n / 5 + 1e-9)) for n in range(10)}
        assert running.publisher.status()["recalled"] == 0


async def test_an_empty_catalog_ends_everything_but_the_status(
    broker: Mosquitto, spool: Path, state: Path
) -> None:
    fed(spool, catalog(10), times=3)
    nothing = Catalog(site="sub7", gateway="gw1", conduit="analytics", devices=())
    Feeder(spool, nothing).close()
    async with publishing(spool, state, broker.url) as running:
        await running.until(lambda status: status["recalled"] == 30)
        await running.until(lambda _: len(running.publisher._retained) == 1)
        assert running.publisher.status()["samples"] == 0
    async with subscriber(broker.url) as memory:
        await memory.until(lambda: bool(memory.messages))
        assert {one.address.device for one in memory.messages} == {"_gateway"}
