"""What other ways from Modbus to MQTT cost, on the load of `fleet_bench.py`, in one run.

Run ``python tests/bench/peers/compare.py [--devices 50] [--only NAME …]``. Each peer lives in an
environment of its own under `build/peers`. One server and one broker serve all, one after the
other. A peer that does not carry the load is also given smaller ones, until it carries one.
"""

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.fleet_load import Server, go_ahead, serving
from bench.fleet_site import Fleet
from bench.peers.environment import Missing
from bench.peers.kinds import PEERS, Installed, Load, Peer
from bench.peers.processes import Family, started
from bench.results import meta, read, record, results_file
from bench.subscriber import subscribed
from brokers import NODELAY, Mosquitto
from daemons import wait_until

CARRIED = 0.95
"""A peer carries a load where it delivers this share of the points."""
SMALLER = 50, 10, 1


@dataclass
class Tally:
    """Counts the points of a peer."""

    peer: Peer
    points: int = 0
    messages: int = 0

    def take(self, _topic: bytes, payload: bytes, _at_ns: int) -> None:
        """Book one message."""
        self.points += self.peer.points(payload)
        self.messages += 1


@dataclass(frozen=True, slots=True)
class Spent:
    """Where everything stands at a moment."""

    at_s: float
    cpu_s: float
    points: int
    messages: int
    scanned: int


def spent(family: Family, tally: Tally, server: Server) -> Spent:
    """Return where everything stands."""
    cpu_s, scanned = family.cpu_s(), server.counts().registers
    return Spent(time.monotonic(), cpu_s, tally.points, tally.messages, scanned)


def figures(before: Spent, after: Spent, fleet: Fleet, memory_mb: float) -> dict[str, float]:
    """Return what a peer did and spent between two moments."""
    seconds = after.at_s - before.at_s
    cpu_s, points = after.cpu_s - before.cpu_s, after.points - before.points
    scanned = after.scanned - before.scanned
    return {
        "points_per_s": points / seconds,
        "carried": points / seconds / (fleet.devices * fleet.registers),
        "delivered_of_read": points / max(scanned, 1),
        "points_per_message": points / max(after.messages - before.messages, 1),
        "cpu_s_per_million_points": cpu_s / max(points, 1) * 1e6,
        "core_share": cpu_s / seconds,
        "pss_mb": memory_mb,
        "load": round(os.getloadavg()[0], 1),
    }


def measured(
    peer: Peer, installed: Installed, fleet: Fleet, options: argparse.Namespace
) -> dict[str, float]:
    """Let a peer carry a load; return its figures."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="otgate-peers-")))
        server = stack.enter_context(serving(folder, 100))
        broker = stack.enter_context(Mosquitto(folder / "broker", options=NODELAY))
        stack.enter_context(peer.beside(broker.port))
        tally = Tally(peer)
        stack.enter_context(subscribed(broker.port, peer.topics, tally.take))
        home = folder / "home"
        home.mkdir()
        command = installed.start(Load(fleet, server.port, broker.port, home))
        log = folder / "log"
        family = stack.enter_context(started(command, log))
        wait_until(lambda: tally.points, log, limit_s=60)
        if options.ahead:
            go_ahead(os.getpid(), *family.pids())
        time.sleep(options.warm_up)
        before = spent(family, tally, server)
        time.sleep(options.seconds)
        after = spent(family, tally, server)
        return figures(before, after, fleet, family.memory_mb())


def runs(
    peer: Peer, installed: Installed, options: argparse.Namespace
) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield the figures of the load asked, and of smaller ones until the peer carries one."""
    smaller = (devices for devices in SMALLER if devices < options.devices)
    for devices in (options.devices, *smaller):
        fleet = Fleet(devices, options.registers)
        found = measured(peer, installed, fleet, options)
        yield f"{devices}x{options.registers}", found
        if found["carried"] >= CARRIED:
            return


COLUMNS = (
    ("points/s", "points_per_s", ".0f"),
    ("carried", "carried", ".0%"),
    ("of read", "delivered_of_read", ".0%"),
    ("pts/msg", "points_per_message", ".0f"),
    ("CPU s/M pts", "cpu_s_per_million_points", ".2f"),
    ("core", "core_share", ".1%"),
    ("PSS MB", "pss_mb", ".0f"),
)
HEADING = f"{'peer':<32}{'load':>10}" + "".join(f"{name:>13}" for name, _, _ in COLUMNS)


def row(name: str, load: str, found: Mapping[str, float]) -> str:
    """Return one run as a line."""
    return f"{name:<32}{load:>10}" + "".join(f"{found[key]:>13{form}}" for _, key, form in COLUMNS)


def compared(peer: Peer, options: argparse.Namespace) -> dict[str, Any]:
    """Install, run and print one peer; return what was found."""
    try:
        installed = peer.install()
    except Missing as missing:
        print(f"{peer.name:<32}  left out: {missing}", flush=True)
        return {"left_out": str(missing)}
    loads: dict[str, dict[str, float]] = {}
    try:
        for load, found in runs(peer, installed, options):
            loads[load] = found
            print(row(peer.name, load, found), flush=True)
    except AssertionError as silent:
        print(f"{peer.name:<32}  delivered nothing: {str(silent)[-600:]}", flush=True)
    return {"version": installed.version, "how": peer.how, "loads": loads}


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare all peers, or those asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=50)
    parser.add_argument("--registers", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument(
        "--warm-up", type=float, default=45, help="otgate proves pipelining in 40 polls"
    )
    parser.add_argument(
        "--ahead", action="store_true", help="go before other work of this machine, as root"
    )
    parser.add_argument("--only", nargs="+", help="peers by name", default=[])
    options = parser.parse_args(arguments)
    chosen = [peer for peer in PEERS if not options.only or peer.name in options.only]
    print(" · ".join(f"{name} {value}" for name, value in meta().items()), HEADING, sep="\n")
    found = {peer.name: compared(peer, options) for peer in chosen}
    for name, told in found.items():
        print(f"{name}: {told.get('version', 'left out')}; {told.get('how', told.get('left_out'))}")
    record("peers", {**read(results_file()).get("peers", {}), **found})


if __name__ == "__main__":
    main()
