"""How one simulated outstation behaves while nothing is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from otgate_dnp3.stack.points import PointType

CLASSES = (1, 2, 3)
SHORTEST_FRAGMENT = 292
"""A fragment takes the longest octet string."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a device profile would say. Times in seconds."""

    outstation: int = 10
    master: int = 1
    fragment: int = 2048
    """Octets of the longest fragment sent."""
    confirm_s: float = 5.0
    """How long a confirm is waited for."""
    select_s: float = 10.0
    """How long a SELECT holds."""
    most_commands: int = 16
    """Commands in one request."""
    unsolicited: bool = True
    """Whether it can send unasked. If not, asking it to is refused."""
    hold_s: float = 0.1
    hold_count: int = 100
    """Events are sent unasked when the oldest has waited that long, or so many wait."""
    retries: int = 3
    """How often an unsolicited response is sent again before the master counts as off-line."""
    offline_s: float = 10.0
    """Rest after that, unless the master is heard."""
    capacity: Mapping[int, int] = field(default_factory=lambda: dict.fromkeys(CLASSES, 5000))
    """Events that each class holds."""
    needs_time: bool = True
    """Whether it asks for the time after a restart."""
    need_time_every_s: float | None = None
    restart_ms: int = 500
    """What it says a restart takes."""
    local: bool = False
    """Whether its switch is on local: commands are refused."""
    event_variations: Mapping[PointType, int] = field(default_factory=dict)
    static_variations: Mapping[PointType, int] = field(default_factory=dict)
    classes: Mapping[PointType, int] = field(default_factory=dict)
    """Event class by type of point; 0 makes no events. Else by the kind of the point."""
    nagle: bool = False
    """Leave out TCP_NODELAY, as much used outstations do."""

    def __post_init__(self) -> None:
        if self.fragment < SHORTEST_FRAGMENT:
            raise ValueError(f"a fragment of {self.fragment} octets is too short")
