"""One outstation without I/O: frames in, octets out, and the faults between.

It speaks through `outbox`; whoever carries it to a channel calls `tick` when `due_s` says so.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from otgate_dnp3.stack.application import Function
from otgate_dnp3.stack.link import BROADCASTS, Frame
from otgate_dnp3.stack.points import PointType
from otgate_dnp3.stack.station import Role, Station
from otgate_dnp3.stack.transport import Reassembly, Segmenter
from otgate_sim.dnp3.database import Database
from otgate_sim.dnp3.events import Event
from otgate_sim.dnp3.families import ONLINE, Value
from otgate_sim.dnp3.faults import (
    Dnp3Fault,
    no_frame,
    strangers_frame,
    with_broken_objects,
    with_wrong_crc,
    with_wrong_sequence,
)
from otgate_sim.dnp3.options import Options
from otgate_sim.dnp3.rtu import Rtu
from otgate_sim.dnp3.session import Session
from otgate_sim.faults import Trouble

LONGEST_REQUEST = 2048


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Frames to send, ``after_s`` from now."""

    frames: list[bytes]
    after_s: float = 0.0


@dataclass(slots=True)
class Outstation:
    """One outstation on one link."""

    options: Options
    database: Database
    clock: Callable[[], int]
    trouble: Trouble
    rtu: Rtu = field(init=False)
    session: Session = field(init=False)
    station: Station = field(init=False)
    outbox: list[Outgoing] = field(default_factory=list)
    hangs_up: bool = False
    """Whether the connection is to be closed once the outbox is sent."""
    _reassembly: Reassembly = field(init=False)
    _segmenter: Segmenter = field(default_factory=Segmenter)
    _dropped_last: bool = False

    def __post_init__(self) -> None:
        self.rtu = Rtu(self.options, self.database, self.clock)
        self.session = Session(self.rtu)
        self.station = Station(Role.OUTSTATION, self.options.outstation, self.options.master)
        self._reassembly = Reassembly(LONGEST_REQUEST)

    def set(
        self,
        point_type: PointType,
        index: int,
        value: Value,
        flags: int = ONLINE,
        time_ms: int | None = None,
    ) -> None:
        """Give a point a value, which the plant does not drive from then on.

        Raises:
            KeyError: there is no such point.
        """
        entry = self.database.of(point_type)[index]
        entry.commanded = True
        self.rtu.update(entry, value, flags, time_ms)

    def burst(
        self,
        point_type: PointType,
        index: int,
        count: int,
        start_ms: int | None = None,
        step_ms: int = 1,
    ) -> range:
        """Make ``count`` events of a point at once; return their serials.

        Binaries turn, double bits go between off and on, numbers count up; each at its time.

        Raises:
            KeyError: there is no such point.
        """
        entry = self.database.of(point_type)[index]
        entry.commanded = True
        first = self.rtu.last_serial + 1
        at_ms = self.rtu.time_ms() if start_ms is None else start_ms
        for number in range(count):
            entry.take(next_value(point_type, entry.value), ONLINE, at_ms + number * step_ms)
            self.rtu.report(entry)
        return range(first, first + count)

    @property
    def confirmed(self) -> list[Event]:
        """The events that the master has confirmed, in the order of the confirms."""
        return list(self.rtu.buffer.confirmed)

    def link_up(self) -> None:
        """Begin on a new connection."""
        self.station.reset()
        self._reassembly.reset()
        self.outbox.clear()
        self.hangs_up = False
        self.session.link_up()
        self._flush()

    def link_lost(self) -> None:
        """Let go of a connection."""
        self.session.link_lost()
        self.outbox.clear()

    def restart(self, *, keeps_events: bool = False) -> None:
        """Start again and close the connection."""
        self.session.restart(keeps_events=keeps_events)
        self.hangs_up = True
        self.rtu.wake()

    def receive(self, frame: Frame) -> None:
        """Take a frame from the link."""
        fault = self._fault()
        if fault is Dnp3Fault.SILENT:
            self.trouble.now()
            return
        answer, segment = self.station.receive(frame)
        if answer:
            self.outbox.append(Outgoing([answer]))
        fragment = self._reassembly.feed(segment)
        if fragment:
            broadcast = frame.destination if frame.destination in BROADCASTS else None
            self._take(fragment, broadcast, fault)
        self._flush()

    def tick(self) -> None:
        """Do what the time has come for."""
        self._fault()
        self.session.tick()
        self._flush()

    def due_s(self) -> float:
        """Return when `tick` has something to do, by the clock in seconds."""
        return self.session.due_s()

    def _take(self, fragment: bytes, broadcast: int | None, fault: object) -> None:
        is_confirm = fragment[1:2] == bytes((Function.CONFIRM,))
        if fault is Dnp3Fault.NO_CONFIRM and is_confirm:
            self.trouble.now()
            return
        if fault is Dnp3Fault.CLOSE and not is_confirm:
            self.trouble.now()
            self.hangs_up = True
            return
        self.session.receive(fragment, broadcast)

    def _fault(self) -> StrEnum:
        fault = self.trouble.in_force()
        self.rtu.overflow_shown = fault is Dnp3Fault.OVERFLOW
        return fault

    def _flush(self) -> None:
        fragments = list(self.session.outbox)
        self.session.outbox.clear()
        for fragment in fragments:
            self._send(fragment)
        if restart := self.session.requests.restarting:
            self.session.requests.restarting = None
            self.restart(keeps_events=restart is Function.WARM_RESTART)

    def _send(self, fragment: bytes) -> None:
        """Send a fragment as the outstation's trouble has it."""
        rng = self.trouble.rng
        fault = self.trouble.now()
        if fault is Dnp3Fault.SILENT:
            return
        if fault is Dnp3Fault.DROP:
            self._dropped_last = not self._dropped_last
            if self._dropped_last:
                return
        if fault is Dnp3Fault.CORRUPT_BODY:
            fragment = with_broken_objects(fragment, rng)
        elif fault is Dnp3Fault.WRONG_SEQUENCE:
            fragment = with_wrong_sequence(fragment)
        frames = [self.station.user_data(each) for each in self._segmenter.cut(fragment)]
        if fault is Dnp3Fault.CORRUPT:
            frames = [with_wrong_crc(frame, rng) for frame in frames]
        elif fault is Dnp3Fault.GARBAGE:
            frames = [no_frame(len(frame), rng) for frame in frames]
        elif fault is Dnp3Fault.DUPLICATE:
            frames += [self.station.user_data(each) for each in self._segmenter.cut(fragment)]
        elif fault is Dnp3Fault.FORGED_ADDRESS:
            frames = [strangers_frame(self.station, fragment), *frames]
        after_s = self.trouble.late_s if fault is Dnp3Fault.DELAY else 0.0
        self.outbox.append(Outgoing(frames, after_s))


def next_value(point_type: PointType, value: Value) -> Value:
    """Return what a point shows next in a burst."""
    if isinstance(value, bytes):
        return value[:-1] + bytes((value[-1] + 1 & 0xFF,))
    if point_type in {PointType.BINARY_INPUT, PointType.BINARY_OUTPUT}:
        return 1 - int(value)
    if point_type is PointType.DOUBLE_BIT_INPUT:
        return 1 if value == 2 else 2
    return value + 1
