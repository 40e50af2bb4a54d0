"""Brokers that die, hang, refuse, speak something else, or are not there."""

import asyncio
import time
from pathlib import Path

import pytest

from brokers import Authority, Mosquitto, authority, broker, free_port
from otgate.publish.settings import Tls
from publishing import Feeder, publishing, subscriber

__all__ = ["authority", "broker"]


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


async def test_a_broker_that_dies_and_returns_loses_nothing(
    broker: Mosquitto, spool: Path, state: Path
) -> None:
    feeder = Feeder(spool)
    async with subscriber(broker.url) as memory, publishing(spool, state, broker.url) as running:
        feeder.measure(times=50)
        await memory.until(lambda: len(set(memory.numbers())) == 500)
        broker.kill()
        feeder.measure(times=50)
        await running.until(lambda status: not status["connected"])
        broker.start()
        await memory.until(lambda: memory.connections == 2)
        feeder.measure(times=50)
        await memory.until(lambda: max(memory.numbers()) == 1499)
        assert set(memory.numbers()) >= set(range(1000, 1500))
        await running.until(lambda status: status["lanes"]["data"]["complete_through"] == 1500)
    feeder.close()


async def test_what_a_dead_broker_may_have_forgotten_is_sent_again(
    broker: Mosquitto, spool: Path, state: Path
) -> None:
    feeder = Feeder(spool)
    feeder.measure(times=3)
    async with publishing(spool, state, broker.url, replay_s=60) as running:
        await running.until(lambda status: status["samples"] == 30)
        broker.kill()
        await running.until(lambda status: not status["connected"])
        broker.start()
        await running.until(lambda status: status["samples"] == 60)
    feeder.close()


async def test_a_broker_that_is_absent_at_start_is_found_when_it_comes(
    tmp_path: Path, spool: Path, state: Path
) -> None:
    feeder = Feeder(spool)
    feeder.measure()
    late = Mosquitto(tmp_path / "late", port=free_port())
    async with publishing(spool, state, late.url) as running:
        await running.until(lambda status: status["attempts"] > 0)
        with late:
            await running.until(lambda status: status["samples"] == 10)
    feeder.close()


async def test_a_broker_that_forgot_what_it_retained_is_told_again(
    broker: Mosquitto, spool: Path, state: Path
) -> None:
    feeder = Feeder(spool)
    async with publishing(spool, state, broker.url) as running:
        await running.until(lambda status: status["messages"] >= 4)
        broker.restart()
        await running.until(lambda status: status["connections"] == 2)
        async with subscriber(broker.url) as memory:
            await memory.until(lambda: len(memory.messages) >= 4)
            assert {m.address.message_class.value for m in memory.messages} == {"meta", "status"}
    feeder.close()


@pytest.mark.slow
@pytest.mark.parametrize("traffic", ["idle", "busy"])
async def test_a_frozen_broker_is_noticed_within_10_s(
    broker: Mosquitto, spool: Path, state: Path, traffic: str
) -> None:
    feeder = Feeder(spool)
    feeder.measure()
    async with publishing(spool, state, broker.url) as running:
        await running.until(lambda status: status["samples"] == 10)
        broker.freeze()
        since_s = time.monotonic()
        if traffic == "busy":
            feeder.measure(times=100)
        await running.until(lambda status: not status["connected"])
        assert time.monotonic() - since_s < 10
        broker.thaw()
        feeder.measure()
        expected = 1020 if traffic == "busy" else 20
        await running.until(
            lambda status: status["lanes"]["data"]["complete_through"] == expected, limit_s=30
        )
    feeder.close()


async def test_a_stop_is_quick_while_the_broker_is_frozen(
    broker: Mosquitto, spool: Path, state: Path
) -> None:
    feeder = Feeder(spool)
    async with publishing(spool, state, broker.url) as running:
        await running.until(lambda status: status["connected"])
        broker.freeze()
        feeder.measure(times=50)
        await running.until(lambda status: status["in_flight"] > 0)
        since_s = time.monotonic()
        await running.stop()
        assert time.monotonic() - since_s < 2
    feeder.close()


