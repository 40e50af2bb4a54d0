"""A running simulation: the plant, a server per endpoint of the site, and the devices' faults."""

import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from otgate.errors import Refused
from otgate.model import Device
from otgate_sim.binding import Read, bind
from otgate_sim.cells import cells_of
from otgate_sim.dnp3.options import Options
from otgate_sim.dnp3.site import DNP3, Outstations
from otgate_sim.faults import LATE_S, Trouble
from otgate_sim.iec61850.behaviour import Options as IedOptions
from otgate_sim.iec61850.site import IEC61850, Ieds
from otgate_sim.loopback import LOOPBACK
from otgate_sim.memory import Unit
from otgate_sim.modbus import Served
from otgate_sim.modbus_endpoints import Makers, Shown
from otgate_sim.plant import Plant

MODBUS = "modbus"
SHORTEST_FAULT_S, LONGEST_FAULT_S = 0.001, 86_400.0


def steady_clock() -> Callable[[], int]:
    """Return a clock that starts at the time of day and never jumps."""
    start_ns = time.time_ns() - time.monotonic_ns()
    return lambda: start_ns + time.monotonic_ns()


@dataclass(frozen=True, slots=True)
class Settings:
    """How a simulation runs."""

    seed: int = 1
    speed: float = 1.0
    """Plant seconds per second."""
    port_base: int = 0
    """First port; 0 takes free ones."""
    host: str = LOOPBACK
    """This machine's address that devices are served at."""
    late_s: float = LATE_S
    terminals: Path | None = None
    """Where serial lines are linked; None is a folder of their own."""
    shown: Shown | None = None
    """What devices under TLS show of themselves."""
    outstations: Mapping[str, Options] = field(default_factory=dict)
    """How DNP3 devices behave, by device; their addresses are the site's."""
    ieds: Mapping[str, IedOptions] = field(default_factory=dict)
    """How IEC 61850 devices behave, by device."""


