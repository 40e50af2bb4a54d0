"""What a report knows of one point."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class About:
    """The newest read of a point, and what was passed on of it last. Times are 0 where never."""

    value: Any
    """A placeholder where ``quality`` has NO_VALUE."""
    quality: int
    """With what the gateway found since the read."""
    time_ns: int
    read_ns: int
    sent_value: Any
    sent_quality: int | None
    """None where nothing was ever passed on."""
    held: bool
    """Whether a change waits for the device's minimum interval to end."""
    deadband: float
    """In engineering units; 0 is none."""


def plain(value: Any) -> Any:
    """Return a value of a column as Python has it."""
    return value.item() if hasattr(value, "item") else value
