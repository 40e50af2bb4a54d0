"""The driver: what the gateway calls."""

import time
from collections.abc import AsyncIterator, Callable, Hashable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

from otgate.driver import Emit, Link, Reach, Session
from otgate.endpoint.identity import told
from otgate.endpoint.places import keep
from otgate.errors import LinkLost, Mistake
from otgate.model import Device, Scan
from otgate.peeking import scanned
from otgate_iec61850.address import read_control_block
from otgate_iec61850.example import EXAMPLE
from otgate_iec61850.link import identity, lost_link, opened
from otgate_iec61850.planner import plan
from otgate_iec61850.session import IedSession
from otgate_iec61850.settings import Settings, endpoint, settings_of


class Iec61850:
    """MMS client; see `otgate.driver.Driver`. It reads, and writes what `housekeeping` says."""

    settings = Settings
    example = EXAMPLE
    housekeeping: Sequence[str] = (
        "enable the report control blocks under `reports`, disable those it holds (RptEna)",
        "reserve unbuffered ones (Resv)",
        "set OptFlds and TrgOps of a report where they lack something, DatSet where it is empty",
        "set IntgPd where `integrity_s` says so",
        "resume buffered ones after the last durable entry (EntryID)",
        "interrogate those it holds (GI)",
    )

    def __init__(self, clock: Callable[[], int] = time.time_ns) -> None:
        self._clock = clock

    def link_key(self, device: Device) -> Hashable:
        """Return what makes an association: devices of one server share it."""
        settings = settings_of(device.settings)
        return (
            settings.url,
            settings.backup,
            settings.tls,
            settings.called,
            settings.password_file,
        )

    def reach(self, device: Device) -> Reach:
        """Return the ports of the server and its backup."""
        return Reach(connect=[endpoint(url)[1] for url in settings_of(device.settings).urls])

    def plan(self, device: Device) -> Sequence[Scan]:
        """Decide every request, without a device.

        Raises:
            Mistakes: everything that is wrong with the point map or the settings.
        """
        return plan(device)

    def sharing(self, devices: Sequence[Device]) -> Mapping[str, Sequence[Mistake]]:
        """Return what is wrong with devices that share an association, by device."""
        first: dict[str, str] = {}
        found: dict[str, list[Mistake]] = {}
        for device in devices:
            for at, report in enumerate(settings_of(device.settings).reports):
                name = str(read_control_block(report.rcb))
                other = first.setdefault(name, device.id)
                if other != device.id:
                    message = f"device `{other}` takes the reports of `{name}` already"
                    place = f"iec61850.reports.{at}.rcb"
                    found.setdefault(device.id, []).append(
                        Mistake("bad-setting", message, None, place)
                    )
        return found

    def hosts(self, device: Device) -> Sequence[str]:
        """Return the hosts of its endpoints."""
        return [endpoint(url)[0] for url in settings_of(device.settings).urls]

    async def peek(self, device: Device, emit: Emit) -> None:
        """Read every point once; no report control block is touched.

        Raises:
            LinkLost: no association.
            Unusable: a certificate or a password can never be used as it is.
        """
        polled = settings_of(device.settings).model_copy(update={"reports": (), "scl": None})
        await scanned(self, replace(device, settings=polled), emit)

    def connect(self, link: Link) -> AbstractAsyncContextManager[Mapping[str, Session]]:
        """Associate with one server and yield a session per device id.

        Raises:
            LinkLost: no association, now or later.
            Unusable: a certificate or a password can never be used as it is.
        """
        return self._connected(link)

    @asynccontextmanager
    async def _connected(self, link: Link) -> AsyncIterator[Mapping[str, Session]]:
        settings = {device.id: settings_of(device.settings) for device in link.devices}
        first, via = link.devices[0].id, link.devices[0].via
        wire, place = await opened(settings[first], link.state[first], via)
        sessions: dict[str, IedSession] = {}
        try:
            for device in link.devices:
                sessions[device.id] = IedSession(
                    device, settings[device.id], wire, link.state[device.id], self._clock
                )
            try:
                with lost_link():
                    for session in sessions.values():
                        await session.describe()
                    said = await identity(wire)
            except TimeoutError as silence:
                raise LinkLost("the server did not describe itself in time") from silence
            for device in link.devices:
                told(device.id, link.state[device.id], said)
            yield sessions
        finally:
            good = any(session.was_read for session in sessions.values())
            for session in sessions.values():
                await session.close()
            await wire.close()
            keep(link.state[first], len(settings[first].urls), place, good=good)
