"""What the supervisor knows of one point: for a person who asks why it does not arrive."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from otgate.model import Device, Scan
from otgate.report.about import About
from otgate.supervisor.status import DeviceStatus


class Asked(NamedTuple):
    """How a scan went: when it ended, and why it failed, or nothing."""

    at_ns: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """One point of a device that is read."""

    device: Device
    scans: Sequence[tuple[Scan, Asked | None]]
    """The scans that read it, and how each went last: None where it has not been served yet."""
    status: DeviceStatus
    about: About
