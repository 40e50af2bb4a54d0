"""The bus side against servers that answer exactly what a test tells them to (MQTT 5.0, 3.1.1)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog

from otgate.publish.errors import BrokerLost
from otgate.publish.settings import Protocol
from publishing import Feeder, Running, publishing
from scripted import (
    ACCEPTED_V5,
    ACCEPTED_V311,
    PUBACK,
    PUBLISH,
    RETAIN_NOT_SUPPORTED,
    SERVER_BUSY,
    UNACCEPTABLE_VERSION,
    V5,
    V311,
    Answer,
    Client,
    accepts,
    server,
)


@pytest.fixture
async def spool(tmp_path: Path) -> AsyncIterator[Path]:
    feeder = Feeder(tmp_path / "spool")
    feeder.measure(times=30)
    yield feeder.directory
    feeder.close()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def versions(seen: list[int], *, refusal: bytes) -> Answer:
    """A server of 3.1.1 only, which answers MQTT 5 with ``refusal`` and closes."""

    async def answer(client: Client) -> None:
        seen.append(await client.version())
        if seen[-1] == V5:
            await client.sends(refusal)
            return
        await client.sends(ACCEPTED_V311)
        await _serves_v311(client)

    return answer


async def _serves_v311(client: Client) -> None:
    while True:
        kind, _, rest = await client.packet()
        if kind == PUBLISH:
            length = int.from_bytes(rest[:2])
            await client.sends(b"\x40\x02" + rest[2 + length : 4 + length])


async def _done(running: Running, samples: int = 300) -> None:
    await running.until(lambda s: s["lanes"]["data"]["complete_through"] == samples)


@pytest.mark.parametrize("refusal", [UNACCEPTABLE_VERSION, b""], ids=["code 1", "close"])
async def test_a_server_of_3_1_1_only_is_spoken_to_in_3_1_1(
    spool: Path, state: Path, refusal: bytes
) -> None:
    seen: list[int] = []
    async with (
        server(versions(seen, refusal=refusal)) as url,
        publishing(spool, state, url) as running,
    ):
        await _done(running)
        assert running.publisher.status()["protocol"] == "3.1.1"
    assert seen == [V5, V311]


@pytest.mark.parametrize(
    ("refusal", "versions_"),
    [(UNACCEPTABLE_VERSION, [V5, V311, V311]), (b"", [V5, V311, V5, V311])],
    ids=["a code is", "a close is not"],
)
async def test_3_1_1_is_remembered_where_a_code_asked_for_it(
    spool: Path, state: Path, refusal: bytes, versions_: list[int]
) -> None:
    seen: list[int] = []
    async with (
        server(versions(seen, refusal=refusal)) as url,
        publishing(spool, state, url) as running,
    ):
        await _done(running)
        assert running.publisher._session is not None
        running.publisher._session.end(BrokerLost("the test says so"))
        await running.until(lambda status: status["connections"] == 2)
    assert seen == versions_


async def test_a_broker_that_was_silent_once_is_spoken_to_in_mqtt_5_afterwards(
    spool: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otgate.publish.session.CONNACK_LIMIT_S", 0.2)

    async def is_silent(client: Client) -> None:
        await client.version()
        await client.packet()

    async def wakes(client: Client) -> None:
        await client.version()
        await client.sends(ACCEPTED_V311)

    async with (
        server(is_silent, wakes, accepts) as url,
        publishing(spool, state, url) as running,
    ):
        await _done(running)
        assert running.publisher.status()["protocol"] == "5"


async def test_messages_that_nobody_asked_for_do_not_end_the_session(
    spool: Path, state: Path
) -> None:
    async def sends_retained(client: Client) -> None:
        await client.version()
        await client.sends(ACCEPTED_V311)
        await client.sends(bytes.fromhex("33 86 80 04 00 01 61 00 07") + bytes(65_537))
        answers = []
        while len(answers) < 3:
            kind, _, rest = await client.packet()
            answers += [rest] if kind == PUBACK else []
            if kind == PUBLISH:
                length = int.from_bytes(rest[:2])
                await client.sends(b"\x40\x02" + rest[2 + length : 4 + length])
                await client.sends(bytes.fromhex("32 05 00 01 61 00 08"))
        assert answers == [b"\0\x07", b"\0\x08", b"\0\x08"]
        await _serves_v311(client)

    with structlog.testing.capture_logs() as logs:
        async with (
            server(sends_retained) as url,
            publishing(spool, state, url, protocol=Protocol.V311) as running,
        ):
            await _done(running)
            await running.until(lambda _: "messages_unasked" in [one["event"] for one in logs])
            status = running.publisher.status()
    assert (status["connections"], status["error"]) == (1, None)
    assert status["unasked"] >= 3
    assert [one["event"] for one in logs].count("messages_unasked") == 1


async def test_a_restarting_broker_that_closes_is_asked_for_mqtt_5_again(
    spool: Path, state: Path
) -> None:
    async def closes(client: Client) -> None:
        await client.version()

    async with server(closes, closes, accepts) as url, publishing(spool, state, url) as running:
        await _done(running)
        assert running.publisher.status()["protocol"] == "5"


async def test_nobody_falls_back_where_the_settings_say_5(spool: Path, state: Path) -> None:
    seen: list[int] = []
    async with (
        server(versions(seen, refusal=UNACCEPTABLE_VERSION)) as url,
        publishing(spool, state, url, protocol=Protocol.V5) as running,
    ):
        await running.until(lambda status: status["attempts"] >= 2)
    assert set(seen) == {V5}


async def test_a_busy_server_is_no_reason_to_fall_back(spool: Path, state: Path) -> None:
    async def busy(client: Client) -> None:
        assert await client.version() == V5
        await client.sends(SERVER_BUSY)

    async with server(busy, accepts) as url, publishing(spool, state, url) as running:
        await _done(running)
        assert running.publisher.status()["protocol"] == "5"


async def test_a_session_that_was_taken_over_is_not_fought_for(spool: Path, state: Path) -> None:
    async def takes_over(client: Client) -> None:
        await client.version()
        await client.sends(ACCEPTED_V5)
        await client.packet()
        await client.sends(bytes.fromhex("E0 01 8E"))  # §3.14.2.1

    async with server(takes_over) as url, publishing(spool, state, url) as running:
        await running.until(lambda status: status["error"] is not None)
        assert "took the session over" in running.publisher.status()["error"]
        await asyncio.sleep(1.5)
        assert running.publisher.status()["connections"] == 1


async def test_no_more_is_in_flight_than_the_receive_maximum(spool: Path, state: Path) -> None:
    async def narrow(client: Client) -> None:
        await client.version()
        await client.sends(bytes.fromhex("20 06 00 00 03 21 00 05"))  # Receive Maximum 5
        await client.serves(hold=4)

    async with server(narrow) as url, publishing(spool, state, url) as running:
        await running.until(lambda status: status["samples"] >= 200)
        assert running.publisher._session is not None
        assert running.publisher._session.window.most == 5


async def test_retained_messages_are_plain_where_the_server_keeps_none(
    spool: Path, state: Path
) -> None:
    retained: list[int] = []

    async def keeps_none(client: Client) -> None:
        await client.version()
        await client.sends(bytes.fromhex("20 05 00 00 02 25 00"))  # Retain Available 0
        while True:
            kind, flags, rest = await client.packet()
            if kind == PUBLISH:
                retained.append(flags & 1)
                length = int.from_bytes(rest[:2])
                await client.sends(b"\x40\x03" + rest[2 + length : 4 + length] + b"\0")

    async def refuses_the_will(client: Client) -> None:
        await client.version()
        await client.sends(RETAIN_NOT_SUPPORTED)

    async with (
        server(refuses_the_will, keeps_none) as url,
        publishing(spool, state, url) as running,
    ):
        await _done(running)
    assert retained
    assert not any(retained)


async def test_a_will_asks_no_more_than_the_server_has(spool: Path, state: Path) -> None:
    flags: list[int] = []

    def answering(octets: bytes) -> Answer:
        async def answer(client: Client) -> None:
            flags.append((await client.packet())[2][7])
            await client.sends(octets)
            await client.serves()

        return answer

    no_qos_1 = bytes.fromhex("20 03 00 9B 00")
    answers = [answering(o) for o in (RETAIN_NOT_SUPPORTED, no_qos_1, ACCEPTED_V5)]
    async with server(*answers) as url, publishing(spool, state, url) as running:
        await _done(running)
    assert flags == [0x2E, 0x0E, 0x06]  # §3.1.2.3: retained at QoS 1, at QoS 1, at QoS 0


async def test_qos_0_is_used_where_the_server_has_no_more(spool: Path, state: Path) -> None:
    levels: list[int] = []

    async def only_qos_0(client: Client) -> None:
        await client.version()
        await client.sends(bytes.fromhex("20 05 00 00 02 24 00"))  # Maximum QoS 0
        while True:
            kind, flags, _ = await client.packet()
            if kind == PUBLISH:
                levels.append(flags >> 1 & 3)

    async with server(only_qos_0) as url, publishing(spool, state, url) as running:
        await _done(running)
    assert set(levels) == {0}


@pytest.mark.parametrize("garbage", [b"\xff" * 64, b"\x00" * 64, b"\x20\xff\xff\xff\xff\xff"])
async def test_garbage_ends_the_connection_and_nothing_else(
    spool: Path, state: Path, garbage: bytes
) -> None:
    async def babbles(client: Client) -> None:
        await client.version()
        await client.sends(garbage)

    async with server(babbles, babbles, accepts) as url, publishing(spool, state, url) as running:
        await _done(running)


CONNACK_V5 = {0x86: "user name", 0x87: "uthorized", 0x88: "unavailable", 0x89: "busy"}
CONNACK_V5 |= {0x8A: "anned", 0x97: "uota"}
CONNACK_V311 = {2: "dentifier", 3: "unavailable", 4: "user name", 5: "uthori"}


@pytest.mark.parametrize(
    ("protocol", "code", "word"),
    [("5", *item) for item in CONNACK_V5.items()]
    + [("3.1.1", *item) for item in CONNACK_V311.items()],
)
async def test_a_refusal_at_connect_is_told_in_words_and_outlived(
    spool: Path, state: Path, protocol: str, code: int, word: str
) -> None:
    async def refuses(client: Client) -> None:
        await client.version()
        end = (
            b"\x03\x00" + bytes([code]) + b"\x00"
            if protocol == "5"
            else b"\x02\x00" + bytes([code])
        )
        await client.sends(b"\x20" + end)

    takes = accepts if protocol == "5" else versions([], refusal=b"")
    async with (
        server(refuses, takes) as url,
        publishing(spool, state, url, protocol=Protocol(protocol)) as running,
    ):
        await running.until(lambda status: status["error"] is not None)
        error = running.publisher.status()["error"]
        await _done(running)
    assert "the broker refuses" in error
    assert word in error


async def test_a_refusal_at_connect_is_told_in_the_brokers_own_words(
    spool: Path, state: Path
) -> None:
    async def refuses(client: Client) -> None:
        await client.version()
        await client.sends(bytes.fromhex("20 0A 00 87 07 1F 00 04") + b"why?")  # §3.2.2.3.9

    async with server(refuses) as url, publishing(spool, state, url) as running:
        await running.until(lambda status: status["error"] is not None)
        assert running.publisher.status()["error"] == "the broker refuses: Not authorized (why?)"


async def test_a_server_that_never_answers_is_asked_in_3_1_1_too_and_then_anew(
    spool: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otgate.publish.session.CONNACK_LIMIT_S", 0.2)
    seen: list[int] = []

    async def is_silent(client: Client) -> None:
        seen.append(await client.version())
        await client.packet()

    async with server(is_silent) as url, publishing(spool, state, url) as running:
        await running.until(lambda status: status["attempts"] >= 2)
        assert running.publisher.status()["error"] == "no CONNACK within 0.2 s"
        assert running.publisher._dialects == {}
    assert seen[:4] == [V5, V311, V5, V311]