async def test_a_stop_is_quick_while_nobody_answers(spool: Path, state: Path) -> None:
    feeder = Feeder(spool)
    writers: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda _, writer: writers.append(writer), "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    async with publishing(spool, state, f"mqtt://127.0.0.1:{port}") as running:
        async with asyncio.timeout(5):
            while not writers:  # noqa: ASYNC110  a server has no event for it
                await asyncio.sleep(0.01)
        since_s = time.monotonic()
        await running.stop()
        assert time.monotonic() - since_s < 1
    silent.close()
    for writer in writers:
        writer.close()
    feeder.close()


async def test_refused_credentials_are_told_and_the_spool_waits(
    tmp_path: Path, spool: Path, state: Path
) -> None:
    feeder = Feeder(spool)
    feeder.measure()
    with Mosquitto(tmp_path / "closed", users={"bus": "right"}) as closed:
        wrong = {"username": "bus", "password": "wrong"}
        async with publishing(spool, state, closed.url, **wrong) as running:
            await running.until(lambda status: status["error"] is not None)
            error = running.publisher.status()["error"]
            assert "refuses" in error
            assert "wrong" not in error
        right = {"username": "bus", "password": "right"}
        async with publishing(spool, state, closed.url, **right) as running:
            await running.until(lambda status: status["samples"] == 10)
    feeder.close()


@pytest.mark.parametrize("mutual", ["false", "true"])
async def test_tls_carries_samples(
    tmp_path: Path, spool: Path, state: Path, authority: Authority, mutual: str
) -> None:
    feeder = Feeder(spool)
    feeder.measure()
    tls = Tls(authority.ca_file, authority.certificate("client"), authority.key("client"))
    options = authority.listener(mutual=mutual)
    with Mosquitto(tmp_path / "tls", options=options) as secure:
        url = f"mqtts://localhost:{secure.port}"
        async with publishing(spool, state, url, tls=tls) as running:
            await running.until(lambda status: status["samples"] == 10)
    feeder.close()


@pytest.mark.parametrize("trouble", ["other ca", "other name", "no certificate"])
async def test_tls_that_does_not_hold_is_refused_and_never_answered_with_another_protocol(
    tmp_path: Path, spool: Path, state: Path, authority: Authority, trouble: str
) -> None:
    feeder = Feeder(spool)
    feeder.measure()
    stranger = Authority(tmp_path / "stranger")
    tls = {
        "other ca": Tls(stranger.ca_file, authority.certificate("client"), authority.key("client")),
        "other name": Tls(authority.ca_file, server_name="elsewhere.test"),
        "no certificate": Tls(authority.ca_file),
    }[trouble]
    with Mosquitto(tmp_path / "tls", options=authority.listener(mutual="true")) as secure:
        url = f"mqtts://localhost:{secure.port}"
        async with publishing(spool, state, url, tls=tls) as running:
            await running.until(lambda status: status["attempts"] > 1)
            assert "TLS" in running.publisher.status()["error"]
            assert running.publisher._dialects == {}
        assert "as otgate-test" not in secure.log
    feeder.close()


@pytest.mark.parametrize("trouble", ["absent ca", "no ca", "absent key", "other key"])
async def test_a_tls_file_that_is_no_use_is_named(
    tmp_path: Path, spool: Path, state: Path, authority: Authority, trouble: str
) -> None:
    feeder = Feeder(spool)
    absent, ca = tmp_path / "absent.pem", authority.ca_file
    certificate, key = authority.certificate("client"), authority.key("client")
    tls, named = {
        "absent ca": (Tls(absent), absent),
        "no ca": (Tls(key), key),
        "absent key": (Tls(ca, certificate, absent), absent),
        "other key": (Tls(ca, certificate, authority.key("broker")), certificate),
    }[trouble]
    async with publishing(spool, state, "mqtts://localhost:1", tls=tls) as running:
        await running.until(lambda status: status["error"] is not None)
        assert str(named) in running.publisher.status()["error"]
    feeder.close()


async def test_brokers_that_fail_differently_are_each_told_once(
    spool: Path, state: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    feeder = Feeder(spool)
    closing = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    urls = [
        f"mqtt://127.0.0.1:{closing.sockets[0].getsockname()[1]}",
        f"mqtt://127.0.0.1:{free_port()}",
    ]
    async with publishing(spool, state, urls) as running:
        await running.until(lambda status: status["attempts"] >= 6, limit_s=30)
    assert "".join(capfd.readouterr()).count("broker_lost") == 2
    closing.close()
    feeder.close()
