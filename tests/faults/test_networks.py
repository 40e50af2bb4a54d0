"""Both sides on networks that delay, lose, double and swap frames, or carry one way alone."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from brokers import NODELAY, Mosquitto
from daemons import Process, eventually, said, wait_until, write_site
from namespaces import ip
from publishing import Memory, subscriber
from rough_network import DARK, ROUGH, Network, rough_network

pytestmark = [pytest.mark.lab, pytest.mark.slow]

RELAY = Path(__file__).parents[1] / "plant_relay.py"


@dataclass
class Station:
    """A gateway between two networks, with what is at their other ends."""

    site: Path
    network: Network
    memory: Memory
    gateway: Process
    ports: list[int]
    relay: subprocess.Popen[bytes] = field(init=False)

    def plug_in(self) -> None:
        """Let the devices answer on their network."""
        command = [sys.executable, str(RELAY), self.network.device, *map(str, self.ports)]
        self.relay = subprocess.Popen([*self.network.inside(self.network.plant), *command])

    def unplug(self) -> None:
        """Let them forget every connection."""
        self.relay.kill()
        self.relay.wait()

    def device(self, name: str = "f1") -> dict[str, Any]:
        found: dict[str, Any] = said(self.site, "field").get("devices", {}).get(name, {})
        return found

    def bus(self) -> dict[str, Any]:
        return said(self.site, "bus-analytics")

    async def good(self, limit_s: float = 40.0) -> None:
        """Return once both devices are read."""
        await eventually(
            lambda: {self.device(name).get("state") for name in ("f1", "f2")} == {"good"}, limit_s
        )

    async def heard(self, samples: int, limit_s: float = 40.0) -> None:
        """Return once so many more samples arrived."""
        wanted = self.memory.audit.ledger.received + samples
        await self.memory.until(lambda: self.memory.audit.ledger.received >= wanted, limit_s)

    async def all_delivered(self) -> None:
        """Stop, and hold that everything that was spooled has arrived, in order."""
        await self.heard(20)
        assert await asyncio.to_thread(self.gateway.stop) == 0
        ledger = self.memory.audit.ledger
        await eventually(lambda: not ledger.lost)
        assert ledger.unseen == 0
        assert not self.memory.audit.unreadable
        assert {account.disorder for account in ledger.accounts.values()} == {0}


def marked(memory: Memory) -> bool:
    """Tell whether the newest word of a point of f1 is that it is not good."""
    words = [
        one.q
        for told in memory.samples
        if told.device == "f1"
        for one in told.points
        if one.id == "ia"
    ]
    return words[-1] != ("good",)


@contextmanager
def plant(site: Path, network: Network) -> Iterator[Path]:
    """Simulate the devices on the plant's loopback; yield where they answer for the gateway."""
    inside, told = site / "inside.json", site / "endpoints.json"
    log = site / "sim.log"
    prefix = network.inside(network.plant)
    with Process(log, "sim", site, "--map", inside, "--control", site / "sim.sock", prefix=prefix):
        wait_until(inside.exists, log)
        told.write_text(inside.read_text().replace("127.0.0.1", network.device))
        yield told


@asynccontextmanager
async def station(folder: Path) -> AsyncIterator[Station]:
    """A gateway at work."""
    with ExitStack() as stack:
        network = stack.enter_context(rough_network())
        broker = stack.enter_context(
            Mosquitto(folder / "broker", host=network.broker, options=NODELAY)
        )
        site = write_site(folder / "site", broker.port)
        bus = site / "bus" / "analytics.yaml"
        bus.write_text(bus.read_text().replace("127.0.0.1", network.broker))
        endpoints = stack.enter_context(plant(site, network))
        ports = sorted({int(port) for port in re.findall(r":(\d+)", endpoints.read_text())})
        assert json.loads(endpoints.read_text())
        words = ["run", site, "--endpoints", endpoints, "--log", "json"]
        async with AsyncExitStack() as later, subscriber(broker.url) as memory:
            prefix = network.inside(network.gateway)
            gateway = later.enter_context(Process(site / "run.log", *words, prefix=prefix))
            made = Station(site, network, memory, gateway, ports)
            made.plug_in()
            later.callback(made.unplug)
            await made.good()
            await made.heard(20)
            yield made


async def test_a_rough_network_costs_time_and_no_sample(tmp_path: Path) -> None:
    async with station(tmp_path) as here:
        here.network.ot.carries(ROUGH, ROUGH)
        here.network.it.carries(ROUGH, ROUGH)
        await here.heard(150, 90)
        for each in (here.network.ot, here.network.it):
            counts = each.carries()
            assert all(
                way["lost"] and way["doubled"] and way["overtaken"] for way in counts.values()
            )
        await here.good()
        await here.all_delivered()


@pytest.mark.parametrize("direction", ["to_far", "to_near"])
async def test_a_device_that_only_one_way_reaches_is_lost_and_comes_back(
    tmp_path: Path, direction: str
) -> None:
    async with station(tmp_path) as here:
        here.network.ot.carries(**{direction: DARK})
        await eventually(lambda: here.device()["state"] == "lost", 15)
        await eventually(lambda: marked(here.memory), 15)
        here.network.ot.carries()
        await here.good()
        await here.all_delivered()


async def test_a_device_that_forgot_us_in_the_dark_is_asked_anew(tmp_path: Path) -> None:
    async with station(tmp_path) as here:
        here.network.ot.carries(DARK, DARK)
        here.unplug()
        await eventually(lambda: here.device()["state"] == "lost", 15)
        here.plug_in()
        here.network.ot.carries()
        await here.good()
        await here.all_delivered()


@pytest.mark.parametrize("net", ["ot", "it"])
async def test_a_new_address_of_ours_costs_connections_and_no_sample(
    tmp_path: Path, net: str
) -> None:
    async with station(tmp_path) as here:
        before = here.bus()["connections"]
        where = ["-n", here.network.gateway, "addr"]
        new, old = (f"{here.network.address(net, host)}/24" for host in (9, 1))
        ip(*where, "del", old, "dev", f"{net}0")  # first: with it go all of its network
        ip(*where, "add", new, "dev", f"{net}0")
        if net == "ot":
            await eventually(lambda: here.device()["state"] == "lost", 30)
        else:
            await eventually(lambda: here.bus()["connections"] > before, 40)
        await here.good()
        await here.all_delivered()


async def test_a_path_that_swallows_large_replies_is_a_lost_device(tmp_path: Path) -> None:
    async with station(tmp_path) as here:
        here.network.ot.carries(to_near={"largest": 80})
        await eventually(lambda: here.device()["state"] == "lost", 15)
        assert here.network.ot.carries()["to_near"]["too_large"]
        await here.good()
        await here.all_delivered()


async def test_a_path_that_swallows_large_messages_is_a_lost_broker(tmp_path: Path) -> None:
    async with station(tmp_path) as here:
        here.network.it.carries(to_far={"largest": 200})
        await eventually(lambda: not here.bus()["connected"], 20)
        assert here.network.it.carries()["to_far"]["too_large"]
        await here.all_delivered()


async def test_a_smaller_mtu_carries_everything(tmp_path: Path) -> None:
    async with station(tmp_path) as here:
        for name in ("ot0", "it0"):
            ip("-n", here.network.gateway, "link", "set", name, "mtu", "576")
        here.network.it.carries({"largest": 576}, {"largest": 1500})
        await here.heard(200)
        await here.all_delivered()
