"""The supervisor over real sockets, with the guide's driver, a server and a faulty relay."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from otgate.model import Device
from otgate.supervisor import Pace, State
from otgate.testing.relay import Manner, Relay, relayed
from puppet import Running, running, until
from reported import LOST
from tally import Tally, TallyServer, tally, tally_device

pytestmark = pytest.mark.both_loops

PACE = Pace(first_s=0.05, least_s=0.01, most_s=0.2)


@dataclass
class Field:
    server: TallyServer
    relay: Relay
    run: Running

    def state(self, name: str) -> State:
        return self.run.status(name).state


@asynccontextmanager
async def field(*names: str) -> AsyncIterator[Field]:
    """Devices on one link, each with one point of its own name, read five times a second."""
    values = {name: str(at) for at, name in enumerate(names, 1)}
    async with tally(values) as (server, port), relayed(("127.0.0.1", port)) as relay:
        devices = [one(relay, name) for name in names]
        async with running(Tally(), devices, pace=PACE) as run:
            yield Field(server, relay, run)


def one(relay: Relay, name: str) -> Device:
    return tally_device(relay.host, relay.port, name=name, timeout_s=0.05, fast=[name])


async def test_a_cut_link_is_lost_and_read_again() -> None:
    async with field("a") as site:
        await until(lambda: site.state("a") is State.GOOD)
        await site.relay.stop()
        await until(lambda: site.state("a") is State.LOST)
        assert site.run.qualities("a")[-1] == [LOST]
        await site.relay.start()
        await until(lambda: site.state("a") is State.GOOD)
        assert site.run.qualities("a")[-1] == [0]


async def test_a_silent_device_is_lost_while_its_neighbours_miss_no_slot() -> None:
    async with field("a", "b", "c") as site:
        await until(lambda: all(site.state(name) is State.GOOD for name in "abc"))
        site.server.mute.add("b")
        await until(lambda: site.state("b") is State.LOST)
        before = {name: site.run.status(name) for name in "ac"}
        await asyncio.sleep(2.0)
        for name, then in before.items():
            assert site.run.status(name).overruns == then.overruns
            assert site.run.status(name).scans - then.scans >= 9
        site.server.mute.clear()
        await until(lambda: site.state("b") is State.GOOD)
    assert site.relay.connections == 1


@pytest.mark.parametrize("manner", [Manner.SILENT, Manner.GARBLED, Manner.CUTTING])
async def test_a_link_gone_bad_is_lost_and_comes_back_when_it_is_well(manner: Manner) -> None:
    async with field("a", "b") as site:
        await until(lambda: site.state("a") is State.GOOD)
        site.relay.turns(manner)
        await until(lambda: {site.state("a"), site.state("b")} == {State.LOST})
        site.relay.turns(Manner.FAITHFUL)
        await until(lambda: {site.state("a"), site.state("b")} == {State.GOOD})


async def test_an_unchanged_device_is_reported_once() -> None:
    async with field("a") as site:
        await until(lambda: site.run.status("a").scans >= 8)
        assert len(site.run.got.batches) == 1
        assert site.run.status("a").suppressed >= 7
        site.server.values["a"] = "99.5"
        await until(lambda: len(site.run.got.batches) == 2)
        assert site.run.got.batches[-1].values.tolist() == [99.5]
