"""Where an audit log lies, as plain values: the process that writes it needs no more."""

from dataclasses import dataclass
from pathlib import Path

from otgate.config.bus_side import Credential


@dataclass(frozen=True, slots=True)
class AuditPlace:
    """What a side is told of its audit log. Paths are resolved from the file that says it."""

    directory: Path
    size_mb: int = 256
    keep_days: float = 90.0
    key: Path | Credential | None = None
    syslog: str | None = None
    shown: bool = False
    """Whether conduits carry the hash of a checkpoint."""
