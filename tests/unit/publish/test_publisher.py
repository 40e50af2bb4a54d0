"""A publisher between a real spool and a real broker."""

import asyncio
import json
from pathlib import Path

import pytest

from brokers import Mosquitto, broker, free_port
from otgate.errors import Refused
from otgate.model import Lane
from otgate.publish.ledger import Ledger
from otgate.publish.payload import DeviceStatus, GatewayStatus, Samples
from otgate.publish.settings import Compression, LastValues, Limits
from otgate.publish.subscribe import Received
from otgate.publish.topics import MessageClass
from otgate.spool.items import ANCHOR
from otgate.spool.reader import SpoolReader
from publishing import Feeder, Memory, catalog, publishing, subscriber

__all__ = ["broker"]


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


async def test_what_is_spooled_arrives_once_and_in_order(
    broker: Mosquitto, spool: Path, state: Path
) -> None:
    feeder = Feeder(spool)
    async with subscriber(broker.url) as memory, publishing(spool, state, broker.url):
        feeder.measure(times=200)
        await memory.until(lambda: len(memory.numbers()) >= 2000)
        assert memory.numbers() == list(range(2000))
    feeder.close()


async def test_both_lanes_keep_their_own_numbers(
    broker: Mosquitto, spool: Path, state: Path
) -> None:
    feeder = Feeder(spool)
    for code in (1, 2, 1):
        feeder.measure(times=10)
        feeder.switch(code)
    async with subscriber(broker.url) as memory, publishing(spool, state, broker.url):
        await memory.until(lambda: len(memory.numbers()) == 300)
        assert memory.numbers("event") == [0, 1, 2]
        events = memory.of(MessageClass.EVENT)
        assert [event.points[0].v for event in events] == [1, 2, 1]
    feeder.close()


async def test_meta_comes_before_the_first_message_that_refers_to_it(
    broker: Mosquitto, spool: Path, state: Path
) -> None:
    feeder = Feeder(spool)
    feeder.measure()
    async with subscriber(broker.url) as memory, publishing(spool, state, broker.url):
        await memory.until(lambda: bool(memory.samples))
        explained = {meta.meta for meta in memory.of(MessageClass.META)}
        assert memory.samples[0].meta in explained
    feeder.close()


async def test_who_comes_later_finds_meta_and_status(
    broker: Mosquitto, spool: Path, state: Path
) -> None:
    feeder = Feeder(spool)
    feeder.live()
    async with publishing(spool, state, broker.url) as running:
        await running.until(lambda status: status["messages"] >= 4)
        async with subscriber(broker.url) as memory:
            await memory.until(lambda: len(memory.messages) >= 4)
            assert all(message.retained for message in memory.messages)
            assert {m.address.message_class for m in memory.messages} == {
                MessageClass.META,
                MessageClass.STATUS,
            }
    feeder.close()


async def test_status_follows_the_field_side(broker: Mosquitto, spool: Path, state: Path) -> None:
    feeder = Feeder(spool)
    feeder.live("good")
    async with subscriber(broker.url) as memory, publishing(spool, state, broker.url):
        await memory.until(lambda: _states(memory.of(MessageClass.STATUS))[-1:] == ["good"])
        feeder.live("lost")
        await memory.until(lambda: _states(memory.of(MessageClass.STATUS))[-1:] == ["lost"])
    feeder.close()


async def test_status_carries_the_anchor_of_the_audit_log(
    broker: Mosquitto, spool: Path, state: Path
) -> None:
    feeder = Feeder(spool)
    feeder.writer.live({"f3": "good", ANCHOR: "ab" * 32})
    async with subscriber(broker.url) as memory, publishing(spool, state, broker.url):
        await memory.until(lambda: any(told.audit for told in _statuses(memory)))
        assert _statuses(memory)[-1].audit == "ab" * 32
        assert ANCHOR not in _statuses(memory)[-1].devices
    feeder.close()


def _statuses(memory: Memory) -> list[GatewayStatus]:
    return [one for one in memory.of(MessageClass.STATUS) if isinstance(one, GatewayStatus)]


async def test_a_clean_stop_says_so_and_says_how_far(
    broker: Mosquitto, spool: Path, state: Path
) -> None:
    feeder = Feeder(spool)
    feeder.measure(times=30)
    async with subscriber(broker.url) as memory:
        async with publishing(spool, state, broker.url):
            await memory.until(lambda: len(memory.numbers()) == 300)
        await memory.until(lambda: _gateway(memory.of(MessageClass.STATUS))[-1].bus == "stopped")
        last = _gateway(memory.of(MessageClass.STATUS))[-1]
        assert last.lanes["data"].complete_through == 300
    feeder.close()


