"""What an outstation knows apart from its conversation: points, events, clock and indications."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from otgate_dnp3.stack.application import Iin
from otgate_dnp3.stack.link import BROADCASTS
from otgate_dnp3.stack.points import PointType
from otgate_sim.dnp3.database import Database, Entry
from otgate_sim.dnp3.events import Buffer, Event
from otgate_sim.dnp3.families import ONLINE, Number, Value
from otgate_sim.dnp3.options import CLASSES, Options

CLASS_BITS = {1: Iin.CLASS_1_EVENTS, 2: Iin.CLASS_2_EVENTS, 3: Iin.CLASS_3_EVENTS}
UNCONFIRMED_BROADCAST, CONFIRMED_BROADCAST = 0xFFFD, 0xFFFE
"""The indication of a broadcast goes with the next response, or with that one's confirm."""


def _nothing() -> None:
    return None


@dataclass(slots=True)
class Rtu:
    """One outstation's state."""

    options: Options
    database: Database
    clock: Callable[[], int]
    """Nanoseconds; never goes back."""
    wake: Callable[[], None] = _nothing
    """Called when an event is made."""
    buffer: Buffer = field(init=False)
    restarted: bool = True
    trouble: bool = False
    overflow_shown: bool = False
    """Show an overflow that is none."""
    broadcast: int | None = None
    """Where the last broadcast went that the master has not been told of."""
    recorded_s: float | None = None
    _needs_time: bool = field(init=False)
    _synchronised: bool = field(init=False)
    _set_s: float = 0.0
    _offset_ms: int = 0
    _serial: int = 0
    _zeroes: dict[int, Number] = field(default_factory=dict)
    """What counters stood at when they were last cleared, by index."""

    def __post_init__(self) -> None:
        self.buffer = Buffer(self.options.capacity)
        self._needs_time = self.options.needs_time
        self._synchronised = not self._needs_time
        self._set_s = self.seconds()

    def seconds(self) -> float:
        """Return a time for deadlines."""
        return self.clock() / 1e9

    def time_ms(self) -> int:
        """Return the outstation's time of day."""
        return self.clock() // 1_000_000 + self._offset_ms

    def set_time(self, time_ms: int, at_s: float | None = None) -> None:
        """Set the clock to what it should have shown at ``at_s``; now, if None."""
        since_s = 0.0 if at_s is None else self.seconds() - at_s
        self._offset_ms += time_ms + round(since_s * 1000) - self.time_ms()
        self._needs_time, self._synchronised, self._set_s = False, True, self.seconds()

    @property
    def needs_time(self) -> bool:
        """Whether the clock wants to be set."""
        every_s = self.options.need_time_every_s
        if every_s is not None and self.seconds() - self._set_s >= every_s:
            self._needs_time = True
        return self._needs_time

    def lose_time(self) -> None:
        """Ask for the time from now on; events are not synchronised until it is set."""
        self._needs_time, self._synchronised = True, False

    def update(
        self, entry: Entry, value: Value, flags: int = ONLINE, time_ms: int | None = None
    ) -> None:
        """Give a point a value; a change beyond its deadband is an event."""
        stamp = self.time_ms() if time_ms is None else time_ms
        if entry.take(value, flags, stamp):
            self.report(entry)

    def report(self, entry: Entry) -> None:
        """Make an event of what a point holds, in its class."""
        self._serial += 1
        self.buffer.add(
            Event(
                self._serial,
                entry.event_class or 1,
                entry.point_type,
                entry.index,
                entry.event_variation,
                entry.value,
                entry.flags,
                entry.time_ms,
                self._synchronised,
            )
        )
        self.wake()

    @property
    def last_serial(self) -> int:
        """The serial of the newest event."""
        return self._serial

    def follow(self, entry: Entry, value: Value) -> None:
        """Give a point what the plant shows, unless something else has set it."""
        if entry.commanded:
            return
        if entry.point_type is PointType.COUNTER and not isinstance(value, bytes):
            value -= self._zeroes.get(entry.index, 0)
        self.update(entry, value, entry.flags)

    def freeze(self, counters: Iterable[Entry], *, clear: bool = False) -> None:
        """Copy counters to the frozen ones of the same index, and start them again if told."""
        now_ms, frozen = self.time_ms(), self.database.of(PointType.FROZEN_COUNTER)
        for counter in counters:
            if counter.index in frozen:
                self.hold(frozen[counter.index], counter.value, now_ms)
            if clear and not isinstance(counter.value, bytes):
                self._zeroes[counter.index] = self._zeroes.get(counter.index, 0) + counter.value
                self.update(counter, 0, counter.flags, now_ms)

    def hold(self, frozen: Entry, value: Value, now_ms: int) -> None:
        """Freeze a value; that is an event whether it changed or not."""
        frozen.take(value, frozen.flags, now_ms)
        if frozen.event_class:
            self.report(frozen)

    def indications(self) -> int:
        """Return the internal indications as they are now."""
        shown = Iin(0)
        for event_class in CLASSES:
            if self.buffer.waiting[event_class]:
                shown |= CLASS_BITS[event_class]
        on = {
            Iin.NEED_TIME: self.needs_time,
            Iin.LOCAL_CONTROL: self.options.local,
            Iin.DEVICE_TROUBLE: self.trouble,
            Iin.DEVICE_RESTART: self.restarted,
            Iin.EVENT_BUFFER_OVERFLOW: self.buffer.overflowed or self.overflow_shown,
            Iin.BROADCAST: self.broadcast in BROADCASTS,
        }
        for bit, is_on in on.items():
            shown |= bit if is_on else 0
        return int(shown)

    def restart(self, *, keeps_events: bool) -> None:
        """Start again, as after a loss of power."""
        if not keeps_events:
            self.buffer.clear()
        self.restarted, self._needs_time = True, self.options.needs_time
        self._synchronised = not self._needs_time
        self.recorded_s = self.broadcast = None
        self._set_s = self.seconds()
