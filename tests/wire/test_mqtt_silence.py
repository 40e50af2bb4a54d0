"""When a session gives a broker up that answers, but acknowledges nothing."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from mqtt_wires import CONNACK, puback
from otgate.publish.errors import BrokerLost
from otgate.publish.message import Message
from otgate.publish.packets import Version
from otgate.publish.session import Session
from otgate.publish.settings import Broker, BusSettings

LIMIT_S = 0.8
SETTINGS = BusSettings((Broker("localhost", 1883),), "c")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otgate.publish.session.SILENCE_LIMIT_S", LIMIT_S)


@asynccontextmanager
async def watched() -> AsyncIterator[tuple[Session, socket.socket, "asyncio.Task[None]"]]:
    """A session that is greeted and watched, and the broker's end of its socket."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.settimeout(0)
    session = Session(ours, Version.V5, SETTINGS, lambda *_: None)
    with theirs:
        theirs.send(CONNACK)
        await session.answered.wait()
        watching = asyncio.create_task(session.watch())
        await asyncio.sleep(0)
        yield session, theirs, watching
        session.close()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def lost(watching: "asyncio.Task[None]") -> str:
    with pytest.raises(BrokerLost) as found:
        await asyncio.wait_for(watching, 20)
    return str(found.value)


async def test_a_broker_that_acknowledges_nothing_is_given_up() -> None:
    async with watched() as (session, _, watching):
        await session.send(Message("t", b"x"))
        assert (await lost(watching)).startswith("no PUBACK for ")


async def test_its_time_runs_from_the_message_and_not_from_the_last_look() -> None:
    loop = asyncio.get_running_loop()
    async with watched() as (session, _, watching):
        await asyncio.sleep(LIMIT_S * 0.6)
        sent_s = loop.time()
        await session.send(Message("t", b"x"))
        await lost(watching)
        assert loop.time() - sent_s > LIMIT_S - 0.01


async def test_a_session_that_has_nothing_to_say_is_not_given_up() -> None:
    async with watched() as (_, _, watching):
        done, _ = await asyncio.wait([watching], timeout=1.5 * LIMIT_S)
        assert not done


async def test_one_acknowledgement_in_time_is_enough_for_all_that_wait() -> None:
    async with watched() as (session, theirs, watching):
        for number in range(1, 7):
            await session.send(Message("t", b"x"))
            await asyncio.sleep(LIMIT_S / 4)
            theirs.send(puback(number))
            assert not watching.done()
        assert len(session.window) <= 1
