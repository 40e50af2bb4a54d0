"""The form of ``bus/<conduit>.yaml``: what the IT people write."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from otgate.config.audit_file import AuditEntry
from otgate.config.credential_name import CredentialName, a_credential
from otgate.config.forms import Entry, File, Id, Name, Switch, Version, wrong
from otgate.config.metrics_entry import MetricsEntry
from otgate.config.via import VIA_EXAMPLE, ViaEntry
from otgate.sandbox.needs import SandboxMode

URL_HELP = "write `mqtts://host:8883` or `mqtt://host:1883`"
MQTT = "mqtt"
MQTTS = "mqtts"


def broker_url(url: str) -> str:
    """Accept the address of an MQTT broker without anything secret in it."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise wrong("wrong-value", "not the address of a broker", URL_HELP) from None
    if parts.username is not None or parts.password is not None:
        raise wrong(
            "secret-in-file", "a broker's address holds a login", "use `username` and `password`"
        )
    bare = not (parts.path.strip("/") or parts.query or parts.fragment)
    if parts.scheme not in {MQTT, MQTTS} or not parts.hostname or not bare or port == 0:
        raise wrong("wrong-value", f"`{url}` is not the address of a broker", URL_HELP)
    return url


class TlsEntry(Entry):
    """How the broker proves who it is, and how we do."""

    ca: Annotated[File, Field(examples=["/etc/otgate/broker-ca.pem"])]
    """Certificates (PEM) that sign the broker's; the system's own are not trusted."""
    certificate: Annotated[File | None, Field(examples=["/etc/otgate/gw1.pem"])] = None
    """Our certificate (PEM), for mutual TLS."""
    key: Annotated[File | CredentialName | None, Field(examples=[{"credential": "gw1.key"}])] = None
    """Its private key (PEM): a file, or a credential."""
    server_name: Annotated[Name | None, Field(examples=["broker.example"])] = None
    """Name the broker's certificate is for, where it is not the address."""


class BatchEntry(Entry):
    """How large one message may become."""

    max_points: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """Samples in one message."""
    max_kb: Annotated[int, Field(ge=1, le=262_144)] = 256
    """Kilobytes of one message."""


class BacklogEntry(Entry):
    """How data are sent that an outage has held up."""

    order: Literal["live", "strict"] = "live"
    """`live`: what happens now goes first and what is older follows behind it, on `replay`;
    `strict`: all data in the order in which they were spooled."""
    live_s: Annotated[float, Field(ge=1, le=3600)] = 10.0
    """Seconds; what leaves later than that after it was spooled is late, and goes to `replay`."""
    kb_per_s: Annotated[int, Field(ge=1, le=1 << 20)] = 4096
    """Kilobytes of backlog a second, at most, with `order: live`."""
    messages_per_s: Annotated[int, Field(ge=1, le=100_000)] = 500
    """Messages of backlog a second, at most, with `order: live`."""


class BusForm(Entry):
    """`bus/<conduit>.yaml`: where one conduit publishes, and as whom."""

    config_version: Version
    """The format of this file: 1."""
    conduit: Annotated[Id, Field(examples=["analytics"])]
    """The conduit of the policy that is published."""
    brokers: Annotated[
        list[Annotated[str, AfterValidator(broker_url)]],
        Field(min_length=1, max_length=16, examples=[["mqtts://broker.example:8883"]]),
    ]
    """Brokers, tried in this order."""
    client_id: Annotated[
        Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,128}$")] | None,
        Field(examples=["sub7-gw1"]),
    ] = None
    """MQTT client id; made from gateway and conduit when absent."""
    username: Annotated[Name | None, Field(examples=["gw1"])] = None
    """Who we are to the broker."""
    password: Annotated[
        CredentialName | None,
        BeforeValidator(a_credential),
        Field(examples=[{"credential": "broker-password"}]),
    ] = None
    """By the name of a credential; a secret never stands in a file."""
    credentials: Annotated[File | None, Field(examples=["/etc/otgate/credentials"])] = None
    """Credential directory that only its owner reads; systemd's goes first."""
    tls: Annotated[TlsEntry | None, Field(examples=[{"ca": "/etc/otgate/broker-ca.pem"}])] = None
    """Needed for `mqtts`."""
    plain: Annotated[Literal["accepted"] | None, Field(examples=["accepted"])] = None
    """`accepted` says that unencrypted `mqtt` to another host is meant."""
    via: Annotated[ViaEntry | None, Field(examples=[VIA_EXAMPLE])] = None
    """The interface and address that brokers are reached by; any where none is given."""
    protocol: Literal["auto", "5", "3.1.1"] = "auto"
    """MQTT version; `auto` tries 5 first. In quotes: `\"5\"`."""
    root: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = "otgate"
    """First level of every topic."""
    spool: Annotated[File | None, Field(examples=["/var/lib/otgate/spool/analytics"])] = None
    """Directory of the conduit's spool, from this file; `../spool/<conduit>` when absent."""
    state: Annotated[File | None, Field(examples=["/var/lib/otgate-bus/analytics"])] = None
    """Directory of the reader's cursor, from this file; `../state/bus/<conduit>` when absent."""
    keepalive_s: Annotated[int, Field(ge=1, le=3600)] = 5
    """Seconds; a dead broker is noticed within twice that."""
    window: Annotated[int, Field(ge=1, le=65_535)] = 20
    """Messages in flight."""
    window_kb: Annotated[int, Field(ge=1, le=1 << 20)] = 4096
    """Kilobytes in flight."""
    batch: BatchEntry = BatchEntry()
    """How large one message may become."""
    compress: Literal["none", "zstd"] = "none"
    """How payloads are compressed."""
    last: Switch = "off"
    """`on` keeps the last value of each device retained at the broker."""
    replay_s: Annotated[float, Field(ge=0, le=60)] = 3.0
    """Seconds published again after a reconnect or a start: an acknowledgement is not durable."""
    backlog: Annotated[BacklogEntry, Field(examples=[{"order": "live", "messages_per_s": 200}])] = (
        BacklogEntry()
    )
    """What goes first after an outage, and how fast the rest follows."""
    audit: AuditEntry = AuditEntry()
    """What is recorded of the bus side itself."""
    sandbox: SandboxMode = "auto"
    """`required` refuses to start where the kernel cannot keep the side from what it does not need;
    `auto` says so and starts; `off` gives up nothing."""
    metrics: MetricsEntry = MetricsEntry()
    """Where metrics are read besides the unix socket."""
