"""A line to one or more outstations: connected, accepted, or a port."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from otgate.driver import DeviceState
from otgate.errors import LinkLost
from otgate_dnp3.channel.line import Line
from otgate_dnp3.channel.serial import SerialSettings, open_serial
from otgate_dnp3.channel.tcp import TlsFiles, listening, open_tcp
from otgate_dnp3.channel.udp import open_udp
from otgate_dnp3.endpoint import Endpoint, Tcp, Udp
from otgate_dnp3.settings import Settings

ACCEPT_S = 25.0
"""How long an outstation that connects to us is waited for in one attempt."""

KEY = "endpoint"
"""Where to try first: the place after one that let nothing be read."""


@asynccontextmanager
async def opened(settings: Settings, state: DeviceState) -> AsyncIterator[tuple[Line, int]]:
    """Yield a line and the number of its place.

    Raises:
        LinkLost: no place has it.
        Unusable: a port or a certificate can never be used as it is.
    """
    if settings.listen is not None:
        place = settings.places[0]
        async with listening(place.host, place.port, settings.peers, tls_files(settings)) as there:
            yield await there.accept(ACCEPT_S), 0
        return
    line, number = await _first(settings, _order(state, len(settings.places)))
    yield line, number


def keep(state: DeviceState, settings: Settings, number: int, *, good: bool) -> None:
    """Remember where to try first: here if anything could be read, else at the next place."""
    places = len(settings.places)
    if places > 1:
        first = number if good else (number + 1) % places
        if state.get(KEY) != first:
            state.put(KEY, first)


def tls_files(settings: Settings) -> TlsFiles | None:
    """Return where the certificates are, if there are any."""
    tls = settings.tls
    if tls is None:
        return None
    return TlsFiles(Path(tls.ca), Path(tls.cert), Path(tls.key), tls.server_name)


def _order(state: DeviceState, places: int) -> list[int]:
    kept = state.get(KEY) if places > 1 else 0
    first = kept if isinstance(kept, int) and 0 <= kept < places else 0
    return [(first + step) % places for step in range(places)]


async def _first(settings: Settings, order: Sequence[int]) -> tuple[Line, int]:
    reasons = []
    for number in order:
        try:
            return await _open(settings.places[number], tls_files(settings)), number
        except LinkLost as lost:
            reasons.append(str(lost))
    raise LinkLost("; ".join(reasons))


async def _open(place: Endpoint, tls: TlsFiles | None) -> Line:
    match place:
        case Tcp(host, port, secure):
            return await open_tcp(host, port, tls if secure else None)
        case Udp(host, port, local_port):
            return await open_udp(host, port, ("0.0.0.0", local_port) if local_port else None)  # noqa: S104  from any
        case SerialSettings():
            return open_serial(place)
