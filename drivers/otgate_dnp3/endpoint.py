"""How an outstation is reached, as a URL says it."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from otgate.endpoint.serial import SerialSettings
from otgate.endpoint.url import number_of, options_of, port_of, serial_of

PORT = 20000
"""Registered with IANA as `dnp`."""

FORMS = "tcp://host:20000, tcps://host:20000, udp://host:20000 or serial:///dev/serial/by-id/..."
SERIAL = SerialSettings("")
"""What a serial line has where its URL does not say: 9600 baud, no parity, one stop bit."""


@dataclass(frozen=True, slots=True)
class Tcp:
    """A host and a port; with ``tls`` both ends show a certificate."""

    host: str
    port: int
    tls: bool = False


@dataclass(frozen=True, slots=True)
class Udp:
    """Where to send to and receive from; ``local_port`` 0 takes a free one."""

    host: str
    port: int
    local_port: int = 0


Endpoint = Tcp | Udp | SerialSettings


def endpoint(url: str) -> Endpoint:
    """Read a URL.

    Raises:
        ValueError: it is none that can be used; the message says what to write.
    """
    parts = urlsplit(url)
    if parts.scheme == "serial":
        return serial_of(url, parts, SERIAL)
    if parts.scheme not in {"tcp", "tcps", "udp"}:
        raise ValueError(f"`{url}` is no DNP3 endpoint; write {FORMS}")
    if not parts.hostname or parts.path or parts.fragment or parts.username is not None:
        raise ValueError(f"`{url}` is no {parts.scheme}://host:port")
    options = options_of(url, parts, {"local"} if parts.scheme == "udp" else set())
    port = port_of(url, parts, PORT)
    if parts.scheme == "udp":
        return Udp(parts.hostname, port, number_of(url, options, "local", range(1, 65536), 0))
    return Tcp(parts.hostname, port, parts.scheme == "tcps")


def listening_endpoint(url: str) -> Tcp:
    """Read where to wait for outstations that dial in.

    Raises:
        ValueError: it is no place to listen.
    """
    found = endpoint(url)
    if not isinstance(found, Tcp):
        text = f"`{url}` cannot be listened on; write tcp://0.0.0.0:20000 or tcps://..."
        raise ValueError(text)  # noqa: TRY004  pydantic's word for a wrong setting
    return found
