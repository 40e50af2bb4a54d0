"""What the supervisor says about one device."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """Where a device stands; it is available only after its first good read."""

    STARTING = "starting"
    GOOD = "good"
    FAILING = "failing"
    LOST = "lost"
    UNUSABLE = "unusable"


@dataclass(slots=True)
class DeviceStatus:
    """A device's state and its counts since the start."""

    state: State = State.STARTING
    since_ns: int = 0
    last_good_ns: int = 0
    """When it last answered with a sample that is not invalid; 0 is never."""
    scans: int = 0
    failures: int = 0
    overruns: int = 0
    """Slots that were skipped because an earlier one, or another device, took too long."""
    scan_s: float = 0.0
    """What answered scans took together."""
    exceptions: int = 0
    malformed: int = 0
    unexpected: int = 0
    retries: int = 0
    """What its sessions met, as `otgate.driver.Trouble` has it."""
    attempts: int = 0
    """Connections and probes since it was lost."""
    passed: int = 0
    """Samples that were news."""
    suppressed: int = 0
    error: str = ""
    """Why it is not good, in words."""

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values, for a status reply."""
        return asdict(self) | {"state": str(self.state)}
