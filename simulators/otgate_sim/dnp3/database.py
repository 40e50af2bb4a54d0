"""The points of an outstation: value, flags and time, and what makes a change an event."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from otgate_dnp3.stack.points import PointType
from otgate_sim.dnp3.families import FAMILIES, ONLINE, Value


@dataclass(slots=True)
class Entry:
    """One point as the outstation holds it."""

    point_type: PointType
    index: int
    event_class: int = 0
    """1 to 3; 0 makes no events."""
    static_variation: int = 0
    event_variation: int = 0
    deadband: float = 0.0
    in_class_0: bool = True
    value: Value = 0
    flags: int = ONLINE
    time_ms: int = 0
    reported: Value = field(init=False)
    """The value of the last event, or the first value."""
    commanded: bool = False
    """Whether a command or a test has set it: the plant then lets go of it."""

    def __post_init__(self) -> None:
        family = FAMILIES[self.point_type]
        self.static_variation = self.static_variation or family.static_variation
        self.event_variation = self.event_variation or family.event_variation
        self.reported = self.value

    def settle(self, value: Value, time_ms: int) -> None:
        """Hold a first value, which is no event."""
        self.value = self.reported = value
        self.time_ms = time_ms

    def take(self, value: Value, flags: int, time_ms: int) -> bool:
        """Hold a new value; tell whether that is an event."""
        is_event = flags != self.flags or self._is_news(value)
        self.value, self.flags, self.time_ms = value, flags, time_ms
        if is_event:
            self.reported = value
        return is_event and bool(self.event_class)

    def _is_news(self, value: Value) -> bool:
        last = self.reported
        if isinstance(value, bytes) or isinstance(last, bytes):
            return value != last
        return value != last and not abs(value - last) <= self.deadband


@dataclass(slots=True)
class Database:
    """The points of one outstation, by type and index."""

    entries: dict[PointType, dict[int, Entry]] = field(
        default_factory=lambda: {point_type: {} for point_type in FAMILIES}
    )

    def add(self, *entries: Entry) -> None:
        """Add points, keeping each type in the order of indices."""
        for entry in entries:
            self.entries[entry.point_type][entry.index] = entry
        for point_type, held in self.entries.items():
            self.entries[point_type] = dict(sorted(held.items()))

    def of(self, point_type: PointType) -> dict[int, Entry]:
        """Return the points of one type."""
        return self.entries[point_type]

    def find(self, point_type: PointType, indices: Iterable[int]) -> Iterator[Entry]:
        """Yield those of ``indices`` that exist."""
        held = self.entries[point_type]
        return (held[index] for index in indices if index in held)

    def __iter__(self) -> Iterator[Entry]:
        for held in self.entries.values():
            yield from held.values()

    @property
    def index_width(self) -> int:
        """Octets that every index fits into."""
        highest = (max(held) for held in self.entries.values() if held)
        return 1 if max(highest, default=0) <= 0xFF else 2
