"""The driver: what the gateway calls."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Hashable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from otgate.driver import DeviceState, Emit, Link, Reach, Session, Variant
from otgate.endpoint.places import first_open, keep
from otgate.endpoint.serial import SerialSettings
from otgate.errors import Mistake, Mistakes
from otgate.model import Device, Point, Scan
from otgate.peeking import scanned
from otgate.via import Via
from otgate_modbus.address import moved
from otgate_modbus.budget import over_budget
from otgate_modbus.endpoint import Endpoint, Tcp, endpoint
from otgate_modbus.example import EXAMPLE
from otgate_modbus.identifying import Identifying
from otgate_modbus.learned import KEY, Of, told, understood
from otgate_modbus.manners import Manners
from otgate_modbus.pipelining import Pipelining
from otgate_modbus.planner import doubts, plan
from otgate_modbus.session import ModbusSession, limit_s
from otgate_modbus.settings import Settings, settings_of
from otgate_modbus.sunspec.keeping import barred, kept
from otgate_modbus.timing import medium_of
from otgate_modbus.variants import variants
from otgate_modbus.wires import AnyWire, opened


class Modbus:
    """Modbus client; see `otgate.driver.Driver`. It reads and never writes."""

    settings = Settings
    example = EXAMPLE
    housekeeping: Sequence[str] = ()

    def __init__(self, clock: Callable[[], int] = time.time_ns) -> None:
        self._clock = clock
        self._transactions: dict[Endpoint, int] = {}
        """The last transaction id at each endpoint, over all connections."""
        self._preparing = asyncio.Lock()
        """Held while a session compiles its scans, so that many starting at once share the loop."""

    def link_key(self, device: Device) -> Hashable:
        """Return the endpoint: its unit ids share one connection."""
        place = endpoint(settings_of(device.settings).url)
        return place.path if isinstance(place, SerialSettings) else place

    def reach(self, device: Device) -> Reach:
        """Return the ports and lines of the endpoint and its backup."""
        places = settings_of(device.settings).places
        return Reach(
            connect=[place.port for place in places if isinstance(place, Tcp)],
            files=[place.path for place in places if isinstance(place, SerialSettings)],
        )

    def plan(self, device: Device) -> Sequence[Scan]:
        """Decide every request, without a device.

        Raises:
            Mistakes: everything that is wrong with the point map or the settings.
        """
        settings = settings_of(device.settings)
        if mistakes := barred(settings):
            raise Mistakes(mistakes)
        scans = plan(device)
        if beyond := list(over_budget(settings, scans)):
            raise Mistakes(beyond)
        return scans

    def timing(self, device: Device) -> str:
        """Return in words what the times of the device's requests assume."""
        return medium_of(settings_of(device.settings)).words

    def limit_s(self, device: Device, scan: Scan) -> float:
        """Return the deadline of one poll."""
        return limit_s(settings_of(device.settings), scan)

    def learned(self, device: Device, state: DeviceState) -> Sequence[str]:
        """Return what the device has taught, in words: what its state says of this very device."""
        kept = of_this(state, settings_of(device.settings)).get(KEY)
        known = None if kept is None else understood(kept)
        return () if known is None else tuple(told(known))

    def sharing(self, devices: Sequence[Device]) -> Mapping[str, Sequence[Mistake]]:
        """Return what devices of one link say differently of it, by device."""
        first, *others = devices
        said = settings_of(first.settings)
        found: dict[str, Sequence[Mistake]] = {}
        for device in others:
            settings = settings_of(device.settings)
            for key, one, other in (
                ("url", said.places[0], settings.places[0]),
                ("backup", said.places[1:], settings.places[1:]),
                ("tls", said.tls, settings.tls),
            ):
                if one != other:
                    message = f"device `{first.id}` is on the same link and has another `{key}`"
                    found[device.id] = [Mistake("bad-setting", message, None, f"modbus.{key}")]
        return found

    def hosts(self, device: Device) -> Sequence[str]:
        """Return the hosts of its network endpoints."""
        places = settings_of(device.settings).places
        return [place.host for place in places if not isinstance(place, SerialSettings)]

    def moved(self, address: str, by: int) -> str:
        """Return an address ``by`` registers or bits further on."""
        return moved(address, by)

    def doubts(self, device: Device) -> Sequence[Mistake]:
        """Return what can be planned and is seldom meant."""
        return doubts(device)

    async def peek(self, device: Device, emit: Emit) -> None:
        """Read every point once.

        Raises:
            LinkLost: no connection.
            TimeoutError: no answer.
            Unusable: the place can never be used as it is.
        """
        await scanned(self, device, emit)

    def variants(self, device: Device, point: Point) -> Sequence[Variant]:
        """Return other orders, neighbouring addresses and other types of as many registers."""
        return variants(point, settings_of(device.settings))

    def connect(self, link: Link) -> AbstractAsyncContextManager[Mapping[str, Session]]:
        """Open one connection and yield a session per device id.

        Raises:
            LinkLost: no connection, now or later.
            Unusable: a port or a certificate can never be used as it is.
        """
        return self._connected(link)

    @asynccontextmanager
    async def _connected(self, link: Link) -> AsyncIterator[Mapping[str, Session]]:
        settings = {device.id: settings_of(device.settings) for device in link.devices}
        first, state = settings[link.devices[0].id], link.state[link.devices[0].id]
        manners = Manners.of(list(settings.values()))
        via = link.devices[0].via
        wire, number = await first_open(
            first.places, state, lambda place: self._open(place, first, manners, via)
        )
        sessions: dict[str, ModbusSession] = {}
        try:
            await asyncio.sleep(manners.connect_delay_s)
            for device in link.devices:
                sessions[device.id] = self._session(link, device, settings[device.id], wire)
            for name, session in sessions.items():
                await self._prepared(session, link.plans[name])
            yield {
                device.id: watched(device, sessions[device.id], wire, link.state[device.id])
                for device in link.devices
            }
        finally:
            for session in sessions.values():
                session.close()
            self._transactions[first.places[number]] = wire.transaction
            wire.close()
            keep(state, len(first.places), number, good=wire.counts.replies > 0)

    async def _open(
        self, place: Endpoint, settings: Settings, manners: Manners, via: Via
    ) -> AnyWire:
        tls = settings.tls.files() if settings.tls is not None else None
        last = self._transactions.get(place, 0)
        return await opened(place, manners, self._clock, tls, last, via=via)

    def _session(
        self, link: Link, device: Device, settings: Settings, wire: AnyWire
    ) -> ModbusSession:
        state = of_this(link.state[device.id], settings)
        alone = len(link.devices) == 1 and not wire.single
        pipelining = Pipelining(settings.pipeline, state, alone=alone)
        return ModbusSession(device, settings, wire, state, self._clock, pipelining)

    async def _prepared(self, session: ModbusSession, scans: Sequence[Scan]) -> None:
        async with self._preparing:
            for scan in scans:
                session.prepare(scan)
                await asyncio.sleep(0)


def watched(device: Device, session: ModbusSession, wire: AnyWire, state: DeviceState) -> Session:
    """Return a session that looks at what the device is, as far as its settings say so."""
    settings = settings_of(device.settings)
    watching = kept(session, settings, wire)
    if not settings.identify:
        return watching
    return Identifying(watching, device, settings, wire, of_this(state, settings))


def of_this(state: DeviceState, settings: Settings) -> Of:
    """Return the part of a state that was learned of the device at this address."""
    return Of(state, f"{settings.url} unit {settings.unit}")
