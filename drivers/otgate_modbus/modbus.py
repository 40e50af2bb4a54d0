"""The driver: what the gateway calls."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Hashable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from otgate.driver import Link, Session
from otgate.model import Device, Scan
from otgate_modbus.learned import Of
from otgate_modbus.link import Wire, open_wire
from otgate_modbus.pipelining import Pipelining
from otgate_modbus.planner import plan
from otgate_modbus.session import ModbusSession, limit_s
from otgate_modbus.settings import Settings, endpoint, settings_of
from otgate_modbus.sunspec.keeping import kept
from otgate_modbus.timing import medium_of


class Modbus:
    """Modbus TCP client; see `otgate.driver.Driver`. It reads and never writes."""

    settings = Settings
    housekeeping: Sequence[str] = ()

    def __init__(self, clock: Callable[[], int] = time.time_ns) -> None:
        self._clock = clock
        self._transactions: dict[tuple[str, int], int] = {}
        """The last transaction id at each endpoint, over all connections."""
        self._preparing = asyncio.Lock()
        """Held while a session compiles its scans, so that many starting at once share the loop."""

    def link_key(self, device: Device) -> Hashable:
        """Return the endpoint: its unit ids share one connection."""
        return endpoint(settings_of(device.settings).url)

    def plan(self, device: Device) -> Sequence[Scan]:
        """Decide every request, without a device.

        Raises:
            Mistakes: everything that is wrong with the point map or the settings.
        """
        return plan(device)

    def timing(self, device: Device) -> str:
        """Return in words what the times of the device's requests assume."""
        return medium_of(settings_of(device.settings)).words

    def limit_s(self, device: Device, scan: Scan) -> float:
        """Return the deadline of one poll."""
        return limit_s(settings_of(device.settings), scan)

    def connect(self, link: Link) -> AbstractAsyncContextManager[Mapping[str, Session]]:
        """Open one connection and yield a session per device id.

        Raises:
            LinkLost: no connection, now or later.
        """
        return self._connected(link)

    @asynccontextmanager
    async def _connected(self, link: Link) -> AsyncIterator[Mapping[str, Session]]:
        settings = {device.id: settings_of(device.settings) for device in link.devices}
        host, port = endpoint(next(iter(settings.values())).url)
        quirks = [each.quirks for each in settings.values()]
        gap_s = max(quirk.request_gap_s for quirk in quirks)
        last = self._transactions.get((host, port), 0)
        wire = await open_wire(host, port, self._clock, gap_s, last)
        try:
            await asyncio.sleep(max(quirk.connect_delay_s for quirk in quirks))
            sessions = {
                device.id: self._session(link, device, settings[device.id], wire)
                for device in link.devices
            }
            for device, session in sessions.items():
                await self._prepared(session, link.plans[device])
            yield {
                device: kept(session, settings[device], wire)
                for device, session in sessions.items()
            }
        finally:
            self._transactions[host, port] = wire.transaction
            wire.close()

    def _session(self, link: Link, device: Device, settings: Settings, wire: Wire) -> ModbusSession:
        state = Of(link.state[device.id], f"{settings.url} unit {settings.unit}")
        pipelining = Pipelining(settings.pipeline, state, alone=len(link.devices) == 1)
        return ModbusSession(device, settings, wire, state, self._clock, pipelining)

    async def _prepared(self, session: ModbusSession, scans: Sequence[Scan]) -> None:
        async with self._preparing:
            for scan in scans:
                session.prepare(scan)
                await asyncio.sleep(0)
