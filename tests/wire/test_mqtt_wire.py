"""The bus side's end of a connection: what leaves when, what is heard, and how it ends."""

import asyncio
import random
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from mqtt_wires import CONNACK, WILL, Told, puback, publish, spelled, until
from otgate.publish.dial import dial
from otgate.publish.errors import BrokerClosed, NotMqtt
from otgate.publish.packets import PINGREQ, Hello, Version
from otgate.publish.settings import Broker
from otgate.publish.wire import Wire

FUZZED = 400


@asynccontextmanager
async def pair(
    kind: socket.SocketKind = socket.SOCK_STREAM,
) -> AsyncIterator[tuple[Wire, socket.socket, Told]]:
    """A wire and the other end of its socket."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    for end in (ours, theirs):
        end.settimeout(0)
    told = Told()
    wire = Wire(ours, Version.V5, told)
    with theirs:
        yield wire, theirs, told
        wire.abort()


async def test_what_is_published_in_one_turn_leaves_in_one_write() -> None:
    async with pair(socket.SOCK_SEQPACKET) as (wire, theirs, _):  # which keeps writes apart
        for turn in range(3):
            for number in range(1, 4):
                publish(wire, number)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert theirs.recv(1000) == b"".join(
                b"\x32\x07\0\1t" + number.to_bytes(2) + b"\0x" for number in range(1, 4)
            ), turn


async def test_what_the_network_does_not_take_waits_and_leaves_in_order() -> None:
    size, count = 20_000, 100
    async with pair() as (wire, theirs, told):
        for number in range(1, count + 1):
            publish(wire, number, bytes(size))
        await asyncio.sleep(0.02)
        assert wire._out
        came = b""
        expected = b"".join(spelled(number, size) for number in range(1, count + 1))
        while len(came) < len(expected):
            came += await asyncio.get_running_loop().sock_recv(theirs, 1 << 16)
        assert came == expected
        assert (bytes(wire._out), told.ends) == (b"", [])


async def test_a_message_of_qos_0_is_settled_once_the_network_has_it() -> None:
    async with pair() as (wire, theirs, told):
        publish(wire, 1, qos=0)
        assert told.acknowledged_ == []
        await until(lambda: told.acknowledged_ == [(1, 0)])
        for number in range(2, 200):
            publish(wire, number, bytes(20_000), qos=0)
        assert 0 < len(told.acknowledged_) < 150
        came = 0
        while len(told.acknowledged_) < 199:
            came += len(await asyncio.get_running_loop().sock_recv(theirs, 1 << 16))
            assert came > 1_000_000 or len(told.acknowledged_) < 150
        assert [number for number, _ in told.acknowledged_] == list(range(1, 200))


async def test_messages_that_nobody_asked_for_are_answered_counted_and_gone() -> None:
    async with pair(socket.SOCK_SEQPACKET) as (wire, theirs, told):
        for octets, answer in (
            ("33 06 00 01 61 00 07 78", "40 02 00 07"),
            ("34 06 00 01 61 00 08 78", "50 02 00 08"),
            ("62 02 00 08", "70 02 00 08"),
        ):
            theirs.send(CONNACK * (not told.connacks) + bytes.fromhex(octets))
            assert await asyncio.get_running_loop().sock_recv(theirs, 100) == bytes.fromhex(answer)
        publish(wire, 1)
        theirs.send(bytes.fromhex("30 04 00 01 61 78") + puback(1))
        await until(lambda: told.acknowledged_ == [(1, 0)])
        assert (told.unasked_count, told.ends) == (3, [])


async def test_a_broker_that_floods_and_reads_nothing_makes_us_hold_nothing() -> None:
    async with pair() as (wire, theirs, told):
        theirs.send(CONNACK)
        message = bytes.fromhex("32 06 00 01 61 00 07 78")
        while not wire._waits_for_room:
            publish(wire, 1, bytes(20_000))
            await asyncio.sleep(0)
        held = len(wire._out)
        for turn in range(50):
            await asyncio.get_running_loop().sock_sendall(theirs, message * 100)
            await until(lambda turn=turn: told.unasked_count == 100 * (turn + 1))
        assert len(wire._out) <= held


async def test_answers_that_came_before_a_reset_are_heard() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        ours = await dial(Broker("127.0.0.1", port), None)
        theirs, _ = listening.accept()
    told = Told()
    wire = Wire(ours, Version.V5, told)
    theirs.sendall(CONNACK + puback(1) + puback(2))
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    theirs.close()  # with a reset
    publish(wire, 3)  # which finds out, before anything is read
    await until(lambda: told.ends)
    assert told.acknowledged_ == [(1, 0), (2, 0)]
    assert isinstance(told.ends[0], BrokerClosed)
    assert wire.closed


@pytest.mark.parametrize("answering", [True, False], ids=["answers", "silent"])
async def test_a_silent_broker_is_asked_and_given_up_when_it_does_not_answer(
    answering: bool,  # noqa: FBT001
) -> None:
    loop = asyncio.get_running_loop()
    async with pair(socket.SOCK_SEQPACKET) as (wire, theirs, told):
        wire.greet(Hello(Version.V5, "c", 1, WILL))
        await loop.sock_recv(theirs, 100)
        begun_s = loop.time()
        theirs.send(CONNACK)
        assert await loop.sock_recv(theirs, 100) == PINGREQ
        assert loop.time() - begun_s > 0.7
        if answering:
            for _ in range(2):
                theirs.send(bytes.fromhex("D0 00"))
                assert await loop.sock_recv(theirs, 100) == PINGREQ
            assert told.ends == []
        else:
            await until(lambda: told.ends)
            assert str(told.ends[0]) == "the broker does not answer"


async def test_nobody_is_asked_before_the_connack() -> None:
    async with pair(socket.SOCK_SEQPACKET) as (wire, theirs, told):
        wire.greet(Hello(Version.V5, "c", 1, WILL))
        await asyncio.get_running_loop().sock_recv(theirs, 100)
        await asyncio.sleep(1.5)
        with pytest.raises(BlockingIOError):
            theirs.recv(100)
        assert told.ends == []


async def test_a_server_keep_alive_that_is_shorter_is_kept() -> None:
    loop = asyncio.get_running_loop()
    async with pair(socket.SOCK_SEQPACKET) as (wire, theirs, _):
        wire.greet(Hello(Version.V5, "c", 600, WILL))
        await loop.sock_recv(theirs, 100)
        theirs.send(bytes.fromhex("20 06 00 00 03 13 00 01"))  # §3.2.2.3.14
        async with asyncio.timeout(10):
            assert await loop.sock_recv(theirs, 100) == PINGREQ


async def test_a_broker_that_is_heard_all_the_time_is_not_asked() -> None:
    loop = asyncio.get_running_loop()
    async with pair(socket.SOCK_SEQPACKET) as (wire, theirs, told):
        wire.greet(Hello(Version.V5, "c", 1, WILL))
        await loop.sock_recv(theirs, 100)
        theirs.send(CONNACK)
        begun_s = loop.time()
        while loop.time() - begun_s < 1.8:
            publish(wire, 1)
            assert await loop.sock_recv(theirs, 100) != PINGREQ
            theirs.send(puback(1))
            await asyncio.sleep(0.1)
        assert told.ends == []


async def test_garbage_is_answered_with_a_disconnect_and_ends_the_connection() -> None:
    async with pair() as (_, theirs, told):
        theirs.send(CONNACK + puback(1) + b"\xff")
        await until(lambda: told.ends)
        assert told.acknowledged_ == [(1, 0)]
        assert isinstance(told.ends[0], NotMqtt)
        assert theirs.recv(10) == bytes.fromhex("E0 01 81")  # §4.13.1, malformed packet


async def test_nothing_is_told_and_nothing_leaves_after_an_abort() -> None:
    async with pair() as (wire, theirs, told):
        publish(wire, 1)
        wire.abort()
        publish(wire, 2, bytes(100_000))
        wire.disconnect()
        wire.abort()
        await asyncio.sleep(0.01)
        assert theirs.recv(10) == b""
        assert (told, bytes(wire._out)) == (Told(), b"")


def babble(rng: random.Random) -> Iterator[bytes]:
    """What a broker might say if it was broken: pieces of sense, bits flipped, noise."""
    sense = [puback(1), b"\x40\x03\x00\x02\x87", b"\xd0\x00", b"\xe0\x01\x97", CONNACK]
    for _ in range(rng.randrange(1, 6)):
        said = bytearray(b"".join(rng.choices(sense, k=rng.randrange(1, 20))))
        if rng.random() < 0.7:
            said[rng.randrange(len(said))] ^= 1 << rng.randrange(8)
        yield rng.randbytes(rng.randrange(1, 200)) if rng.random() < 0.2 else bytes(said)


async def test_whatever_a_broker_says_ends_in_one_condition_or_in_none() -> None:
    rng = random.Random(7)
    wrong: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: wrong.append(context))
    kinds: set[type] = set()
    for _ in range(FUZZED):
        async with pair() as (wire, theirs, told):
            wire.greet(Hello(Version.V5, "c", 60, WILL))
            if rng.random() < 0.8:
                theirs.send(CONNACK)
            for said in babble(rng):
                publish(wire, 1)
                if told.ends:
                    break
                theirs.send(said)
                await asyncio.sleep(0)
            theirs.shutdown(socket.SHUT_WR)
            await until(lambda told=told: told.ends)
            assert len(told.ends) == 1
            kinds.add(type(told.ends[0]))
    assert wrong == []
    assert kinds == {NotMqtt, BrokerClosed}
