"""Many gateways into one broker, which is killed: does everything arrive, do they storm it?

Run ``python tests/soak/fleet.py [--gateways 50] [--broker mosquitto|nats|rabbitmq]``. Each gateway
is a field side and a bus side as systemd starts them, with two devices. The broker is killed
and comes back; when each gateway is connected again is printed, with the most in any second.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.fleet_load import serving
from bench.fleet_site import Fleet, write_site
from brokers import NODELAY, Mosquitto
from daemons import Process, eventually, resident_mb, said
from other_brokers import Nats, OtherBroker, Rabbit
from publishing import Memory, subscriber

RESULTS = Path("build/soak-fleet.json")
LOOK_S = 0.05
Broker = Mosquitto | OtherBroker


@dataclass
class Gateway:
    """One field side and one bus side."""

    site: Path
    field: Process
    bus: Process

    def bus_said(self) -> dict[str, Any]:
        """Return what its bus side says of itself."""
        return said(self.site, "bus-analytics")


def broker_of(kind: str, folder: Path) -> Broker:
    """Return a broker that is not started yet."""
    if kind == "mosquitto":
        persistent = "persistence true", f"persistence_location {folder}/", "autosave_interval 1"
        return Mosquitto(folder, options=[*NODELAY, *persistent])
    return {"nats": Nats, "rabbitmq": Rabbit}[kind](folder)


@contextmanager
def gateways(folder: Path, count: int, devices: int, broker: int) -> Iterator[list[Gateway]]:
    """Start gateways one after another, each with a site of its own."""
    with ExitStack() as stack:
        found = []
        for number in range(count):
            site = folder / f"gw{number}"
            write_site(site, Fleet(2, 20), devices, broker)
            text = (site / "site.yaml").read_text()
            (site / "site.yaml").write_text(text.replace("gateway: gw1", f"gateway: gw{number}"))
            words = ["run", site, "--field", "--log", "json"]
            field = stack.enter_context(Process(site / "field.log", *words))
            side = ["bus", site / "bus" / "analytics.yaml", "--log", "json"]
            bus = stack.enter_context(Process(site / "bus.log", *side))
            found.append(Gateway(site, field, bus))
            print(f"\r{number + 1} of {count} gateways started", end="", flush=True)
        print()
        yield found


async def everybody(fleet: Sequence[Gateway], *, connected: bool, limit_s: float) -> list[float]:
    """Wait until each bus side says so; return when each was seen to, on the monotonic clock."""
    waiting, seen = list(fleet), []
    until_s = time.monotonic() + limit_s
    while waiting:
        for each in list(waiting):
            if bool(each.bus_said().get("connected")) is connected:
                waiting.remove(each)
                seen.append(time.monotonic())
        if time.monotonic() > until_s:
            raise SystemExit(f"{len(waiting)} of {len(fleet)} gateways are not connected")
        await asyncio.sleep(LOOK_S)
    return seen


@asynccontextmanager
async def running(options: argparse.Namespace) -> AsyncIterator[tuple[list[Gateway], Broker]]:
    """Run a broker, devices and gateways."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="otgate-fleet-")))
        broker = stack.enter_context(broker_of(options.broker, folder / "broker"))
        server = stack.enter_context(serving(folder, options.changed))
        fleet = stack.enter_context(gateways(folder, options.gateways, server.port, broker.port))
        await everybody(fleet, connected=True, limit_s=600)
        yield fleet, broker


def left(gateway: Gateway) -> bool:
    """Tell whether its bus side has something to send still."""
    told = gateway.bus_said()
    return bool(told["in_flight"]) or any(lane["unread_bytes"] for lane in told["lanes"].values())


async def delivered(fleet: Sequence[Gateway], memory: Memory) -> int:
    """Stop the field sides; return how many samples were published once nothing is left."""
    for each in fleet:
        await asyncio.to_thread(each.field.stop)
    await eventually(lambda: not any(map(left, fleet)), 600)
    await asyncio.sleep(2)
    return memory.audit.ledger.received


async def measured(options: argparse.Namespace) -> dict[str, Any]:
    """Kill the broker under a fleet; return what came of it."""
    async with running(options) as (fleet, broker):
        steady_mb = [resident_mb(one.field.pid, one.bus.pid) for one in fleet]
        async with subscriber(broker.url, session="otgate-soak-fleet", session_s=3600) as memory:
            await asyncio.sleep(options.seconds)
            broker.kill()
            await everybody(fleet, connected=False, limit_s=60)
            await asyncio.sleep(options.outage)
            broker.start()
            begun_s = time.monotonic()
            back = [at - begun_s for at in await everybody(fleet, connected=True, limit_s=180)]
            await asyncio.sleep(options.seconds)
            received = await delivered(fleet, memory)
            ledger = memory.audit.ledger
            return {
                "broker": options.broker,
                "gateways": len(fleet),
                "back_s_p50": round(statistics.median(back), 2),
                "back_s_last": round(max(back), 2),
                "most_back_within_a_second": max(Counter(map(int, back)).values()),
                "received": received,
                "lost": ledger.lost,
                "unseen": ledger.unseen,
                "out_of_order": sum(one.disorder for one in ledger.accounts.values()),
                "twice": sum(one.duplicates for one in ledger.accounts.values()),
                "mb_per_gateway": round(statistics.mean(steady_mb), 1),
            }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gateways", type=int, default=50)
    parser.add_argument("--broker", choices=["mosquitto", "nats", "rabbitmq"], default="mosquitto")
    parser.add_argument("--seconds", type=float, default=20, help="before and after the outage")
    parser.add_argument("--outage", type=float, default=20, help="seconds without a broker")
    parser.add_argument("--changed", type=float, default=100, help="percent of registers a second")
    found = asyncio.run(measured(parser.parse_args(arguments)))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))
    return int(bool(found["lost"] or found["out_of_order"]))


if __name__ == "__main__":
    sys.exit(main())
