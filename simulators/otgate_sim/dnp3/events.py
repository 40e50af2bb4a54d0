"""Event buffers, one per class: what waits, what is written and unconfirmed, what was confirmed.

An event stays until the master has confirmed the fragment that carried it. A full class drops its
oldest waiting event and says so in the internal indications until there is room again.
"""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import merge
from itertools import chain
from operator import attrgetter

from otgate_dnp3.stack.points import PointType
from otgate_sim.dnp3.families import FAMILIES, Value
from otgate_sim.dnp3.options import CLASSES
from otgate_sim.dnp3.packing import Packing, Row

SERIAL = attrgetter("serial")
REMEMBERED = 1_000_000
"""Lost and confirmed events that are kept for whoever counts them."""


@dataclass(frozen=True, slots=True)
class Event:
    """A change of one point. ``serial`` counts up over all events of an outstation."""

    serial: int
    event_class: int
    point_type: PointType
    index: int
    variation: int
    value: Value
    flags: int
    time_ms: int
    synchronised: bool = True
    """Whether the outstation's clock had been set."""

    def row(self, variation: int) -> Row:
        """Return the object that reports it; ``variation`` 0 is its own."""
        if isinstance(self.value, bytes):
            variation = len(self.value)
        return Row(
            FAMILIES[self.point_type].event_group,
            variation or self.variation,
            self.index,
            self.value,
            self.flags,
            self.time_ms,
            self.synchronised,
        )


@dataclass(slots=True)
class Selection:
    """The events that a request, or unsolicited reporting, asks for."""

    classes: Collection[int] = CLASSES
    point_type: PointType | None = None
    variation: int = 0
    """0 is each event's own."""
    left: int | None = None
    """How many more; None is all."""
    last: int | None = None
    """Serial of the newest event that counts: those made after a request are for the next."""

    def takes(self, event: Event) -> bool:
        """Whether an event is asked for."""
        return (
            event.event_class in self.classes
            and (self.point_type is None or event.point_type is self.point_type)
            and (self.last is None or event.serial <= self.last)
            and self.left != 0
        )


@dataclass(slots=True)
class Buffer:
    """The events of one outstation."""

    capacity: Mapping[int, int]
    overflowed: bool = False
    """Whether an event was lost and there has been no room since."""
    made: int = 0
    lost: deque[Event] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    confirmed: deque[Event] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    """In the order in which the master confirmed them."""
    waiting: dict[int, deque[Event]] = field(
        default_factory=lambda: {event_class: deque() for event_class in CLASSES}
    )
    held: dict[int, int] = field(default_factory=lambda: dict.fromkeys(CLASSES, 0))
    """Events of each class, those that are written and unconfirmed included."""

    def add(self, event: Event) -> None:
        """Hold an event, losing the oldest waiting one of its class where that is full."""
        self.made += 1
        queue = self.waiting[event.event_class]
        queue.append(event)
        if self.held[event.event_class] < self.capacity[event.event_class]:
            self.held[event.event_class] += 1
        else:
            self.overflowed = True
            self.lost.append(queue.popleft())

    def write(self, selections: Sequence[Selection], packing: Packing) -> tuple[list[Event], bool]:
        """Move the selected events into a fragment; also tell whether all of them fitted."""
        written: list[Event] = []
        whole = True
        for event in self.in_order():
            chosen = next((each for each in selections if each.takes(event)), None)
            if chosen is None:
                continue
            if not packing.offer(event.row(chosen.variation)):
                whole = False
                break
            if chosen.left is not None:
                chosen.left -= 1
            written.append(event)
        self._remove(written)
        return written, whole

    def in_order(self) -> Iterator[Event]:
        """Yield what waits, oldest first."""
        return merge(*self.waiting.values(), key=SERIAL)

    def confirm(self, events: Iterable[Event]) -> None:
        """Forget events that the master has confirmed."""
        for event in events:
            self.held[event.event_class] -= 1
            self.confirmed.append(event)
        if all(self.held[each] < self.capacity[each] for each in CLASSES):
            self.overflowed = False

    def give_back(self, events: Iterable[Event]) -> None:
        """Let events wait again whose confirm did not come."""
        returned: dict[int, list[Event]] = {each: [] for each in CLASSES}
        for event in events:
            returned[event.event_class].append(event)
        for event_class, back in returned.items():
            if back:
                queue = self.waiting[event_class]
                self.waiting[event_class] = deque(sorted(chain(back, queue), key=SERIAL))

    def clear(self) -> None:
        """Lose everything, as memory that a restart does not keep."""
        for event_class, queue in self.waiting.items():
            self.lost.extend(queue)
            queue.clear()
            self.held[event_class] = 0
        self.overflowed = False

    def count(self, classes: Collection[int]) -> int:
        """Return how many events of ``classes`` wait."""
        return sum(len(self.waiting[each]) for each in classes)

    def _remove(self, written: Sequence[Event]) -> None:
        gone = {event.serial for event in written}
        for event_class, queue in self.waiting.items():
            while queue and queue[0].serial in gone:
                gone.discard(queue.popleft().serial)
            if any(event.event_class == event_class and event.serial in gone for event in written):
                kept = (event for event in queue if event.serial not in gone)
                self.waiting[event_class] = deque(kept)
