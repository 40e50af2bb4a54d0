"""How a Modbus server is reached, as a URL says it."""

from dataclasses import dataclass
from enum import Enum, auto
from urllib.parse import urlsplit

from otgate.endpoint.serial import Parity, SerialSettings
from otgate.endpoint.url import port_of, serial_of

TCP_PORT = 502
"""The registered port: Messaging on TCP/IP Implementation Guide V1.0b, §3.1.3."""

TLS_PORT = 802
"""Registered with IANA as `mbap-s`."""

FORMS = "tcp://host, tcps://host, udp://host, rtu+tcp://host:port or serial:///dev/serial/by-id/..."

SERIAL = SerialSettings("", 19200, Parity.EVEN)
"""What a serial line has where its URL does not say: over Serial Line V1.02, §2.5.1 and §3.2."""


class Framing(Enum):
    """How requests and replies are told apart."""

    MBAP = auto()
    """By transaction ids."""
    RTU = auto()
    """By their order and length."""


@dataclass(frozen=True, slots=True)
class Tcp:
    """A host and a port; with ``tls`` both ends show a certificate."""

    host: str
    port: int = TCP_PORT
    framing: Framing = Framing.MBAP
    tls: bool = False


@dataclass(frozen=True, slots=True)
class Udp:
    """Where requests are sent, one in a datagram."""

    host: str
    port: int = TCP_PORT


Endpoint = Tcp | Udp | SerialSettings

USUAL_PORTS = {"tcp": TCP_PORT, "tcps": TLS_PORT, "udp": TCP_PORT, "rtu+tcp": 0}


def endpoint(url: str) -> Endpoint:
    """Read a URL.

    Raises:
        ValueError: it is none that can be used; the message says what to write.
    """
    parts = urlsplit(url)
    if parts.scheme == "serial":
        return serial_of(url, parts, SERIAL)
    if parts.scheme not in USUAL_PORTS:
        raise ValueError(f"`{url}` is no Modbus endpoint; write {FORMS}")
    form = f"{parts.scheme}://host:port"
    if not parts.hostname:
        raise ValueError(f"`{url}` names no host; write {form}")
    if parts.path or parts.query or parts.fragment or parts.username is not None:
        raise ValueError(f"`{url}` says more than {form}; the unit id is `modbus.unit`")
    if parts.scheme == "rtu+tcp" and not parts.netloc.rpartition("]")[2].partition(":")[2]:
        raise ValueError(f"RTU over TCP has no port of its own; write {form}")
    port = port_of(url, parts, USUAL_PORTS[parts.scheme])
    if parts.scheme == "udp":
        return Udp(parts.hostname, port)
    framing = Framing.RTU if parts.scheme == "rtu+tcp" else Framing.MBAP
    return Tcp(parts.hostname, port, framing, parts.scheme == "tcps")
