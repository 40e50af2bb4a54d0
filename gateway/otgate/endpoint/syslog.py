"""Where syslog is heard: a datagram socket of this machine, or another machine's port."""

from dataclasses import dataclass
from socket import AF_INET, AF_INET6, AF_UNIX, AddressFamily
from urllib.parse import urlsplit

from otgate.endpoint.url import port_of

SYSLOG_PORT = 514
"""RFC 5426, §3.3."""


@dataclass(frozen=True, slots=True)
class SyslogPlace:
    """A datagram socket's address."""

    family: AddressFamily
    address: str | tuple[str, int]


def syslog_place(url: str) -> SyslogPlace:
    """Return where ``unix:/dev/log`` or ``udp://10.0.0.9:514`` leads.

    Raises:
        ValueError: it is neither; the message is a sentence.
    """
    parts = urlsplit(url)
    path = parts.path
    if parts.scheme == "unix" and path.startswith("/") and not parts.netloc:
        return SyslogPlace(AF_UNIX, path)
    if parts.scheme == "udp" and parts.hostname and path in {"", "/"} and not parts.query:
        family = AF_INET6 if ":" in parts.hostname else AF_INET
        return SyslogPlace(family, (parts.hostname, port_of(url, parts, SYSLOG_PORT)))
    raise ValueError(f"`{url}` is no place for syslog; write `unix:/dev/log` or `udp://host:514`")
