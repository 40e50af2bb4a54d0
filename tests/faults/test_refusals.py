"""Messages that a broker refuses, each time or by closing: the rest flows, the consumer is told."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from brokers import Mosquitto
from otgate.publish.payload import Samples
from otgate.publish.settings import Protocol
from otgate.publish.subscribe import Payload
from otgate.publish.topics import Address, MessageClass
from publishing import Feeder, Running, feeding, publishing, subscriber
from scripted import CLOSE, Books, judging, server

NOT_AUTHORIZED, TOO_LARGE, QUOTA, BAD_TOPIC, BAD_FORMAT = 0x87, 0x95, 0x97, 0x90, 0x99
DENIED = "deny otgate/v1/sub7/gw1/analytics/f3/event"
ALLOWED = "topic readwrite otgate/#"
EVENTS = "otgate/v1/sub7/gw1/analytics/f3/event"


@pytest.fixture
async def feeder(tmp_path: Path) -> AsyncIterator[Feeder]:
    feeder = Feeder(tmp_path / "spool")
    yield feeder
    feeder.close()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def records(state: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (state / "refused.jsonl").read_text().splitlines()]


async def done(running: Running, samples: int, lane: str = "data", limit_s: float = 20) -> None:
    await running.until(lambda s: s["lanes"][lane]["complete_through"] == samples, limit_s)


class Only:
    """Finds one message guilty: the one whose first sample has number ``seq``."""

    def __init__(self, code: int, seq: int = 100, also: MessageClass | None = None) -> None:
        self.code = code
        self._seq = seq
        self._also = also

    def __call__(self, address: Address, payload: Payload | None) -> int:
        if address.message_class is self._also:
            return self.code
        return self.code if isinstance(payload, Samples) and payload.seq == self._seq else 0


class All:
    """Finds all messages of some classes guilty, or all of them, while ``code`` is not 0."""

    def __init__(self, code: int, *classes: MessageClass) -> None:
        self.code = code
        self._classes = classes or tuple(MessageClass)

    def __call__(self, address: Address, _payload: Payload | None) -> int:
        return self.code if address.message_class in self._classes else 0


@pytest.mark.parametrize("code", [NOT_AUTHORIZED, TOO_LARGE, QUOTA, BAD_TOPIC, BAD_FORMAT])
async def test_a_message_that_is_always_refused_is_set_aside_and_announced(
    feeder: Feeder, state: Path, code: int
) -> None:
    feeder.measure(times=30)
    books = Books(Only(code))
    async with (
        server(judging(books)) as url,
        publishing(feeder.directory, state, url) as running,
        feeding(feeder),
    ):
        await running.until(lambda status: status["refused"] > 0)
        await running.until(lambda status: status["lanes"]["data"]["complete_through"] > 300)
        status = running.publisher.status()
    assert (status["refused"], status["refused_samples"], status["unannounced"]) == (1, 10, 0)
    assert (books.ledger.lost, books.gap_samples) == (0, 10)
    gap = books.gaps[0]
    assert (gap.reason, gap.seq, gap.count) == ("refused", 100, 10)
    (record,) = records(state)
    assert (record["lane"], record["seq"], record["count"]) == ("data", 100, 10)
    assert gap.from_us == gap.to_us == json.loads(record["payload"])["received_us"]


async def test_a_gap_that_is_refused_too_is_counted(feeder: Feeder, state: Path) -> None:
    feeder.measure(times=30)
    books = Books(Only(NOT_AUTHORIZED, also=MessageClass.GAP))
    async with server(judging(books)) as url, publishing(feeder.directory, state, url) as running:
        await running.until(lambda status: status["samples"] == 290)
        feeder.measure()
        await done(running, 310)
        assert running.publisher.status()["unannounced"] == 10
    assert books.ledger.lost == 10
    assert [record["topic"].rpartition("/")[2] for record in records(state)] == ["data", "gap"]


@pytest.mark.parametrize("code", [NOT_AUTHORIZED, QUOTA, CLOSE])
async def test_a_broker_that_refuses_everything_gets_everything_later(
    feeder: Feeder, state: Path, code: int
) -> None:
    feeder.measure(times=30)
    guilt = All(code)
    books = Books(guilt)
    async with server(judging(books)) as url, publishing(feeder.directory, state, url) as running:
        await running.until(lambda _: books.refused > (2 if code == CLOSE else 40))
        assert running.publisher.status()["refused_samples"] == 0
        guilt.code = 0
        feeder.measure()
        await done(running, 310, limit_s=40)
    assert (books.ledger.lost, books.ledger.received, books.gaps) == (0, 310, [])


async def test_what_is_refused_says_so_in_words(feeder: Feeder, state: Path) -> None:
    feeder.measure(times=30)
    books = Books(All(NOT_AUTHORIZED))
    async with server(judging(books)) as url, publishing(feeder.directory, state, url) as running:
        await running.until(lambda status: status["held"].startswith("30 refused"))
        assert "Not authorized" in running.publisher.status()["held"]


async def test_hundreds_of_refusals_in_a_row_leave_the_broker_alone(
    feeder: Feeder, state: Path
) -> None:
    feeder.measure(times=1000)
    guilt = All(NOT_AUTHORIZED, MessageClass.DATA)
    books = Books(guilt)
    async with server(judging(books)) as url, publishing(feeder.directory, state, url) as running:
        await running.until(lambda status: status["error"] is not None)
        assert "none of the samples: Not authorized" in running.publisher.status()["error"]
        guilt.code = 0
        await done(running, 10_000)
    assert (books.ledger.lost, books.ledger.received) == (0, 10_000)


async def test_what_was_set_aside_is_not_offered_again_after_a_reconnect(
    feeder: Feeder, state: Path
) -> None:
    feeder.measure(times=30)
    books = Books(Only(NOT_AUTHORIZED))
    async with (
        server(judging(books)) as url,
        publishing(feeder.directory, state, url, replay_s=60) as running,
    ):
        await done(running, 300)
        again = Books(Only(NOT_AUTHORIZED))
        books.ledger, books.gaps = again.ledger, []
        running.end("the test says so")
        await running.until(lambda status: status["connections"] == 2)
        await done(running, 300)
    assert (books.ledger.received, books.gap_samples, books.refused) == (290, 10, 2)
    assert len(records(state)) == 1


async def test_a_broker_that_closes_upon_a_message_gets_the_rest(
    feeder: Feeder, state: Path
) -> None:
    feeder.measure(times=30)
    books = Books(Only(CLOSE))
    async with server(judging(books)) as url, publishing(feeder.directory, state, url) as running:
        await done(running, 300)
        assert running.publisher.status()["connections"] <= 5
    assert (books.ledger.lost, books.ledger.received, books.gap_samples) == (0, 290, 10)
    (record,) = records(state)
    assert "closes the connection" in record["reason"]


async def test_a_topic_that_the_broker_closes_upon_is_not_offered_for_a_while(
    feeder: Feeder, state: Path
) -> None:
    feeder.measure(times=10)
    books = Books(All(CLOSE, MessageClass.EVENT))
    async with server(judging(books)) as url, publishing(feeder.directory, state, url) as running:
        for code in range(20):
            feeder.switch(code % 3)
        await running.until(
            lambda status: status["not_offered"] == EVENTS and status["connected"], limit_s=30
        )
        connections = running.publisher.status()["connections"]
        feeder.measure(times=10)
        feeder.switch(1)
        feeder.measure(times=10)
        await done(running, 300)
        await done(running, 21, "event")
        assert running.publisher.status()["connections"] == connections <= 8
    assert (books.ledger.lost, books.ledger.received) == (0, 300)
    assert sum(gap.count for gap in books.gaps) == 21


@pytest.mark.parametrize("queued", ["1000", "0"], ids=["answers", "closes"])
async def test_what_mosquittos_rules_deny_is_set_aside_and_the_rest_flows(
    tmp_path: Path, feeder: Feeder, state: Path, queued: str
) -> None:
    rules = tmp_path / "rules"
    rules.write_text(f"topic readwrite otgate/#\ntopic deny {EVENTS}\n")
    options = [f"acl_file {rules}", f"max_queued_messages {queued}"]
    with Mosquitto(tmp_path / "strict", options=options) as strict:
        async with (
            subscriber(strict.url) as memory,
            publishing(feeder.directory, state, strict.url) as running,
            feeding(feeder),
        ):
            for code in range(5):
                feeder.switch(code % 3)
            await done(running, 5, "event", limit_s=30)
            await memory.until(lambda: memory.account(lane="event").gaps == 5, 30)
            assert running.publisher.status()["refused_samples"] == 5
            seen = memory.account().count
            await memory.until(lambda: memory.account().count > seen + 100)
            assert (memory.audit.ledger.lost, memory.account().gaps) == (0, 0)


async def test_what_mosquitto_denies_in_mqtt_3_1_1_only_the_consumer_sees(
    tmp_path: Path, feeder: Feeder, state: Path
) -> None:
    rules = tmp_path / "rules"
    rules.write_text(f"topic readwrite otgate/#\ntopic deny {EVENTS}\n")
    with Mosquitto(tmp_path / "strict", options=[f"acl_file {rules}"]) as strict:
        async with (
            subscriber(strict.url) as memory,
            publishing(
                feeder.directory, state, strict.url, protocol=Protocol.V311, replay_s=0
            ) as running,
        ):
            feeder.switch(1)
            feeder.measure()
            await done(running, 1, "event")
            assert running.publisher.status()["refused"] == 0
            await memory.until(lambda: memory.account().count == 10)
            assert memory.numbers("event") == []