async def test_a_publisher_that_dies_leaves_its_will(
    broker: Mosquitto, spool: Path, state: Path
) -> None:
    feeder = Feeder(spool)
    async with (
        subscriber(broker.url) as memory,
        publishing(spool, state, broker.url) as running,
    ):
        await memory.until(lambda: bool(_gateway(memory.of(MessageClass.STATUS))))
        assert running.publisher._session is not None
        running.publisher._session._wire.abort()
        await memory.until(
            lambda: "lost" in [s.bus for s in _gateway(memory.of(MessageClass.STATUS))]
        )
    feeder.close()


async def test_a_restart_goes_on_where_it_stopped(
    broker: Mosquitto, spool: Path, state: Path
) -> None:
    feeder = Feeder(spool)
    async with subscriber(broker.url) as memory:
        feeder.measure(times=5)
        async with publishing(spool, state, broker.url, replay_s=0.0):
            await memory.until(lambda: len(memory.numbers()) == 50)
        feeder.measure(times=5)
        async with publishing(spool, state, broker.url, replay_s=0.0):
            await memory.until(lambda: len(memory.numbers()) >= 100)
        assert memory.numbers() == list(range(100))
    feeder.close()


async def test_a_new_epoch_is_told_with_the_end_of_the_one_before(
    broker: Mosquitto, spool: Path, state: Path
) -> None:
    feeder = Feeder(spool)
    feeder.measure(times=3)
    feeder.close()
    feeder = Feeder(spool)
    feeder.measure(times=2)
    async with subscriber(broker.url) as memory:
        async with publishing(spool, state, broker.url):
            await memory.until(lambda: len(memory.numbers()) == 50)
        await memory.until(lambda: _gateway(memory.of(MessageClass.STATUS))[-1].bus == "stopped")
        lane = _gateway(memory.of(MessageClass.STATUS))[-1].lanes["data"]
        assert (lane.previous_end, lane.complete_through) == (30, 20)
        assert len({samples.epoch for samples in memory.samples}) == 2
    feeder.close()


async def test_never_more_in_flight_than_the_window(
    broker: Mosquitto, spool: Path, state: Path
) -> None:
    feeder = Feeder(spool)
    feeder.measure(times=300)
    async with (
        subscriber(broker.url) as memory,
        publishing(spool, state, broker.url, window=3) as running,
    ):
        await memory.until(lambda: len(memory.numbers()) == 3000)
        assert running.publisher._session is not None
        assert running.publisher._session.window.most == 3
    feeder.close()


async def test_the_brokers_receive_maximum_narrows_the_window(
    tmp_path: Path, spool: Path, state: Path
) -> None:
    feeder = Feeder(spool)
    feeder.measure(times=100)
    with Mosquitto(tmp_path / "narrow", options=["max_inflight_messages 4"]) as narrow:
        async with publishing(spool, state, narrow.url) as running:
            await running.until(lambda status: status["samples"] == 1000)
            assert running.publisher._session is not None
            assert running.publisher._session.window.most <= 4
    feeder.close()


async def test_a_frame_beyond_the_brokers_packet_size_is_split(
    tmp_path: Path, spool: Path, state: Path
) -> None:
    feeder = Feeder(spool)
    feeder.measure(count=100)
    with Mosquitto(tmp_path / "small", options=["max_packet_size 1500"]) as small:
        async with subscriber(small.url) as memory, publishing(spool, state, small.url):
            await memory.until(lambda: len(memory.numbers()) == 100)
            assert memory.numbers() == list(range(100))
            assert len(memory.samples) > 1
    feeder.close()


async def test_what_is_too_large_is_set_aside_and_the_rest_flows(
    tmp_path: Path, spool: Path, state: Path
) -> None:
    feeder = Feeder(spool, catalog(points=100))
    feeder.measure()
    with Mosquitto(tmp_path / "small", options=["max_packet_size 2000"]) as small:
        async with subscriber(small.url) as memory, publishing(spool, state, small.url) as running:
            await memory.until(lambda: len(memory.numbers()) == 10)
            assert running.publisher.status()["refused"] == 2  # both metas: 100 points
    lines = [json.loads(line) for line in (state / "refused.jsonl").read_text().splitlines()]
    assert {line["reason"] for line in lines} == {"Packet too large"}
    assert all("/meta" in line["topic"] for line in lines)
    feeder.close()


async def test_zstd_payloads_are_read_back(broker: Mosquitto, spool: Path, state: Path) -> None:
    feeder = Feeder(spool)
    feeder.measure(count=100)
    async with (
        subscriber(broker.url) as memory,
        publishing(spool, state, broker.url, compress=Compression.ZSTD),
    ):
        await memory.until(lambda: len(memory.numbers()) == 100)
        assert not memory.complaints
    feeder.close()


