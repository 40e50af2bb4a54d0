"""Lets drawn faults befall a world, and ends those that last."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

from cut_disk import Fault as Misdeed
from cut_disk import Trouble
from otgate_sim.faults import Fault as DeviceFault
from simulation.faults import Fault
from simulation.network import Carries, Line
from simulation.site import varied
from simulation.virtual_loop import START_S

if TYPE_CHECKING:
    from simulation.world import World

SLOW_ACK_S, SLOW_WRITE_S = 0.7, 4.0
DISK_TROUBLES = {
    "io error": dict.fromkeys(("write", "create", "sync"), Misdeed.BEFORE),
    "sync error": {"sync": Misdeed.SHORT},
}


class Befalling:
    """The faults of one world, each from its beginning to its end."""

    def __init__(self, world: "World", faults: Iterable[Fault]) -> None:
        self.world = world
        self.count = 0
        self._faults = faults
        self._lasting: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Return once the last fault has ended."""
        loop, history = asyncio.get_running_loop(), self.world.history
        for fault in self._faults:
            await asyncio.sleep(max(0.0, START_S + fault.begin_s - loop.time()))
            history.note(f"begins {fault}")
            self.count += 1
            if fault.for_s:
                self._lasting.append(asyncio.ensure_future(self._last(fault)))
            else:
                await self._sudden(fault)
        await asyncio.gather(*self._lasting)

    async def _last(self, fault: Fault) -> None:
        self._become(fault, fault.kind)
        await asyncio.sleep(fault.for_s)
        self.world.history.note(f"ends {fault}")
        self._become(fault, "")

    def _become(self, fault: Fault, kind: str) -> None:
        """Let what a fault befalls be so; no kind is well."""
        world = self.world
        match fault.where:
            case "device":
                world.devices[fault.which % 3].trouble.begin(DeviceFault(kind or "none"))
            case "field line":
                world.lines[fault.which % 2].become(Carries(kind or "all"))
            case "broker line":
                world.bus_line.become(Carries(kind or "all"))
            case "broker":
                self._ail(kind)
            case "disk":
                self._sicken(kind)
            case _:
                world.machine.deaf = kind == "deaf"

    def _ail(self, kind: str) -> None:
        broker = self.world.broker
        broker.refusing = kind == "refusing"
        broker.slow_s = SLOW_ACK_S if kind == "slow" else 0.0
        broker.silent = kind == "silent"
        if not kind:
            broker.speak()

    def _sicken(self, kind: str) -> None:
        machine = self.world.machine
        machine.disk.full = kind == "full"
        machine.slow_s = SLOW_WRITE_S if kind == "slow" else 0.0
        machine.disk.faults.clear()
        for operation, misdeed in DISK_TROUBLES.get(kind, {}).items():
            machine.disk.faults[operation] = Trouble(misdeed)

    async def _sudden(self, fault: Fault) -> None:
        world, which = self.world, fault.which
        deeds: dict[tuple[str, str], Callable[[], Awaitable[None]]] = {
            ("broker", "crash"): lambda: self._crash(1 + which % 20),
            ("broker", "exchange"): lambda: self._exchange(which),
            ("broker", "break"): lambda: self._at_broker(breaks_in=which % 5000),
            ("broker", "skip"): lambda: self._at_broker(skips=1),
            ("broker line", "forget"): lambda: self._forget(world.bus_line),
            ("field line", "forget"): lambda: self._forget(world.lines[which % 2]),
            ("process", "kill field"): lambda: world.kill(world.field),
            ("process", "kill bus"): lambda: world.kill(world.bus),
            ("process", "kill both"): lambda: world.kill(world.field, world.bus),
            ("process", "stop field"): lambda: world.stop(world.field),
            ("process", "stop bus"): lambda: world.stop(world.bus),
            ("process", "edit bus"): lambda: self._edit(which),
            ("power", "cut"): lambda: self._cut(which),
        }
        await deeds[fault.where, fault.kind]()

    async def _crash(self, down_s: float) -> None:
        self.world.broker.crash()
        await asyncio.sleep(down_s)
        self.world.bus_line.become(Carries.ALL)

    async def _exchange(self, which: int) -> None:
        """Stop the broker in order, and start another release of it upon the same messages."""
        world = self.world
        world.broker.save()
        world.bus_line.become(Carries.REFUSED)
        await asyncio.sleep(1 + which % 5)
        world.broker.be(world.rng(f"broker {which}"))
        world.bus_line.become(Carries.ALL)

    async def _edit(self, which: int) -> None:
        """Edit the bus file, as a reload takes it up: the bus side ends and begins by it."""
        world = self.world
        world.bus_file = varied(world.written.bus, world.rng(f"bus {which}"))
        await world.stop(world.bus)

    async def _at_broker(self, **state: int) -> None:
        for name, value in state.items():
            setattr(self.world.broker, name, value)

    @staticmethod
    async def _forget(line: Line) -> None:
        line.forget()

    async def _cut(self, which: int) -> None:
        """Cut the power of the box; its disk is as sick afterwards as it was before."""
        world = self.world
        world.power.clear()
        await world.kill(world.field, world.bus)
        world.judge.cut()
        world.machine.cut(world.rng(f"cut {which}"))
        await asyncio.sleep(1 + which % 40)
        world.power.set()
