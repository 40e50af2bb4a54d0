import asyncio

import pytest

from otgate.testing.relay import Manner, relayed
from otgate.testing.wire import Wire, answer, pattern, scripted
from tally import tally_server

pytestmark = pytest.mark.both_loops


async def ask(wire: Wire, request: str, count: int) -> bytes:
    """Send ``request`` on a connection of its own and return what comes, up to ``count`` bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
    try:
        writer.write(bytes.fromhex(request))
        return await asyncio.wait_for(reader.read(count), 2.0)
    finally:
        writer.close()


async def test_spelled_bytes_may_leave_some_open_and_repeat_the_request() -> None:
    assert pattern("0001 .. ff") == [0, 1, None, 255]
    assert answer("[0:2] 03 [2:3]", bytes.fromhex("aabbcc")) == bytes.fromhex("aabb03cc")


async def test_a_script_answers_what_it_expects() -> None:
    async with scripted() as wire:
        wire.expects("01 ..").replies("[1:2] 07")
        assert await ask(wire, "01 42", 2) == b"\x42\x07"
        assert wire.received == [b"\x01\x42"]
        assert wire.finished.is_set()


async def test_a_script_goes_on_over_the_next_connection() -> None:
    async with scripted() as wire:
        wire.expects("01").closes()
        wire.expects("02").replies("03")
        assert await ask(wire, "01", 1) == b""
        assert await ask(wire, "02", 1) == b"\x03"
        assert wire.connections == 2


async def test_a_reset_is_a_reset() -> None:
    async with scripted() as wire:
        wire.expects("01").resets()
        with pytest.raises(ConnectionResetError):
            await ask(wire, "01", 1)


async def test_requests_that_arrive_together_are_told_apart() -> None:
    async with scripted() as wire:
        wire.expects("01 02")
        wire.expects("03").replies("04")
        assert await ask(wire, "01 02 03", 1) == b"\x04"


async def test_what_nobody_asked_for_can_be_said() -> None:
    async with scripted() as wire:
        reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
        wire.expects("01").replies("02")
        writer.write(b"\x01")
        assert await reader.readexactly(1) == b"\x02"
        wire.says("ffff")
        assert await reader.readexactly(2) == b"\xff\xff"
        writer.close()


async def test_another_request_fails_the_test() -> None:
    with pytest.raises(AssertionError, match=r"expected 01 02\nreceived 01 03"):
        await played("01 02", "01 03")


async def played(expected: str, request: str) -> None:
    async with scripted() as wire:
        wire.expects(expected)
        await ask(wire, request, 1)


async def test_a_request_beyond_the_script_fails_the_test() -> None:
    with pytest.raises(AssertionError, match="beyond the script: 09 09"):
        async with scripted() as wire:
            assert await ask(wire, "09 09", 1) == b""


async def test_a_request_that_never_came_fails_the_test() -> None:
    with pytest.raises(AssertionError, match="never received: 05"):
        async with scripted() as wire:
            wire.expects("05")


async def test_a_relay_carries_both_ways_and_counts() -> None:
    async with tally_server({"a": "1"}) as place, relayed(place) as relay:
        reader, writer = await asyncio.open_connection(relay.host, relay.port)
        writer.write(b"1 read a\n")
        assert await reader.readline() == b"1 1\n"
        assert relay.sent == b"1 read a\n"
        assert (relay.connections, relay.open_connections) == (1, 1)
        writer.close()


async def test_a_relay_holds_answers_back_and_delivers_them_late() -> None:
    async with tally_server({"a": "1"}) as place, relayed(place) as relay:
        relay.turns(Manner.HOLDING)
        reader, writer = await asyncio.open_connection(relay.host, relay.port)
        writer.write(b"1 read a\n")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.readline(), 0.1)
        relay.turns(Manner.FAITHFUL)
        assert await asyncio.wait_for(reader.readline(), 2.0) == b"1 1\n"
        writer.close()
