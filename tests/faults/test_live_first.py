"""After an outage: what happens now goes first, and everything else follows behind it."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from brokers import Mosquitto, broker
from otgate.model import Lane
from otgate.publish.payload import GatewayStatus, LaneStatus, Samples
from otgate.publish.settings import Backlog, LastValues, Order, Protocol
from otgate.publish.subscribe import Received
from otgate.publish.topics import MessageClass
from publishing import Feeder, Memory, catalog, feeding, publishing, subscriber

__all__ = ["broker"]

AGO_NS = 3600 * 10**9


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def feeder(spool: Path) -> Iterator[Feeder]:
    """A spool with 300 scans from an hour ago, in two epochs; the field side lives on."""
    for _ in range(2):
        old = Feeder(spool, clock=lambda: time.time_ns() - AGO_NS)
        old.measure(times=150)
        old.close()
    feeder = Feeder(spool)
    yield feeder
    feeder.close()


def slowly(messages_per_s: float = 100, **other: float) -> Backlog:
    return Backlog(messages_per_s=messages_per_s, **other)


def places(memory: Memory, *classes: MessageClass) -> list[tuple[str, int]]:
    return [
        (samples.epoch, samples.seq)
        for samples in memory.of(*classes)
        if samples.lane == Lane.DATA.value
    ]


def replayed(memory: Memory) -> list[tuple[str, int]]:
    return places(memory, MessageClass.REPLAY)


def live(memory: Memory) -> list[tuple[str, int]]:
    return places(memory, MessageClass.DATA)


@pytest.mark.parametrize(
    "protocol", [Protocol.V5, pytest.param(Protocol.V311, marks=pytest.mark.slow)]
)
async def test_what_is_live_goes_first_and_the_backlog_follows_in_order(
    broker: Mosquitto, spool: Path, state: Path, feeder: Feeder, protocol: Protocol
) -> None:
    feeder.measure(times=5)
    settings = {"protocol": protocol, "backlog": slowly(1000)}
    async with subscriber(broker.url) as memory, publishing(spool, state, broker.url, **settings):
        await memory.until(lambda: len(live(memory)) == 5)
        feeder.measure(times=5)
        await memory.until(lambda: len(set(replayed(memory))) == 300)
        await memory.until(lambda: len(live(memory)) == 10)
    classes = [message.address.message_class for message in memory.messages]
    first_replay = classes.index(MessageClass.REPLAY)
    assert classes[:first_replay].count(MessageClass.DATA) == 5
    assert replayed(memory) == sorted(replayed(memory))
    assert live(memory) == sorted(live(memory))
    assert all(samples.replayed for samples in memory.of(MessageClass.REPLAY))
    assert memory.audit.ledger.lost == 0


async def test_the_status_tells_of_the_hole_until_it_is_filled(
    broker: Mosquitto, spool: Path, state: Path, feeder: Feeder
) -> None:
    feeder.measure(times=5)
    async with (
        subscriber(broker.url) as memory,
        publishing(spool, state, broker.url, backlog=slowly()) as running,
    ):
        await memory.until(lambda: len(replayed(memory)) >= 10)
        assert memory.audit.ledger.lost == 0
        told = running.publisher.status()["lanes"]["data"]
        assert 0 < told["backlog"] < 3000
        assert told["ends_in_s"] >= 0
        await memory.until(lambda: len(set(replayed(memory))) == 300)
        first = memory.messages.index(next(filter(is_live, memory.messages)))
        assert told_of_data(memory.messages[:first])[-1].live_from == 0
        await memory.until(lambda: told_of_data(memory.messages)[-1].live_from is None)
        assert told_of_data(memory.messages)[-1].complete_through == 50
    assert memory.audit.ledger.lost == 0


def is_live(message: Received) -> bool:
    return message.address.message_class is MessageClass.DATA


def told_of_data(messages: Sequence[Received]) -> list[LaneStatus]:
    statuses = [m.payload for m in messages if isinstance(m.payload, GatewayStatus)]
    return [status.lanes["data"] for status in statuses if "data" in status.lanes]


@pytest.mark.slow
async def test_a_strict_conduit_sends_what_is_oldest_first(
    broker: Mosquitto, spool: Path, state: Path, feeder: Feeder
) -> None:
    feeder.measure(times=5)
    strict = Backlog(Order.STRICT, messages_per_s=1)
    async with (
        subscriber(broker.url) as memory,
        publishing(spool, state, broker.url, backlog=strict),
    ):
        await memory.until(lambda: len(live(memory)) == 5)
    assert len(replayed(memory)) == 300
    everything = places(memory, MessageClass.DATA, MessageClass.REPLAY)
    assert everything == sorted(everything)


@pytest.mark.slow
async def test_a_bus_side_that_is_restarted_in_the_middle_goes_on_there(
    broker: Mosquitto, spool: Path, state: Path, feeder: Feeder
) -> None:
    settings = {"backlog": slowly(200), "replay_s": 0}
    async with subscriber(broker.url) as memory, feeding(feeder):
        for number in range(1, 4):
            async with publishing(spool, state, broker.url, **settings):
                await memory.until(lambda most=80 * number: len(set(replayed(memory))) >= most)
        async with publishing(spool, state, broker.url, **settings):
            await memory.until(lambda: len(set(replayed(memory))) >= 300)
    assert memory.audit.ledger.lost == 0
    assert memory.in_all("duplicates") <= 3 * 84 * 10
    assert memory.in_all("disorder") == 0


@pytest.mark.slow
async def test_a_field_side_that_is_restarted_in_the_middle_is_live_at_once(
    broker: Mosquitto, spool: Path, state: Path, feeder: Feeder
) -> None:
    feeder.measure(times=5)
    async with (
        subscriber(broker.url) as memory,
        publishing(spool, state, broker.url, backlog=slowly(200)) as running,
    ):
        await memory.until(lambda: len(replayed(memory)) >= 20)
        feeder.close()
        for _ in range(2):
            again = Feeder(spool)
            again.measure(times=5)
            await memory.until(lambda: len(live(memory)) % 5 == 0 and len(live(memory)) > 5)
            again.close()
        assert len(set(replayed(memory))) < 300
        await memory.until(lambda: len(live(memory)) == 15 and len(set(replayed(memory))) == 300)
        await running.until(lambda status: status["lanes"]["data"]["complete_through"] == 50)
    assert memory.audit.ledger.lost == 0


async def test_last_values_never_move_backwards(
    broker: Mosquitto, spool: Path, state: Path, feeder: Feeder
) -> None:
    settings = {"backlog": slowly(400), "last": LastValues.ON}
    feeder.measure(times=3, count=2)  # of the ten points two are live
    async with subscriber(broker.url) as memory:
        async with publishing(spool, state, broker.url, **settings):
            await memory.until(lambda: len(replayed(memory)) >= 50)
        async with publishing(spool, state, broker.url, **settings):
            await memory.until(lambda: len(set(replayed(memory))) >= 300)
            await memory.until(lambda: len({one.id for one in lasts(memory)}) == 10)
    for point in range(10):
        told = [one.received_us for one in lasts(memory) if one.id == f"ia{point}"]
        assert told == sorted(told)
    times = {one.id: one.received_us for one in lasts(memory)}
    newest_us = max(samples.received_us for samples in memory.of(MessageClass.REPLAY))
    assert times["ia0"] > newest_us
    assert times["ia9"] == newest_us


def lasts(memory: Memory) -> list[Any]:
    return memory.of(MessageClass.LAST)


async def test_events_stay_in_order_and_do_not_hold_up_what_is_live(
    broker: Mosquitto, spool: Path, state: Path
) -> None:
    old = Feeder(spool, clock=lambda: time.time_ns() - AGO_NS)
    for number in range(400):
        old.switch(number)
    old.close()
    feeder = Feeder(spool)
    feeder.measure(times=5)
    feeder.switch(400)
    async with subscriber(broker.url) as memory, publishing(spool, state, broker.url):
        await memory.until(lambda: memory.account(lane="data").count == 50)
        before = len(memory.numbers("event"))
        await memory.until(lambda: len(memory.numbers("event")) >= 401)
    assert before < 100
    values = [samples.points[0].v for samples in memory.samples if samples.lane == "event"]
    assert values == list(range(401))
    feeder.close()


@pytest.mark.slow
async def test_live_data_that_become_old_on_the_way_are_made_a_backlog_of(
    broker: Mosquitto, spool: Path, state: Path
) -> None:
    feeder = Feeder(spool)
    settings = {"backlog": slowly(1000, live_s=0.2)}
    async with (
        subscriber(broker.url) as memory,
        publishing(spool, state, broker.url, **settings) as running,
        feeding(feeder),
    ):
        await memory.until(lambda: len(live(memory)) >= 10)
        broker.freeze()
        await running.until(lambda status: status["in_flight"] >= 20)
        await asyncio.sleep(0.5)
        broker.thaw()
        await memory.until(lambda: len(replayed(memory)) >= 1)
        since = len(live(memory))
        await memory.until(lambda: len(live(memory)) >= since + 20)
        assert running.publisher.status()["connections"] == 1
    feeder.close()
    assert live(memory) == sorted(live(memory))
    assert memory.audit.ledger.lost == 0


@pytest.mark.slow
async def test_a_catalog_that_lacks_points_governs_a_backlog_that_drains(
    broker: Mosquitto, spool: Path, state: Path, feeder: Feeder
) -> None:
    feeder.measure(times=5)
    async with (
        subscriber(broker.url) as memory,
        publishing(spool, state, broker.url, backlog=slowly(200)) as running,
    ):
        await memory.until(lambda: len(replayed(memory)) >= 20)
        feeder.close()
        tighter = Feeder(spool, catalog(points=5))
        tighter.measure(times=5, count=5)
        await memory.until(lambda: len(live(memory)) == 10)
        since = len(memory.messages)
        await memory.until(lambda: told_of_data(memory.messages)[-1].live_from is None)
        tighter.close()
    late = [m.payload for m in memory.messages[since:] if isinstance(m.payload, Samples)]
    assert {point.id for samples in late for point in samples.points} == {
        f"ia{number}" for number in range(5)
    }
    assert running.publisher.status()["recalled"] > 1000
    assert memory.audit.ledger.lost == 0
