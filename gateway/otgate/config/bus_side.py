"""What a bus side is told, as plain values: the process that publishes needs no more."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from otgate.sandbox.needs import SandboxMode
from otgate.via import Via

if TYPE_CHECKING:
    from otgate.config.audit_place import AuditPlace


AUDIT = "audit"
"""Where the audit log is in the directory of a side's state, unless a file says otherwise."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A secret by name; `otgate.config.credential` resolves it."""

    name: str


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """What TLS to the broker needs; paths are resolved from the bus file."""

    ca: Path
    certificate: Path | None
    key: Path | Credential | None
    server_name: str | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """How data are sent that an outage has held up."""

    order: Literal["live", "strict"]
    live_s: float
    kb_per_s: int
    messages_per_s: int


@dataclass(frozen=True, slots=True)
class BusFile:
    """Everything that a bus side is told. Paths are resolved from the file."""

    path: Path
    conduit: str
    brokers: Sequence[str]
    client_id: str | None
    username: str | None
    password: Credential | None
    credentials: Path | None
    tls: TlsFiles | None
    via: Via
    protocol: Literal["auto", "5", "3.1.1"]
    root: str
    spool: Path
    state: Path
    keepalive_s: int
    window: int
    window_kb: int
    max_points: int
    max_kb: int
    compress: Literal["none", "zstd"]
    last: Literal["on", "off"]
    replay_s: float
    backlog: Backlog
    sandbox: SandboxMode
    audit: "AuditPlace"
    metrics_listen: str = ""
    """``host:port`` at which metrics are read besides the unix socket; empty: nowhere."""

    def at(self, spool: Path, state: Path) -> "BusFile":
        """Return the same with its spool and cursor elsewhere.

        The audit log goes with the cursor, unless it has a directory of its own.
        """
        audit = self.audit
        if audit.directory == self.state / AUDIT:
            audit = replace(audit, directory=state / AUDIT)
        return replace(self, spool=spool, state=state, audit=audit)