async def test_last_values_are_retained_per_point(
    broker: Mosquitto, spool: Path, state: Path
) -> None:
    feeder = Feeder(spool)
    feeder.measure(count=3)
    async with publishing(spool, state, broker.url, last=LastValues.ON) as running:
        await running.until(lambda status: status["messages"] >= 8)
        async with subscriber(broker.url) as memory:
            await memory.until(lambda: len(memory.of(MessageClass.LAST)) == 3)
            assert {last.id: last.v for last in memory.of(MessageClass.LAST)} == {
                "ia0": 0.0,
                "ia1": 1.0,
                "ia2": 2.0,
            }
    feeder.close()


async def test_what_vanished_from_the_catalog_vanishes_from_the_broker(
    broker: Mosquitto, spool: Path, state: Path
) -> None:
    feeder = Feeder(spool)
    async with subscriber(broker.url) as memory, publishing(spool, state, broker.url):
        await memory.until(lambda: len(memory.of(MessageClass.META)) >= 2)
        feeder.close()
        feeder = Feeder(spool, catalog(device="f4"))
        await memory.until(lambda: _cleared(memory.messages) == {"f3"})
    async with subscriber(broker.url) as later:
        await later.until(lambda: len(later.of(MessageClass.META)) >= 2)
        assert {m.address.device for m in later.messages} == {"f4", "_gateway"}
    feeder.close()


async def test_the_first_broker_that_answers_is_used(
    broker: Mosquitto, spool: Path, state: Path
) -> None:
    feeder = Feeder(spool)
    feeder.measure()
    urls = ["mqtt://127.0.0.1:1", broker.url]
    async with publishing(spool, state, urls) as running:
        await running.until(lambda status: status["samples"] == 10)
        assert running.publisher.status()["broker"] == broker.url
    feeder.close()


async def test_a_client_without_an_id_is_named_after_its_conduit(
    broker: Mosquitto, spool: Path, state: Path
) -> None:
    feeder = Feeder(spool)
    async with publishing(spool, state, broker.url, client_id="") as running:
        await running.until(lambda status: status["connected"])
        assert " as otgate-gw1-analytics " in broker.log
    feeder.close()


async def test_a_ledger_finds_nothing_missing(broker: Mosquitto, spool: Path, state: Path) -> None:
    feeder = Feeder(spool)
    feeder.measure(times=50)
    ledger = Ledger()
    async with (
        subscriber(broker.url) as memory,
        publishing(spool, state, broker.url, limits=Limits(max_points=3)),
    ):
        await memory.until(lambda: len(memory.numbers()) == 500)
    for message in memory.messages:
        if message.payload in memory.samples:
            assert message.payload is not None
            ledger.samples(message.payload, message.address.message_class, 0)
    assert (ledger.received, ledger.lost) == (500, 0)
    feeder.close()


async def test_every_epoch_of_a_backlog_is_announced_before_its_samples(
    broker: Mosquitto, spool: Path, state: Path
) -> None:
    for _ in range(4):
        feeder = Feeder(spool)
        feeder.measure(times=3)
        feeder.close()
    async with subscriber(broker.url) as memory, publishing(spool, state, broker.url):
        await memory.until(lambda: len(memory.numbers()) == 120)
    lanes = [s.lanes["data"] for s in _gateway(memory.of(MessageClass.STATUS)) if "data" in s.lanes]
    epochs = list(dict.fromkeys(sample.epoch for sample in memory.samples))
    assert list(dict.fromkeys(lane.epoch for lane in lanes)) == epochs
    assert {lane.previous_end for lane in lanes if lane.epoch != epochs[0]} == {30}
    for epoch in epochs:
        told = next(n for n, m in enumerate(memory.messages) if epoch in _epochs(m))
        assert told < next(n for n, m in enumerate(memory.messages) if _is_of(m, epoch))


async def test_what_is_gone_is_cleared_though_data_never_pauses(
    broker: Mosquitto, spool: Path, state: Path
) -> None:
    old = Feeder(spool, catalog(device="gone"))
    async with publishing(spool, state, broker.url) as running:
        await running.until(lambda status: status["messages"] >= 4)
    old.close()
    feeder = Feeder(spool)
    async with subscriber(broker.url) as memory, publishing(spool, state, broker.url):
        while not _cleared(memory.messages):
            feeder.measure()
            await asyncio.sleep(0.01)
            assert len(memory.numbers()) < 5000
        assert _cleared(memory.messages) == {"gone"}
    feeder.close()


