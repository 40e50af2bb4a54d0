"""A whole site in one loop: devices, field side, spool, bus side and broker, judged at the end.

The sides are the product's own, from the driver's first byte to the last of MQTT. What stands
where the outside world was is listed in `World._staged`, and nowhere else.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter
from random import Random
from typing import Any

import structlog

from otgate.app import bus as bus_module
from otgate.app import egress as egress_module
from otgate.app import field as field_module
from otgate.app.auditing import Recorder
from otgate.app.parent import FIRST_PAUSE_S, LONGEST_PAUSE_S, STABLE_S
from otgate.endpoint import tcp as tcp_module
from otgate.model import Lane
from otgate.observe.audit.anchor import Shown
from otgate.observe.audit.hearing import Hearing
from otgate.observe.clock import ClockWatch
from otgate.observe.notify import Notifier
from otgate.publish import session as session_module
from otgate.publish import wire as wire_module
from otgate.publish.publisher import Publisher
from otgate.spool import reader as reader_module
from otgate.spool import reserve as reserve_module
from otgate.spool import tally as tally_module
from otgate.spool.reader import SpoolReader
from otgate.supervisor import Supervisor
from otgate.together import cancelled
from otgate_modbus.modbus import Modbus
from simulation.befalling import Befalling
from simulation.broker import Broker
from simulation.devices import Server, device
from simulation.faults import Fault, drawn
from simulation.history import History
from simulation.judge import UNIX_NS, Judge
from simulation.machine import WRITEBACK_S, Machine
from simulation.network import Line, Network
from simulation.processes import Process, current, killed
from simulation.site import DENIED, REFUSED, Written, varied
from simulation.spooling import Driven, Watch
from simulation.virtual_loop import START_S, VirtualLoop

BROKER, GATEWAY_LINE, METER_LINE = 1883, 502, 503
USER_TIMEOUT_S = 10.0
"""As `otgate.endpoint.tcp` sets it."""
KERNEL_TIMEOUT_S = 900.0
"""Until Linux gives up what is not acknowledged: tcp(7), tcp_retries2."""
CAPS = {"tasks": 80, "timers": 200, "ends": 16, "disk MB": 4}
"""What a running site never needs more of."""


@dataclass
class Side:
    """A side that is started again whenever it ends."""

    name: str
    process: Process = field(default_factory=lambda: Process("none"))
    task: "asyncio.Task[str] | None" = None
    lives: int = 0


class World:
    """One simulation. ``seconds`` is how long it lasts on its own clock."""

    def __init__(
        self,
        written: Written,
        seed: int,
        seconds: float,
        faults: Iterable[Fault] | None = None,
    ) -> None:
        self.written = written
        self.seed = seed
        self.seconds = seconds
        self.loop = VirtualLoop()
        self.history = History(self.loop.time)
        self.machine = Machine()
        self.field, self.bus = Side("field"), Side("bus")
        rng = self.rng("lines")
        self.delays = [rng.uniform(0.001, 0.1), rng.uniform(0.001, 0.1), rng.uniform(0.001, 0.3)]
        """Of the two lines to devices, and the one to the broker, in seconds."""
        self.only_311 = rng.random() < 0.3
        self.receive_maximum = rng.choice((0, 2, 10))
        self.bus_file = varied(written.bus, self.rng("bus"))
        self.publisher: Any = None
        self.supervisor: Any = None
        given = drawn(self.rng("faults"), seconds) if faults is None else faults
        self.befalling = Befalling(self, given)

    def run(self) -> "World":
        """Run to the end, and judge."""
        with self._staged(), asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.run(self._run())
        return self

    # The parts, and what stands where the outside world was.

    def rng(self, purpose: str) -> Random:
        return Random(f"{self.seed}/{purpose}")

    def now_ns(self) -> int:
        return UNIX_NS + int((self.loop.now_s - START_S) * 1e9)

    def steady_ns(self) -> int:
        return int(self.loop.now_s * 1e9)

    @contextmanager
    def _staged(self) -> Iterator[None]:
        """Replace the outside world: clocks, threads, sockets, files, chance. All of it is here."""
        now_s = self.loop.time
        monotonic = [
            (time, "monotonic"),
            (reserve_module, "monotonic"),
            (tally_module, "monotonic"),
        ]
        Driven.machine = Watch.machine = self.machine
        Watch.all = set()
        with ExitStack() as stack:
            for module, name, value in [
                *((module, name, now_s) for module, name in monotonic),
                (time, "time_ns", self.now_ns),
                (egress_module, "SpoolWriter", Driven),
                (reader_module, "Watch", Watch),
                (field_module, "Supervisor", self._supervisor),
                (field_module, "ClockWatch", partial(ClockWatch, self.now_ns, self.steady_ns)),
                (field_module, "settle", lambda: None),
                (field_module, "trimming", forever),
                (bus_module, "Publisher", self._publisher),
                (tcp_module, "connected", self._connected),
                (session_module, "dial", self._dial),
                (wire_module, "unsent_bytes", attrgetter("unsent_bytes")),
            ]:
                stack.callback(setattr, module, name, getattr(module, name))
                setattr(module, name, value)
            before = structlog.get_config()
            stack.callback(lambda: structlog.configure(**before))
            structlog.configure(processors=[self._log], cache_logger_on_first_use=False)
            stack.enter_context(self.machine.in_charge())
            yield

    def _log(self, logger: object, level: str, event: dict[str, Any]) -> Any:
        del logger
        told = " ".join(f"{key}={value}" for key, value in event.items() if key != "event")
        self.history.note(f"{level} {event['event']} {told}".replace(self._folder, ""))
        raise structlog.DropEvent

    @property
    def _folder(self) -> str:
        return str(self.written.site.path.parent)

    def _supervisor(self, *given: Any, **named: Any) -> Supervisor:
        rng = self.rng(f"supervisor {self.field.lives}")
        self.supervisor = Supervisor(*given, rng=rng, **named)
        return self.supervisor

    def _publisher(self, *given: Any, **named: Any) -> Publisher:
        rng = self.rng(f"publisher {self.bus.lives}")
        self.publisher = Publisher(*given, rng=rng, **named)
        return self.publisher

    async def _connected(self, host: str, port: int, via: object = None) -> Any:
        del host, via
        return await self.network.connected(port)

    async def _dial(self, broker: Any, *rest: object) -> Any:
        del rest
        try:
            async with asyncio.timeout(5):
                return await self.network.connected(broker.port)
        except TimeoutError:
            raise session_module.BrokerLost("no answer") from None
        except OSError as error:
            raise session_module.BrokerLost(str(error)) from error

    def _build(self) -> None:
        current.set(Process("world"))
        devices = [device(number, self.loop.time) for number in range(3)]
        for one in devices:
            one.trouble.rng = self.rng(f"trouble {one.unit.device}")
        self.devices = devices
        registers = {one.unit.device: one.unit for one in devices}
        self.judge = Judge(self.history, registers, DENIED)
        Driven.witness = self.judge
        self.broker = Broker(self.judge.arrived, self.judge.heard, self.judge.overrun)
        self.broker.only_311 = self.only_311
        self.broker.receive_maximum = self.receive_maximum
        standing: tuple[list[Server], list[Server]] = ([], [])
        gateway = partial(Server, {1: devices[0], 2: devices[1]}, standing[0])
        meter = partial(Server, {1: devices[2]}, standing[1])
        field_s, meter_s, bus_s = self.delays
        self.lines = [
            Line("gateway", gateway, field_s, USER_TIMEOUT_S),
            Line("meter", meter, meter_s, USER_TIMEOUT_S),
        ]
        self.bus_line = Line("broker", self.broker.serve, bus_s, KERNEL_TIMEOUT_S)
        self.network = Network()
        self.broker.line = self.bus_line
        self.network.lines = {
            GATEWAY_LINE: self.lines[0],
            METER_LINE: self.lines[1],
            BROKER: self.bus_line,
        }
        self.machine.disk.news = self._news

    def _news(self) -> None:
        for watch in list(Watch.all):
            watch.tell()

    # The sides.

    async def _field(self) -> None:
        mute: Any = Mute()
        recorder = Recorder(mute, Hearing(mute), Shown())
        door = field_module.Door(mute, mute, Notifier({}), "", recorder)
        drivers = {"modbus": Modbus(self.now_ns)}
        await field_module.confined_side(self.written.site, drivers, door, None)

    async def _bus(self) -> None:
        bus = self.bus_file
        opened = SpoolReader.open(
            bus.spool, bus.state, clock_s=self.loop.time, replay_s=bus.replay_s
        )
        with closing(opened) as reader:
            await bus_module.publisher_of(bus, reader).run()

    async def _kept(self, side: Side, main: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Start a side again and again, as its parent does."""
        pause_s = FIRST_PAUSE_S
        while True:
            await self.power.wait()
            side.lives += 1
            began_s = self.loop.time()
            side.process = Process(side.name)
            side.task = asyncio.ensure_future(side.process.run(main))
            await asyncio.wait({side.task})
            how = "stopped" if side.task.cancelled() else side.task.result()
            self.judge.ended(side.process, sick=self.machine.disk.is_sick)
            self.history.note(f"{side.name} ended: {how}".replace(self._folder, ""))
            if not how.startswith(("stopped", "SpoolUnusable")):
                self.history.violate("every outage ends", f"the {side.name} side ended: {how}")
            if self.loop.time() - began_s >= STABLE_S:
                pause_s = FIRST_PAUSE_S
            await asyncio.sleep(pause_s)
            pause_s = min(LONGEST_PAUSE_S, pause_s * 2)

    async def kill(self, *sides: Side) -> None:
        for side in sides:
            if side.task is not None and not side.task.done():
                side.process.die()
                self.judge.ended(side.process, sick=self.machine.disk.is_sick)
        for side in sides:
            if side.task is not None:
                await killed(side.process, side.task)

    async def stop(self, side: Side) -> None:
        if side.task is not None:
            await cancelled([side.task])

    # The whole.

    async def _run(self) -> None:
        self.loop.set_exception_handler(self._unhandled)
        self.power = asyncio.Event()
        self.power.set()
        self._build()
        keeping = [
            asyncio.ensure_future(self._kept(self.field, self._field)),
            asyncio.ensure_future(self._kept(self.bus, self._bus)),
            asyncio.ensure_future(self._minutes()),
        ]
        faults = asyncio.ensure_future(self.befalling.run())
        await asyncio.sleep(self.seconds)
        await faults
        self._well()
        await self._end(keeping)
        self.broker.save()
        self.judge.finish(refused=REFUSED)

    async def _end(self, keeping: list[Any]) -> None:
        """Stop as a box is stopped: the field side first, the bus side once it has sent all."""
        self.power.clear()
        await self.stop(self.field)
        await asyncio.sleep(5)
        self._through()
        await self.stop(self.bus)
        await cancelled(keeping)
        await asyncio.sleep(1)

    def _unhandled(self, loop: object, context: dict[str, Any]) -> None:
        del loop
        told = f"{context.get('message')} {context.get('exception')!r}"
        self.history.violate("every outage ends", f"unhandled: {told}")

    def _well(self) -> None:
        """Judge, after the last quiet minutes, whether everything is as if nothing had been."""
        states = {name: str(state) for name, state in self.supervisor.states().items()}
        if set(states.values()) != {"good"}:
            self.history.violate("every outage ends", f"devices are {states}")
        status = self.publisher.status()
        if not status["connected"]:
            self.history.violate("every outage ends", f"no broker: {status['error']}")
        alive = self.broker.retained.get("otgate/v1/sub7/gw1/analytics/_gateway/status", b"")
        if b'"bus":"alive"' not in alive or b'"field":"alive"' not in alive:
            self.history.violate("every outage ends", f"the gateway is shown as {alive!r}")

    def _through(self) -> None:
        """Judge whether the bus side knows that all is delivered."""
        for lane in Lane:
            place = self.publisher._reader.complete_through(lane)
            book = max((book for book in self.judge.books.values() if book.lane is lane),
                       key=lambda book: book.epoch)  # fmt: skip
            if place.seq != book.next_seq:
                self.history.violate(
                    "every outage ends", f"{lane} is at {place}, not {book.next_seq}"
                )

    async def _minutes(self) -> None:
        while True:
            await asyncio.sleep(WRITEBACK_S)
            self.machine.disk.written_back()
            self.judge.minute(self.loop.time())
            self._measure()

    def _measure(self) -> None:
        found = {
            "tasks": len(asyncio.all_tasks(self.loop)),
            "timers": len(self.loop._scheduled),  # type: ignore[attr-defined]
            "ends": sum(len(line.ends) for line in self.network.lines.values()),
            "disk MB": self.machine.disk.held_bytes / 1e6,
        }
        for what, much in found.items():
            if much > CAPS[what]:
                self.history.violate("memory bounded", f"{much} {what}")


class Mute:
    """Stands where the audit log's thread is, and sockets that nobody is let in by."""

    def note(self, event: str, **what: object) -> None:
        pass

    def hear(self, event: str, what: object) -> None:
        pass


async def forever() -> None:
    """Stand where a task was that only gives memory back."""
    await asyncio.get_running_loop().create_future()
