"""Everything the bus side is told: brokers, identity, limits. Secrets arrive resolved."""

import hashlib
import re
import typing
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Self
from urllib.parse import SplitResult, urlsplit

from otgate.errors import Refused
from otgate.publish.topics import ALLOWED
from otgate.via import ANY_WAY, Via

CLIENT_ID_LIMIT = 23
"""Characters of a client id that every server has to accept (MQTT 5.0, §3.1.3.1)."""
DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883}


class Transport(StrEnum):
    """What a broker URL's scheme asks for."""

    PLAIN = "mqtt"
    TLS = "mqtts"


class Protocol(StrEnum):
    """Which MQTT to speak; auto is 5 with a fall-back to 3.1.1."""

    AUTO = "auto"
    V5 = "5"
    V311 = "3.1.1"


class Compression(StrEnum):
    """How payloads are packed."""

    NONE = "none"
    ZSTD = "zstd"


class LastValues(StrEnum):
    """Whether each point's newest value is kept on the broker as a retained message."""

    OFF = "off"
    ON = "on"


class Order(StrEnum):
    """What goes first after an outage."""

    LIVE = "live"
    """What happens now; what is older follows behind it."""
    STRICT = "strict"
    """What is oldest."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """How data are sent that an outage has held up."""

    order: Order = Order.LIVE
    live_s: float = 10.0
    """What leaves later than so long after it was spooled is late."""
    bytes_per_s: float = 4096 * 1024
    messages_per_s: float = 500

    @property
    def live_ns(self) -> int:
        """The age in ns beyond which a sample is late."""
        return int(self.live_s * 1e9)


@dataclass(frozen=True, slots=True)
class Broker:
    """Where a broker listens."""

    host: str
    port: int
    transport: Transport = Transport.PLAIN

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.transport}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Tls:
    """TLS to the broker. ``ca`` is mandatory; certificate and key make it mutual."""

    ca: Path
    certificate: Path | None = None
    key: Path | None = None
    server_name: str | None = None
    """The name in the broker's certificate, where it is not the host of the URL."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What is shown to a broker."""

    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Tls | None = None


class Login(typing.Protocol):
    """Where keys come from; asked before each connection."""

    def keys(self) -> Keys:
        """Return the keys of this moment.

        Raises:
            Refused: there are none.
        """

    def mark(self) -> object:
        """Return something that differs once the keys may have changed."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one message may carry."""

    max_points: int = 1000
    max_bytes: int = 256 * 1024


@dataclass(frozen=True, slots=True)
class BusSettings:
    """How one conduit's bus side reaches its brokers."""

    brokers: Sequence[Broker]
    """Tried in turn, the first one first."""
    client_id: str
    """Empty: made from gateway and conduit once the spool has told them."""
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Tls | None = None
    via: Via = ANY_WAY
    """What of this machine leads to the brokers."""
    root: str = "otgate"
    keepalive_s: int = 5
    window: int = 20
    """Messages sent and not yet acknowledged, at most."""
    window_bytes: int = 4096 * 1024
    limits: Limits = Limits()
    compress: Compression = Compression.NONE
    last: LastValues = LastValues.OFF
    replay_s: float = 3.0
    """Sent again after a reconnect: a PUBACK is not durability."""
    backlog: Backlog = Backlog()
    protocol: Protocol = Protocol.AUTO

    def __post_init__(self) -> None:
        if not self.brokers:
            raise Refused("at least one broker is needed")
        if not re.fullmatch(f"{ALLOWED}+(/{ALLOWED}+)?", self.root):
            raise Refused(f"the root {self.root!r} has characters other than A-Z a-z 0-9 _ -")
        if not 0 < self.keepalive_s <= 65535:
            raise Refused("keepalive_s lies between 1 and 65535")
        if self.window < 1 or self.window_bytes < 1:
            raise Refused("the window holds at least one message")
        if self.tls is None and any(b.transport is Transport.TLS for b in self.brokers):
            raise Refused("an mqtts broker needs tls with a ca")

    def with_keys(self, keys: Keys) -> Self:
        """Return the settings with another login."""
        return replace(self, username=keys.username, password=keys.password, tls=keys.tls)

    def identified(self, gateway: str, conduit: str) -> Self:
        """Return the settings with a client id."""
        made = self.client_id or client_id("otgate", gateway, conduit)
        return replace(self, client_id=made)


def client_id(*parts: str) -> str:
    """Join ``parts`` into an id of at most 23 characters, hashed where it would be longer."""
    whole = "-".join(part for part in parts if part)
    if len(whole) <= CLIENT_ID_LIMIT:
        return whole
    digest = hashlib.sha256(whole.encode()).hexdigest()[:8]
    return f"{whole[: CLIENT_ID_LIMIT - 9]}-{digest}"


def read_broker(url: str) -> tuple[Broker, str | None]:
    """Read ``mqtt[s]://[user@]host[:port]``; return the broker and the user name, if any.

    Raises:
        Refused: it is no such URL, or it carries a password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Refused(f"{_without_secret(url)}: {error}") from None
    _check(url, parts)
    broker = Broker(
        parts.hostname or "", port or DEFAULT_PORTS[parts.scheme], Transport(parts.scheme)
    )
    return broker, parts.username


def _check(url: str, parts: SplitResult) -> None:
    shown = _without_secret(url)
    if parts.password is not None:
        raise Refused(f"{shown}: a password does not belong into a URL")
    if parts.scheme not in DEFAULT_PORTS:
        raise Refused(f"{shown}: a broker is written mqtt://host:port or mqtts://host:port")
    if not parts.hostname:
        raise Refused(f"{shown}: the host is missing")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise Refused(f"{shown}: nothing may follow the port")


def _without_secret(url: str) -> str:
    return re.sub(r"//([^/@:]*):[^@]*@", r"//\1:…@", url)
