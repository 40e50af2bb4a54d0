"""An association with a server: opened at one of its places, its reports handed to sessions."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from otgate.driver import DeviceState
from otgate.endpoint.places import first_open
from otgate.endpoint.sockets import connected
from otgate.endpoint.tls import tls_context
from otgate.errors import LinkLost, Unusable
from otgate.via import Via
from otgate_iec61850.mms.access import InformationReport
from otgate_iec61850.mms.acse import Title
from otgate_iec61850.mms.association import Address, Ends
from otgate_iec61850.mms.client import Client
from otgate_iec61850.mms.connection import Way, associate
from otgate_iec61850.mms.errors import AssociationLost, Malformed, MmsError
from otgate_iec61850.mms.report import Report, Segments, is_report, read
from otgate_iec61850.settings import Called, Settings, endpoint

log = structlog.get_logger()

CONCLUDE_S = 0.5

Took = Callable[[Report, int], bool]
"""Takes a whole report, and when it came; tells whether it is its own."""


@dataclass(slots=True)
class Counts:
    """What came unasked and was of no use."""

    malformed: int = 0
    strangers: int = 0
    """Reports that no session enabled."""
    others: int = 0
    """Information reports that are none of IEC 61850's reports."""


class Wire:
    """One open association. ``gone`` is done, with the reason, once it has ended."""

    def __init__(self) -> None:
        self.counts = Counts()
        self.takers: list[Took] = []
        self.segments = Segments()
        self.client: Client
        self._said = False

    def reported(self, report: InformationReport, received_ns: int) -> None:
        """Hand a report to the session that enabled it."""
        if not is_report(report):
            self.counts.others += 1
            return
        try:
            whole = self.segments.add(read(report))
        except Malformed as error:
            self.counts.malformed += 1
            self._say("report_malformed", error=str(error))
            return
        if whole is None or any(took(whole, received_ns) for took in self.takers):
            return
        self.counts.strangers += 1
        self._say("report_of_nobody", rpt_id=whole.rpt_id, data_set=whole.data_set)

    @property
    def gone(self) -> "asyncio.Future[MmsError]":
        """Done once the association has ended."""
        return self.client.connection.gone

    async def close(self) -> None:
        """End the association in good order, or at least end it."""
        await self.client.connection.conclude(CONCLUDE_S)

    def _say(self, event: str, **fields: object) -> None:
        if not self._said:
            self._said = True
            log.warning(event, **fields)


@contextmanager
def lost_link() -> Iterator[None]:
    """Raise as LinkLost what ends an association."""
    try:
        yield
    except (AssociationLost, Malformed) as lost:
        raise LinkLost(str(lost)) from lost


async def identity(wire: Wire) -> Mapping[str, str]:
    """Return what the server says that it is: ISO 9506-2, Identify; nothing where it refuses.

    Raises:
        MmsError: the association is gone.
    """
    try:
        said = await wire.client.identify()
    except MmsError:
        if wire.gone.done():
            raise
        return {}
    return {"vendor": said.vendor, "model": said.model, "revision": said.revision}


async def opened(settings: Settings, state: DeviceState, via: Via) -> tuple[Wire, int]:
    """Return an association that goes by ``via``, and the number of its place.

    Raises:
        LinkLost: no place has it.
        Unusable: a file of the settings can never be used as it is.
    """
    ends = await asyncio.to_thread(ends_of, settings)
    return await first_open(settings.urls, state, lambda url: _open(url, ends, settings, via))


async def _open(url: str, ends: Ends, settings: Settings, via: Via) -> Wire:
    wire = Wire()
    host, port = endpoint(url)
    way = Way(dial=lambda host, port: connected(host, port, via))
    if settings.tls is not None and url.startswith("mmss:"):
        tls = await asyncio.to_thread(tls_context, settings.tls.files(), server=False)
        way = replace(way, tls=tls, server_name=settings.tls.server_name)
    with lost_link():
        connection = await associate(
            host,
            port,
            ends,
            wire.reported,
            way=way,
            connect_s=settings.timeout_s,
            heartbeat_s=settings.keep_alive_s,
        )
    wire.client = Client(connection, settings.timeout_s)
    return wire


def ends_of(settings: Settings) -> Ends:
    """Return how the association is asked for. It reads the password's file.

    Raises:
        Unusable: the password cannot be read.
    """
    ends = Ends(remote=_address(settings.called))
    if settings.password_file is None:
        return ends
    try:
        password = Path(settings.password_file).read_bytes().rstrip(b"\r\n")
    except OSError as error:
        raise Unusable(f"{settings.password_file}: {error.strerror}") from error
    return replace(ends, password=password)


def _address(called: Called) -> Address:
    usual = Address()

    def selector(text: str | None, otherwise: bytes) -> bytes:
        return otherwise if text is None else bytes.fromhex(text)

    arcs = tuple(map(int, called.ap_title.split("."))) if called.ap_title else ()
    return Address(
        selector(called.t_selector, usual.tsel),
        selector(called.s_selector, usual.ssel),
        selector(called.p_selector, usual.psel),
        Title(arcs, called.ae_qualifier),
    )