async def test_a_spool_without_a_catalog_is_waited_for(
    broker: Mosquitto, spool: Path, state: Path
) -> None:
    async with subscriber(broker.url) as memory, publishing(spool, state, broker.url):
        feeder = Feeder(spool)
        feeder.measure()
        await memory.until(lambda: len(memory.numbers()) == 10)
        feeder.close()


async def test_a_spool_that_is_not_there_is_told_once_and_found_at_once(
    broker: Mosquitto, spool: Path, state: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with publishing(spool, state, broker.url) as running:
        await running.until(lambda status: "is not there" in status["spool"])
        await running.until(lambda _: running.publisher._waited_for != "")
        feeder = Feeder(spool)
        feeder.live()
        await running.until(lambda status: status["spool"] == "readable")
        feeder.close()
    told = "".join(capfd.readouterr())
    assert (told.count("spool_waited_for"), told.count("spool_readable")) == (1, 1)


async def test_a_spool_that_the_field_side_is_about_to_make_is_not_worth_a_warning(
    broker: Mosquitto, spool: Path, state: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with publishing(spool, state, broker.url) as running:
        await running.until(lambda status: "is not there" in status["spool"])
        feeder = Feeder(spool)
        feeder.live()
        await running.until(lambda status: status["spool"] == "readable")
        feeder.close()
    assert "spool_" not in "".join(capfd.readouterr())


async def test_a_useless_cursor_is_told_before_any_broker_is_there(
    spool: Path, state: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    _written(state / "cursor.json", "{")
    async with publishing(spool, state, f"mqtt://127.0.0.1:{free_port()}") as running:
        await running.until(lambda status: "is not there" in status["spool"])
    assert "cursor.damaged" in "".join(capfd.readouterr())


async def test_a_directory_that_cannot_keep_the_cursor_is_refused(
    broker: Mosquitto, spool: Path, state: Path
) -> None:
    _written(state, "a file")
    async with publishing(spool, state, broker.url) as running:
        with pytest.raises(Refused, match="cursor cannot be kept"):
            await running.task


async def test_a_name_that_no_topic_takes_is_refused(
    broker: Mosquitto, spool: Path, state: Path
) -> None:
    feeder = Feeder(spool, catalog(conduit="a b"))
    async with publishing(spool, state, broker.url) as running:
        with pytest.raises(Refused, match="topic level"):
            await running.task
    feeder.close()


async def test_the_cursor_is_on_disk_after_a_stop(
    broker: Mosquitto, spool: Path, state: Path
) -> None:
    feeder = Feeder(spool)
    feeder.measure()
    async with publishing(spool, state, broker.url) as running:
        await running.until(lambda status: status["samples"] == 10)
    reader = SpoolReader.open(spool, state)
    assert reader.complete_through(Lane.DATA).seq == 10
    reader.close()
    feeder.close()


def _written(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def _epochs(received: Received) -> set[str]:
    status = received.payload
    return {s.epoch for s in status.lanes.values()} if isinstance(status, GatewayStatus) else set()


def _is_of(received: Received, epoch: str) -> bool:
    return isinstance(received.payload, Samples) and received.payload.epoch == epoch


def _gateway(statuses: list[object]) -> list[GatewayStatus]:
    return [status for status in statuses if isinstance(status, GatewayStatus)]


def _states(statuses: list[object]) -> list[str]:
    return [status.state for status in statuses if isinstance(status, DeviceStatus)]


def _cleared(messages: list[Received]) -> set[str]:
    return {m.address.device for m in messages if m.payload is None}


async def test_newest_values_stand_while_a_failing_disk_shows_less_than_a_restarted_side_had(
    broker: Mosquitto, spool: Path, state: Path
) -> None:
    feeder, settings = Feeder(spool), {"last": LastValues.ON, "replay_s": 60.0}
    async with publishing(spool, state, broker.url, **settings) as running:
        feeder.measure()
        await running.until(lambda status: status["samples"] == 10)
        (segment,) = (spool / "data").iterdir()
        less = segment.read_bytes()
        feeder.measure()
        await running.until(lambda status: status["samples"] == 20)
    whole = segment.read_bytes()
    segment.write_bytes(less)
    async with (
        subscriber(broker.url) as memory,
        publishing(spool, state, broker.url, **settings) as running,
    ):
        await running.until(lambda status: status["samples"] == 10)
        await asyncio.sleep(0.3)
        await memory.until(lambda: len(memory.of(MessageClass.LAST)) >= 10)
        retained = memory.of(MessageClass.LAST)
        segment.write_bytes(whole)
        await running.until(lambda status: status["samples"] == 20)
        await memory.until(lambda: len(memory.of(MessageClass.LAST)) >= 20)
    assert len(retained) == 10
    assert len({last.received_us for last in memory.of(MessageClass.LAST)}) == 1
    feeder.close()