@dataclass(slots=True)
class Simulation:
    """The simulated devices of a site."""

    devices: Sequence[Device]
    settings: Settings = Settings()
    clock: Callable[[], int] = field(default_factory=steady_clock)
    plant: Plant = field(init=False)
    reads: Mapping[str, Sequence[Read]] = field(init=False)
    troubles: dict[str, Trouble] = field(init=False)
    dnp3: Outstations = field(init=False)
    ieds: Ieds = field(init=False)
    urls: dict[str, str] = field(init=False, default_factory=dict)
    """Where each device listens, while serving."""

    def __post_init__(self) -> None:
        self.plant = Plant(self.settings.seed, self.clock(), speed=self.settings.speed)
        self.reads = bind(self.plant, self.devices)
        late_s = self.settings.late_s
        self.troubles = {
            device.id: Trouble(time.monotonic, late_s=late_s) for device in self.of(MODBUS)
        }
        self.dnp3 = Outstations(self.clock, self.plant.advance, late_s)
        for device in self.of(DNP3):
            options = self.settings.outstations.get(device.id, Options())
            self.dnp3.add(device, self.reads[device.id], options)
            self.troubles[device.id] = self.dnp3[device.id].trouble
        self.ieds = Ieds(self.clock, self.plant.advance, late_s)
        for device in self.of(IEC61850):
            behaviour = self.settings.ieds.get(device.id, IedOptions())
            self.ieds.add(device, self.reads[device.id], behaviour)
            self.troubles[device.id] = self.ieds[device.id].trouble

    def of(self, driver: str) -> list[Device]:
        """Return the devices of one protocol."""
        return [device for device in self.devices if device.driver == driver]

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Mapping[str, str]]:
        """Serve every device while the block runs; yield their addresses.

        Raises:
            OSError: a port is taken.
            Refused: two devices share an address and a unit, or a point cannot be simulated.
        """
        base, host, number = self.settings.port_base, self.settings.host, 0
        async with AsyncExitStack() as stack:
            makers = Makers(host, self.settings.terminals, self.settings.shown)
            stack.enter_context(makers)
            for number, (devices, served) in enumerate(self.endpoints(), 1):
                port = base + number - 1 if base else 0
                endpoint, query = await makers.made(devices[0].settings, served, port)
                stack.push_async_callback(endpoint.stop)
                url = await endpoint.start() + query
                self.urls |= {device.id: url for device in devices}
            serving = self.dnp3.serving(base + number if base else 0, host)
            self.urls |= await stack.enter_async_context(serving)
            ieds = self.ieds.serving(base + number + len(self.of(DNP3)) if base else 0, host)
            self.urls |= await stack.enter_async_context(ieds)
            yield self.urls

    def endpoints(self) -> Iterable[tuple[list[Device], dict[int, Served]]]:
        """Return, for each distinct address of the site, its devices and what it serves."""
        shared: dict[str, list[Device]] = {}
        for device in self.of(MODBUS):
            shared.setdefault(device.settings.url, []).append(device)
        for url, devices in shared.items():
            served: dict[int, Served] = {}
            for device in devices:
                if served.setdefault(device.settings.unit, self.served(device)).unit.device != (
                    device.id
                ):
                    raise Refused(f"two devices are unit {device.settings.unit} of {url}")
            yield devices, served

    def served(self, device: Device) -> Served:
        """Return a device's registers and the fault it shows."""
        trouble = self.troubles[device.id]
        cells = cells_of(device, self.reads[device.id], trouble)
        return Served(Unit(device.id, cells, self.clock, self.plant.advance), trouble)

    def answer(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Do what a control request asks: show a fault, or say what each device does.

        Raises:
            Refused: the request names no device, no fault, or no possible time.
        """
        match asked.get("verb"):
            case "fault":
                return self.show(asked.get("device"), asked.get("kind"), asked.get("for_s"))
            case "burst":
                return self.burst(asked)
            case "status":
                return {"devices": {name: self.told(name) for name in self.troubles}}
            case verb:
                raise Refused(f"the simulator has no verb {verb!r}")

    def show(self, device: object, kind: object, for_s: object) -> dict[str, Any]:
        """Let ``device`` show a fault for ``for_s`` seconds, or until told otherwise."""
        if not isinstance(device, str) or device not in self.troubles:
            known = ", ".join(self.troubles)
            raise Refused(f"there is no simulated device {device!r}; there are {known}")
        trouble = self.troubles[device]
        if kind not in list(trouble.kinds):
            raise Refused(f"there is no fault {kind!r}; there are {', '.join(trouble.kinds)}")
        if for_s is not None and not is_possible(for_s):
            raise Refused(f"a fault cannot last {for_s!r} seconds")
        seconds = float(for_s) if isinstance(for_s, int | float) else None
        if kind != "restart" or device not in self.dnp3:
            trouble.begin(trouble.kinds(str(kind)), seconds)
        else:
            self.dnp3[device].restart()
        return {"device": device, "kind": str(kind), "for_s": seconds}

    def told(self, device: str) -> dict[str, Any]:
        """Describe one device's fault, what it has answered, and its events."""
        trouble = self.troubles[device]
        said = {"fault": str(trouble.fault), "replies": trouble.replies, "spoilt": trouble.spoilt}
        return said | self.dnp3.events(device) | self.ieds.events(device)

    def burst(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Make many events of a point at once, as a control request asks.

        Raises:
            Refused: it names no device that reports events, or no possible point, number or time.
        """
        device = asked.get("device")
        of_dnp3 = isinstance(device, str) and device in self.dnp3
        return self.dnp3.burst(asked) if of_dnp3 or not self.ieds.driven else self.ieds.burst(asked)


def is_possible(for_s: object) -> bool:
    """Whether a fault can last that many seconds."""
    return isinstance(for_s, int | float) and SHORTEST_FAULT_S <= for_s <= LONGEST_FAULT_S
