"""`otgate lab`: start everything, watch it, and stop everything."""

import asyncio
import json
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.live import Live

from otgate.app.loop import run
from otgate.cli.command import FAILED, OK, USAGE
from otgate.cli.loading import loaded
from otgate.config.site import Site
from otgate.errors import Refused
from otgate.publish.settings import read_broker
from otgate.publish.subscribe import Source, subscribe
from otgate.together import cancelled
from otgate_sim.lab.board import Board
from otgate_sim.lab.broker import broker
from otgate_sim.lab.children import Child, Children
from otgate_sim.lab.ground import PREFIX, buses, conduit_of, copied, make_spool, point_at
from otgate_sim.lab.spools import count_spools
from otgate_sim.lab.subscriber import Subscriber
from otgate_sim.lab.tally import Tally, percentile
from otgate_sim.lab.verdicts import Verdicts

START_LIMIT_S = 20.0
DRAIN_LIMIT_S = 15.0
LOOK_S = 0.05
DEFAULT_S = 20.0
"""How long a lab with --json runs if nobody says."""


def execute(options: Namespace) -> int:
    """Run the verb."""
    if options.for_s is not None and options.for_s <= 0:
        print("otgate lab: --for takes seconds above 0", file=sys.stderr)
        return USAGE
    with tempfile.TemporaryDirectory(prefix=PREFIX) as directory:
        site_file = copied(options.site, Path(directory))
        site = loaded(site_file)
        if site is None:
            return FAILED
        lab = Lab(site, Path(directory), options)
        return run(lab.measured() if options.json else lab.shown())


@dataclass(slots=True)
class Lab:
    """One run of the lab."""

    site: Site
    directory: Path
    options: Namespace

    async def shown(self) -> int:
        """Show the table until the time is over, a process ends, or Ctrl-C."""
        board = Board(Verdicts(self.site))
        async with self.running(Subscriber(board)) as (children, _, note):
            board.note = note
            with Live(board, console=Console(), refresh_per_second=4, screen=False):
                await self.lasting(children)
        return OK

    async def measured(self) -> int:
        """Run for a while, let the bus drain, and print the comparison as a line of JSON."""
        verdicts = Verdicts(self.site)
        tally = Tally(verdicts.crosses, verdicts.holds)
        subscriber = Subscriber(tally)
        async with self.running(subscriber) as (children, field_side, note):
            print(f"broker: {note}", file=sys.stderr)
            await self.lasting(children)
            await children.stop(field_side)
            count_spools(tally, self.site.spool.directory, self.directory / "cursors")
            await drained(tally)
        result = tally.result({device.id: device.driver for device in self.site.devices})
        for line in remarks(tally, subscriber):
            print(line, file=sys.stderr)
        print(json.dumps(result), flush=True)
        return verdict(tally, subscriber)

    async def lasting(self, children: Children) -> None:
        """Let the lab run for its time.

        Raises:
            Refused: a process ended by itself.
        """
        for_s = self.options.for_s
        if for_s is None and self.options.json:
            for_s = DEFAULT_S
        try:
            async with asyncio.timeout(for_s):
                await children.watch()
        except TimeoutError:
            return

    @asynccontextmanager
    async def running(self, subscriber: Subscriber) -> AsyncIterator[tuple[Children, Child, str]]:
        """Run every process of the lab; yield them, the field side, and which broker it is."""
        async with Children(self.directory) as children:
            url, note = await self.broker(children)
            source = Source(read_broker(url)[0])
            listening = asyncio.ensure_future(subscribe(source, subscriber, clock=time.time_ns))
            try:
                await within(subscriber.is_connected.wait(), "the broker takes no subscription")
                endpoints, _ = await asyncio.gather(
                    self.simulated(children), self.bus_sides(children, url)
                )
                yield children, await self.field_side(children, endpoints), note
            finally:
                await cancelled([listening])

    async def broker(self, children: Children) -> tuple[str, str]:
        """Start a broker unless one is named; return its URL and what it is."""
        if self.options.broker is not None:
            return self.options.broker, self.options.broker
        url, kind = await broker(children)
        return url, f"{url} ({kind})"

    async def simulated(self, children: Children) -> Path:
        """Start the simulators and return the file that says where they listen."""
        endpoints = self.directory / "endpoints.json"
        seed = str(self.options.seed)
        child = await children.otgate(
            "simulator", "sim", str(self.site.path), "--map", str(endpoints), "--seed", seed
        )
        await within(appeared(endpoints, child), f"no simulator\n{child.last_words()}")
        return endpoints

    async def field_side(self, children: Children, endpoints: Path) -> Child:
        """Start the field side; return once it runs, so that the lab's time begins with it."""
        child = await children.otgate(
            "field side", "run", str(self.site.path), "--field", "--endpoints", str(endpoints)
        )
        answering = self.site.control_directory / "field.sock"
        await within(appeared(answering, child), f"no field side\n{child.last_words()}")
        return child

    async def bus_sides(self, children: Children, url: str) -> None:
        """Start one bus side per conduit, pointed at the lab's broker; return when all run."""
        await asyncio.gather(*(self.bus_side(children, bus, url) for bus in buses(self.site.path)))

    async def bus_side(self, children: Children, bus: Path, url: str) -> None:
        """Start one bus side and wait for its administration socket."""
        point_at(bus, url)
        conduit = conduit_of(bus)
        make_spool(self.site.spool.directory / conduit)
        child = await children.otgate(f"bus side {bus.stem}", "bus", str(bus))
        answering = self.site.control_directory / f"bus-{conduit}.sock"
        await within(appeared(answering, child), f"no bus side\n{child.last_words()}")


async def within(waiting: Awaitable[object], otherwise: str) -> None:
    """Await something that has to happen soon.

    Raises:
        Refused: it did not; ``otherwise`` says what that means.
    """
    try:
        async with asyncio.timeout(START_LIMIT_S):
            await waiting
    except TimeoutError:
        raise Refused(otherwise) from None


async def appeared(path: Path, child: Child) -> None:
    """Return once ``path`` exists.

    Raises:
        Refused: the process that should write it ended.
    """
    while not await asyncio.to_thread(path.exists):
        if child.process.returncode is not None:
            await child.ended()
        await asyncio.sleep(LOOK_S)


async def drained(tally: Tally) -> None:
    """Return once everything spooled has arrived, at the latest after `DRAIN_LIMIT_S`."""
    loop = asyncio.get_running_loop()
    limit = loop.time() + DRAIN_LIMIT_S
    while tally.lost() and loop.time() < limit:  # noqa: ASYNC110  the tally is a plain value
        await asyncio.sleep(LOOK_S)


def remarks(tally: Tally, subscriber: Subscriber) -> list[str]:
    """Return what a person should know beside the result."""
    said = [f"unreadable: {line}" for line in subscriber.unreadable[:10]]
    held_p50, held_p99 = (percentile(tally.held_ms, share) for share in (0.5, 0.99))
    if held_p50 is not None:
        said.append(f"held back by min_interval_s: age p50 {held_p50} ms, p99 {held_p99} ms")
    return said


def verdict(tally: Tally, subscriber: Subscriber) -> int:
    """Return the exit code: 1 on loss, a denied point, an unreadable message, or silence."""
    bad = tally.lost() or tally.denied or subscriber.unreadable or not tally.spooled
    return FAILED if bad else OK
