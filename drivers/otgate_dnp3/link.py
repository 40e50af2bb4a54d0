"""A line to one or more outstations: connected, accepted, or a port."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from otgate.driver import DeviceState
from otgate.endpoint.places import first_open
from otgate.endpoint.serial import SerialSettings
from otgate.endpoint.tls import TlsFiles
from otgate.via import Via
from otgate_dnp3.channel.line import Line
from otgate_dnp3.channel.serial import open_line
from otgate_dnp3.channel.tcp import listening, open_tcp
from otgate_dnp3.channel.udp import open_udp
from otgate_dnp3.endpoint import Endpoint, Tcp, Udp
from otgate_dnp3.settings import Settings

ACCEPT_S = 25.0
"""How long an outstation that connects to us is waited for in one attempt."""


@asynccontextmanager
async def opened(
    settings: Settings, state: DeviceState, via: Via
) -> AsyncIterator[tuple[Line, int]]:
    """Yield a line that goes by ``via``, and the number of its place.

    Raises:
        LinkLost: no place has it.
        Unusable: a port or a certificate can never be used as it is.
    """
    tls = settings.tls.files() if settings.tls is not None else None
    if settings.listen is not None:
        place = settings.places[0]
        async with listening(place.host, place.port, settings.peers, tls, via) as there:
            yield await there.accept(ACCEPT_S), 0
        return
    yield await first_open(settings.places, state, lambda place: _open(place, tls, via))


async def _open(place: Endpoint, tls: TlsFiles | None, via: Via) -> Line:
    match place:
        case Tcp(host, port, secure):
            return await open_tcp(host, port, tls if secure else None, via)
        case Udp(host, port, local_port):
            return await open_udp(host, port, local_port, via)
        case SerialSettings():
            return open_line(place)
