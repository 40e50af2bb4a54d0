"""The driver: what the gateway calls."""

import time
from collections.abc import AsyncIterator, Callable, Hashable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from otgate.driver import Emit, Link, Reach, Session
from otgate.endpoint.places import keep
from otgate.endpoint.serial import SerialSettings
from otgate.errors import Mistake
from otgate.model import Device, Scan
from otgate_dnp3.address import moved
from otgate_dnp3.endpoint import Tcp
from otgate_dnp3.example import EXAMPLE
from otgate_dnp3.link import opened
from otgate_dnp3.peek import peek
from otgate_dnp3.planner import plan
from otgate_dnp3.session import Dnp3Session
from otgate_dnp3.settings import Settings, settings_of


class Dnp3:
    """DNP3 master; see `otgate.driver.Driver`. It reads, and writes what `housekeeping` says."""

    settings = Settings
    example = EXAMPLE
    housekeeping: Sequence[str] = (
        "clear the restart indication (WRITE g80v1)",
        "enable unsolicited reports of the classes in `unsolicited`, disable all at start-up",
        "set the outstation's clock when it asks, unless `time_sync: off`, which is the default",
    )

    def __init__(self, clock: Callable[[], int] = time.time_ns) -> None:
        self._clock = clock

    def link_key(self, device: Device) -> Hashable:
        """Return what makes a channel: outstations on one channel take turns on it."""
        settings = settings_of(device.settings)
        return (settings.url, settings.backup, settings.listen, settings.peers, settings.tls)

    def reach(self, device: Device) -> Reach:
        """Return the ports and lines of the channel, dialled or listened on."""
        settings = settings_of(device.settings)
        ports = [place.port for place in settings.places if isinstance(place, Tcp)]
        lines = [place.path for place in settings.places if isinstance(place, SerialSettings)]
        if settings.listen is not None:
            return Reach(listen=ports)
        return Reach(connect=ports, files=lines)

    def plan(self, device: Device) -> Sequence[Scan]:
        """Decide every request, without a device.

        Raises:
            Mistakes: everything that is wrong with the point map or the settings.
        """
        return plan(device)

    def sharing(self, devices: Sequence[Device]) -> Mapping[str, Sequence[Mistake]]:
        """Return what is wrong with devices that share a channel, by device."""
        first: dict[int, str] = {}
        found: dict[str, Sequence[Mistake]] = {}
        for device in devices:
            address = settings_of(device.settings).outstation
            other = first.setdefault(address, device.id)
            if other != device.id:
                message = f"device `{other}` on this channel has outstation address {address} too"
                found[device.id] = [Mistake("bad-setting", message, None, "dnp3.outstation")]
        return found

    def hosts(self, device: Device) -> Sequence[str]:
        """Return the hosts of its network endpoints, and the address that is listened on."""
        places = settings_of(device.settings).places
        return [place.host for place in places if not isinstance(place, SerialSettings)]

    async def peek(self, device: Device, emit: Emit) -> None:
        """Read every point once, of the static data.

        Raises:
            LinkLost: no connection.
            TimeoutError: no answer.
        """
        await peek(device, emit, self._clock)

    def moved(self, address: str, by: int) -> str:
        """Return an address whose index is ``by`` higher."""
        return moved(address, by)

    def connect(self, link: Link) -> AbstractAsyncContextManager[Mapping[str, Session]]:
        """Open one channel and yield a session per device id.

        Raises:
            LinkLost: no connection, now or later.
            Unusable: a port or a certificate can never be used as it is.
        """
        return self._connected(link)

    @asynccontextmanager
    async def _connected(self, link: Link) -> AsyncIterator[Mapping[str, Session]]:
        settings = {device.id: settings_of(device.settings) for device in link.devices}
        first, via = link.devices[0].id, link.devices[0].via
        async with opened(settings[first], link.state[first], via) as (line, place):
            alone = len(link.devices) == 1
            sessions = {
                device.id: Dnp3Session(
                    device,
                    settings[device.id],
                    link.plans[device.id],
                    line,
                    self._clock,
                    alone=alone,
                )
                for device in link.devices
            }
            try:
                for session in sessions.values():
                    session.attend()
                yield sessions
            finally:
                good = any(session.was_integral for session in sessions.values())
                for session in sessions.values():
                    await session.close()
                line.close()
                keep(link.state[first], len(settings[first].places), place, good=good)
