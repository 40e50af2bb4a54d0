"""The driver contract: what a field protocol has to bring, and nothing more.

A driver plans offline, connects, scans and listens. It does not reconnect, retry beyond its one
permitted retry, sleep between attempts, log connection state, spawn detached tasks, or know
MQTT: the supervisor and the bus side do. Built-in and third-party drivers use the same door, the
entry point group ``otgate.drivers``.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, NamedTuple, Protocol, runtime_checkable

from otgate.errors import Mistake
from otgate.model import Batch, Device, Point, Scan, ValueType

DRIVERS = "otgate.drivers"
"""Entry point group in which drivers announce themselves."""


class Receipt(Protocol):
    """What `Emit` hands back for a batch."""

    async def durable(self, limit_s: float = 5.0) -> None:
        """Return once every conduit has synced the batch, does not take it, or recorded its drop.

        Raises:
            NotDurable: ``limit_s`` seconds passed first; do not confirm to the device.
        """


class Emit(Protocol):
    """Hand a batch to the gateway. Never blocks."""

    def __call__(self, batch: Batch) -> Receipt:
        """Take ``batch``; its columns are not modified afterwards by either side."""


class DeviceState(Protocol):
    """A small durable key-value store per device (learned splits, EntryIDs)."""

    def get(self, key: str) -> Any:
        """Return what was put under ``key`` before, in this run or an earlier one, or None."""

    def put(self, key: str, value: Any) -> None:
        """Keep ``value`` (JSON: str, number, bool, None, list, dict) under ``key``."""


@dataclass(frozen=True, slots=True)
class Link:
    """The devices that share one link, what was planned for them, and their durable state."""

    devices: Sequence[Device]
    plans: Mapping[str, Sequence[Scan]]
    state: Mapping[str, DeviceState]


class Session(Protocol):
    """One device on an open link."""

    async def scan(self, scan: Scan, emit: Emit) -> None:
        """Read the scan's points once and emit them before the caller's deadline.

        Points that the device refuses are emitted with their quality. The caller cancels at
        the deadline; a session survives that and never gives a late reply to a later scan.

        Raises:
            LinkLost: the whole link is gone.
            TimeoutError: this device did not answer; the link may still serve others.
        """

    async def listen(self, emit: Emit) -> None:
        """Emit what the device sends unasked; a poll-only driver waits for ever.

        Raises:
            LinkLost: the whole link is gone.
        """


class Trouble(NamedTuple):
    """What a session has met that is no good answer, since it was opened.

    Of frames the link's are meant: devices that share it tell the same.
    """

    exceptions: int = 0
    """Answers of the device that refuse a request, as its protocol has them."""
    malformed: int = 0
    """Frames that cannot be read, or that answer something else than was asked."""
    unexpected: int = 0
    """Frames that nobody waits for: late ones, and those of strangers."""
    retries: int = 0
    """Requests that were sent again."""

    def plus(self, other: "Trouble") -> "Trouble":
        """Return both together."""
        return Trouble(*(one + more for one, more in zip(self, other, strict=True)))


@runtime_checkable
class Counting(Protocol):
    """An optional power of a session: counts what it meets."""

    def trouble(self) -> Trouble:
        """Return the counts; they only grow."""


@runtime_checkable
class Driver(Protocol):
    """A field protocol. Instances hold no device state: it lives in sessions."""

    settings: type[Any]
    """A pydantic model with ``extra="forbid"``: the driver's block of a device entry."""
    housekeeping: Sequence[str]
    """Every write the driver may send unasked, each in words; empty for a reader only."""

    def link_key(self, device: Device) -> Hashable:
        """Return what devices on one link have in common, e.g. the endpoint."""

    def plan(self, device: Device) -> Sequence[Scan]:
        """Decide every request, without a device.

        Raises:
            Mistakes: everything that is wrong with the point map or the settings.
        """

    def connect(self, link: Link) -> AbstractAsyncContextManager[Mapping[str, Session]]:
        """Open the link and yield a session per device id.

        Raises:
            LinkLost: no connection, now or later.
            Unusable: this can never work as configured.
        """


@runtime_checkable
class Sharing(Protocol):
    """An optional power: says what devices that share a link must not have in common."""

    def sharing(self, devices: Sequence[Device]) -> Mapping[str, Sequence[Mistake]]:
        """Return what is wrong with the devices of one link, by device id; without a device."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What of the system the link of a device needs."""

    connect: Sequence[int] = ()
    """TCP ports that are dialled."""
    listen: Sequence[int] = ()
    """TCP ports on which devices are waited for."""
    files: Sequence[str] = ()
    """Device files."""


