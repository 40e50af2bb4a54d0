"""A line that garbles, cuts and stalls between our master and an independent outstation."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

import pytest

from dnp3_fuzz import OBJECTS
from dnp3_peers import HERE, Peer, peering
from dnp3_talks import Talk, talking
from otgate.errors import LinkLost
from otgate.testing.relay import Manner, relayed
from otgate_dnp3.channel.tcp import open_tcp
from otgate_dnp3.stack.points import PointType

ALL = frozenset({1, 2, 3})
STAMP = 1_700_000_000_000


class Garbling:
    """Carries octets to the outstation, and changes a share of what it says."""

    def __init__(self, target: int, seed: int) -> None:
        self.share = 0.3
        self._target = target
        self._chance = random.Random(seed)
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: list[asyncio.Future[None]] = []

    async def join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(HERE, self._target)
        self._writers += [writer, far_writer]
        ways = (self.forth(reader, far_writer), self.back(far_reader, writer))
        self._tasks += [asyncio.ensure_future(each) for each in ways]

    async def forth(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while octets := await reader.read(4096):
            writer.write(octets)

    async def back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while octets := await reader.read(4096):
            spoilt = self._chance.random() < self.share
            writer.write(OBJECTS.mutated(octets, self._chance) if spoilt else octets)

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.close()


@contextlib.asynccontextmanager
async def garbling(target: int, seed: int) -> AsyncIterator[tuple[int, Garbling]]:
    """Put such a line in front of an outstation; yields the port, and the line."""
    line = Garbling(target, seed)
    server = await asyncio.start_server(line.join, HERE, 0)
    try:
        yield server.sockets[0].getsockname()[1], line
    finally:
        server.close()
        await line.end()


@pytest.mark.parametrize("seed", range(3))
async def test_a_garbling_line_costs_time_and_no_event(seed: int) -> None:
    settings = {"response_timeout_s": 0.2, "retry_s": 0.05, "retry_most_s": 0.2}
    async with (
        peering(unsolicited_confirm_timeout=0.2) as made,
        garbling(made.server.port, seed) as (port, between),
        talking(line := await open_tcp(HERE, port), unsolicited=ALL, **settings) as talk,
    ):
        for at in range(100):
            made.changes(3, 1, STAMP + at)
            made.server.notify()
            await asyncio.sleep(0.005)
        between.share = 0.0
        await drained(talk, made)
        times = {time for c in talk.columns() if c.event for time in c.time_ms or ()}
        assert times == {STAMP + at for at in range(100)}
        assert line.reader.counts.bad_header + line.reader.counts.bad_block > 0


async def drained(talk: Talk, made: Peer) -> None:
    """Poll until the outstation holds no event any more."""
    async with asyncio.timeout(20):
        while made.events.total:
            with contextlib.suppress(TimeoutError):
                await talk.conversation.poll_classes({1, 2, 3})
            await asyncio.sleep(0.05)


async def test_a_line_that_falls_silent_is_noticed_by_the_keep_alive() -> None:
    settings = {"keepalive_s": 0.3, "response_timeout_s": 0.2}
    async with (
        peering() as made,
        relayed((HERE, made.server.port)) as relay,
        talking(await open_tcp(HERE, relay.port), **settings) as talk,
    ):
        relay.turns(Manner.SILENT)
        reason = await asyncio.wait_for(asyncio.shield(talk.conversation.gone), 10)
        assert reason == "the outstation's link is silent"


async def test_a_connection_that_is_reset_ends_a_poll_at_once() -> None:
    async with (
        peering() as made,
        relayed((HERE, made.server.port)) as relay,
        talking(await open_tcp(HERE, relay.port)) as talk,
    ):
        relay.turns(Manner.HOLDING)
        poll = asyncio.ensure_future(talk.conversation.poll_classes({1}))
        await asyncio.sleep(0.05)
        relay.cut()
        with pytest.raises(LinkLost):
            await asyncio.wait_for(poll, 5)


async def test_an_answer_that_came_too_late_is_not_the_next_ones() -> None:
    async with peering() as made, relayed((HERE, made.server.port)) as relay:
        line = await open_tcp(HERE, relay.port)
        async with talking(line, response_timeout_s=0.2) as talk:
            relay.turns(Manner.HOLDING)
            with pytest.raises(TimeoutError):
                await talk.conversation.poll_classes({0})
            before = len(talk.deliveries)
            relay.turns(Manner.FAITHFUL)
            await talk.until(lambda: talk.conversation.master.counts.unexpected)
            assert len(talk.deliveries) == before
            await talk.conversation.poll_classes({0})
            assert len(talk.values(PointType.BINARY_INPUT, event=False)) == 20
