"""Makes the server of a Modbus endpoint, whatever the site's URL for it is."""

import asyncio
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from ssl import SSLContext
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

from otgate.endpoint.serial import Parity, SerialSettings
from otgate.endpoint.tls import TlsFiles, tls_context
from otgate.endpoint.url import serial_of
from otgate.errors import Refused, Unusable
from otgate_sim.modbus import Endpoint, Served
from otgate_sim.modbus_lines import Datagrams, RtuOverTcp, SerialLine

USUAL = SerialSettings("", 19200, Parity.EVEN)
"""Of a serial line whose URL says no more: over Serial Line V1.02, §2.5.1 and §3.2."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The certificate that every simulated device shows, and its key, in PEM."""

    certificate: Path
    key: Path


class Serving(Protocol):
    """A server of one endpoint."""

    async def start(self) -> str:
        """Serve; return where.

        Raises:
            OSError: the port or path is taken.
        """

    async def stop(self) -> None:
        """Serve no more."""


class Makers:
    """Makes servers. ``terminals`` is where serial lines are linked; None is a new folder."""

    def __init__(self, host: str, terminals: Path | None, shown: Shown | None) -> None:
        self._host = host
        self._terminals = terminals
        self._shown = shown
        self._own = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._own.close()

    async def made(
        self, settings: Any, served: Mapping[int, Served], port: int
    ) -> tuple[Serving, str]:
        """Return the server of a device's endpoint, and what its URL says behind the place.

        Raises:
            Refused: a device under TLS has nothing to show.
        """
        parts = urlsplit(settings.url)
        match parts.scheme:
            case "serial":
                line = serial_of(settings.url, parts, USUAL)
                query = f"?{parts.query}" if parts.query else ""
                return SerialLine(self._link(line.path), line, served), query
            case "rtu+tcp":
                return RtuOverTcp(self._host, port, served), ""
            case "udp":
                return Datagrams(self._host, port, served), ""
            case "tcps":
                return Endpoint(self._host, port, served, await self._context(settings)), ""
        return Endpoint(self._host, port, served), ""

    def _link(self, path: str) -> Path:
        if self._terminals is None:
            folder = tempfile.TemporaryDirectory(prefix="otgate-sim-")
            self._terminals = Path(self._own.enter_context(folder))
        self._terminals.mkdir(parents=True, exist_ok=True)
        return self._terminals / Path(path).name

    async def _context(self, settings: Any) -> SSLContext:
        if self._shown is None or settings.tls is None:
            raise Refused(f"{settings.url} is under TLS: give --cert and --key for its devices")
        files = TlsFiles(Path(settings.tls.ca), self._shown.certificate, self._shown.key)
        try:
            return await asyncio.to_thread(tls_context, files, server=True)
        except Unusable as unusable:
            raise Refused(f"{settings.url}: {unusable}") from unusable