@runtime_checkable
class Reaching(Protocol):
    """An optional power: says what links need, so that the field side can give up all else."""

    def reach(self, device: Device) -> Reach:
        """Return what the device's link needs, also what it needs at times; without a device."""


@runtime_checkable
class Timed(Protocol):
    """An optional power: says how long polls take, beside each request's ``takes_s``."""

    def timing(self, device: Device) -> str:
        """Return in words what the times of the device's requests assume."""

    def limit_s(self, device: Device, scan: Scan) -> float:
        """Return how long one poll of ``scan`` may take before it is given up."""


@runtime_checkable
class Doubting(Protocol):
    """An optional power: says what a plan does that is seldom meant."""

    def doubts(self, device: Device) -> Sequence[Mistake]:
        """Return warnings about a device that can be planned; without a device."""


@runtime_checkable
class Moving(Protocol):
    """An optional power: finds what a device has several times over, at a stride."""

    def moved(self, address: str, by: int) -> str:
        """Return an address ``by`` further on; as it is where it is none, for `plan` to say.

        Raises:
            BadCell: there is no address so far on.
        """


@runtime_checkable
class Learning(Protocol):
    """An optional power: says what devices have taught while they were polled."""

    def learned(self, device: Device, state: DeviceState) -> Sequence[str]:
        """Return what ``state`` says of the device's limits, each in words."""


@runtime_checkable
class Peeking(Protocol):
    """An optional power: reads every point of a device once, for `otgate check --live`.

    It changes nothing there, confirms no event and takes nothing that another client is owed.
    """

    async def peek(self, device: Device, emit: Emit) -> None:
        """Connect, read, let go. Points that the device refuses are emitted with their quality.

        Raises:
            LinkLost: there is no connection.
            TimeoutError: the device said nothing.
            Unusable: this can never work as configured.
            Mistakes: the points cannot be read together.
        """


@runtime_checkable
class Bound(Protocol):
    """An optional power: connects by the interface and the address that ``Device.via`` names.

    `otgate.endpoint.sockets` makes such sockets.
    """

    def hosts(self, device: Device) -> Sequence[str]:
        """Return the hosts and addresses that the device is reached at; none on a serial line."""


@dataclass(frozen=True, slots=True)
class Variant:
    """Another way in which a point may have been meant."""

    words: str
    """In words: ``CDAB``, ``one address higher``."""
    point: Point
    """The point as its map would have it then."""
    column: str
    """The column of the map that differs."""
    setting: str = ""
    """What the device's block would say instead, where all its points were meant so."""

    @property
    def cell(self) -> str:
        """What the map would say."""
        return f"{self.column}: {getattr(self.point, self.column)}"


@runtime_checkable
class Guessing(Protocol):
    """An optional power: knows how the points of its protocol are commonly mistaken."""

    def variants(self, device: Device, point: Point) -> Sequence[Variant]:
        """Return other ways in which ``point`` may have been meant, the likeliest first."""


@dataclass(frozen=True, slots=True)
class Example:
    """A device of a protocol, as somebody would begin to write it."""

    settings: Mapping[str, Any]
    """The driver's block."""
    scans: Mapping[str, float]
    """Scan classes by name, in seconds."""
    points: str
    """A point map, as CSV."""


@runtime_checkable
class Exemplary(Protocol):
    """An optional power: shows how a device is written, for `otgate new`."""

    example: Example


class Installed(Mapping[str, Driver]):
    """The drivers on this machine by name, each imported when it is asked for first."""

    def __init__(self) -> None:
        self._entries = {entry.name: entry for entry in entry_points(group=DRIVERS)}
        self._loaded: dict[str, Driver] = {}

    def __getitem__(self, name: str) -> Driver:
        if name not in self._loaded:
            self._loaded[name] = self._entries[name].load()()
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def installed() -> Mapping[str, Driver]:
    """Return an instance of every driver installed on this machine, by name."""
    return Installed()


def planned_types(device: Device, plan: Sequence[Scan]) -> list[ValueType]:
    """Return the value type of each of the device's points, as its plan decided."""
    types = [ValueType.F64] * len(device.points)
    for scan in plan:
        for point, value_type in zip(scan.points, scan.value_types, strict=True):
            types[point] = value_type
    return types
