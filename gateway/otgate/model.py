"""The telemetry model: points, devices, and batches of samples held as columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from otgate.via import ANY_WAY, Via

Index = NDArray[np.int32]
Words = NDArray[np.uint32]
Nanoseconds = NDArray[np.int64]
Mask = NDArray[np.bool_]
Values = NDArray[Any]
"""Samples of one value type: float64, int64, uint64, bool, or object holding str."""

NO_STATES: Mapping[int, str] = MappingProxyType({})


def distinct(column: NDArray[np.integer[Any]]) -> list[int]:
    """Return the numbers that a column holds, each once, ascending.

    As `np.unique`, for which numpy imports masked arrays when it is first called: 2 MB, on the
    event loop.
    """
    return sorted(set(column.tolist()))


class Kind(StrEnum):
    """What a point is to the people who read it; decides its lane and who may receive it."""

    MEASUREMENT = "measurement"
    STATUS = "status"
    COUNTER = "counter"
    EVENT = "event"
    TEXT = "text"
    SETTING = "setting"
    CONTROL = "control"


class Lane(StrEnum):
    """The two logs of a spool, kept apart so that data can be dropped before events."""

    DATA = "data"
    EVENT = "event"


EVENT_KINDS = frozenset({Kind.STATUS, Kind.EVENT})
"""Kinds whose samples travel in the event lane."""

MOVING = frozenset({Kind.MEASUREMENT, Kind.COUNTER})
"""Kinds whose values change where there is life."""


class ValueType(IntEnum):
    """How a batch's values are held. Enums and double-bit states are I64 codes."""

    F64 = 0
    I64 = 1
    U64 = 2
    BOOL = 3
    TEXT = 4

    @property
    def dtype(self) -> np.dtype[Any]:
        """The numpy type of a column of these values."""
        return DTYPES[self]


DTYPES = {
    ValueType.F64: np.dtype(np.float64),
    ValueType.I64: np.dtype(np.int64),
    ValueType.U64: np.dtype(np.uint64),
    ValueType.BOOL: np.dtype(np.bool_),
    ValueType.TEXT: np.dtype(object),
}


class Origin(IntEnum):
    """Why a sample was sent. Never rewritten on its way."""

    POLL = 0
    EVENT = 1
    UNSOLICITED = 2
    INTEGRITY = 3
    GI = 4
    REFRESH = 5
    SUBSTITUTED = 6
    CALCULATED = 7


class Clock(IntEnum):
    """Whose clock a sample's source time was read from."""

    DEVICE = 0
    GATEWAY = 1


class Sensitivity(IntEnum):
    """Ordered classification; what nobody classified is BCSI and cannot leave."""

    PUBLIC = 0
    INTERNAL = 1
    RESTRICTED = 2
    BCSI = 3


@dataclass(frozen=True, slots=True)
class Deadband:
    """A change to report: in engineering units, or in percent of the engineering range."""

    amount: float
    percent: bool = False


class Point(msgspec.Struct, frozen=True):
    """One measured or controlled quantity of a device, as the point map declares it.

    A struct because there are tens of thousands: a frozen dataclass takes 15 times as long to make.
    """

    id: str
    kind: Kind
    address: str = ""
    name: str = ""
    description: str = ""
    unit: str = ""
    type: str = ""
    order: str = ""
    scale: float = 1.0
    offset: float = 0.0
    ratio: float = 1.0
    """Of the instrument transformers between what is measured and the device; times ``scale``."""
    sf: str = ""
    """Address of a register that holds the power of ten of the value: SunSpec's scale factor."""
    rollover: str = ""
    """What a counter counts to before it starts again at zero."""
    raw_lo: float | None = None
    raw_hi: float | None = None
    eu_lo: float | None = None
    eu_hi: float | None = None
    invert: bool = False
    states: Mapping[int, str] = NO_STATES
    deadband: Deadband | None = None
    latch: bool = False
    """Whether every change that a read sees goes on, however fast they follow one another."""
    scan: str = ""
    max_age_s: float = 0.0
    """Seconds without a read after which the point is stale; 0 is never."""
    zone: str = ""
    tags: frozenset[str] = frozenset()
    sensitivity: Sensitivity = Sensitivity.BCSI
    owner: str = ""
    external_id: str = ""
    place: tuple[str, str, str, str, str] = ("", "", "", "", "")
    """Substation, voltage level, bay, equipment, phase."""

    @property
    def has_flags(self) -> bool:
        """Whether its states name bits, each on or off, instead of codes: types called flags."""
        return self.type.lower().startswith("flags")

    @property
    def scaled(self) -> bool:
        """Whether the map says how its raw numbers become engineering units."""
        ranged = self.raw_lo is not None and self.eu_lo is not None
        linear = (self.scale, self.offset, self.ratio) != (1.0, 0.0, 1.0)
        return ranged or linear or bool(self.sf)


@dataclass(frozen=True, slots=True)
class Reporting:
    """How often a device's unchanged or fast points are sent; seconds, 0 is off."""

    min_interval_s: float = 0.0
    max_interval_s: float = 0.0
    refresh_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Flat:
    """For how long values of a device may stay exactly the same before somebody is told."""

    after_s: float = 0.0
    """0 is for ever."""
    each: tuple[int, ...] = ()
    """Points of which each is to change; where there are none, any of what it measures is."""


@dataclass(frozen=True, slots=True)
class Device:
    """What a link talks to, with its points and its driver's own settings."""

    id: str
    driver: str
    zone: str
    points: Sequence[Point]
    scans: Mapping[str, float]
    """Scan classes: name to ``period_s``. A point names its own in ``Point.scan``."""
    settings: Any
    reporting: Reporting = Reporting()
    time_zone: str = ""
    maintenance: bool = False
    via: Via = ANY_WAY
    flat: Flat = Flat()


@dataclass(frozen=True, slots=True)
class Request:
    """One read that a plan makes: what it asks, and what of the answer is used."""

    text: str
    used: int
    wasted: int
    wire_bytes: int
    """Bytes of request and reply together on the wire."""
    takes_s: float = 0.0
    """How long it keeps the link busy, as far as that can be told offline; 0 is not told."""


@dataclass(frozen=True, slots=True)
class Scan:
    """Points read together at one rate, as a driver's plan decided offline.

    ``points`` index into the device's points; ``value_types`` runs parallel to it.
    """

    name: str
    period_s: float
    points: Sequence[int]
    value_types: Sequence[ValueType]
    requests: Sequence[Request] = ()


@dataclass(slots=True)
class Batch:
    """Samples of one device, value type and origin, held as columns of equal length.

    ``source_ns`` is None where the protocol carries no device time: ``received_ns`` then stands
    in and a payload says so. The gateway itself gives a ``source_ns`` where it sends an older
    value again; ``clock`` then says whose stamp that is. Where ``quality`` has NO_VALUE the value
    is a placeholder that nobody reads. Columns are never modified once emitted, so that a session
    may emit the same arrays again for an unchanged reply and receivers know them by identity.
    """

    device: str
    value_type: ValueType
    origin: Origin
    index: Index
    values: Values
    quality: Words
    received_ns: int
    source_ns: Nanoseconds | None = None
    clock: Clock = Clock.DEVICE
    """Of ``source_ns``; means nothing where that is None."""

    def __len__(self) -> int:
        return len(self.index)

    def renumbered(self, index: Index) -> "Batch":
        """Return the same samples with their points numbered by ``index``."""
        return Batch(
            self.device,
            self.value_type,
            self.origin,
            index,
            self.values,
            self.quality,
            self.received_ns,
            self.source_ns,
            self.clock,
        )

    def kept(self, mask: Mask) -> "Batch":
        """Return the samples where ``mask`` is true, as a batch of its own."""
        return Batch(
            self.device,
            self.value_type,
            self.origin,
            self.index[mask],
            self.values[mask],
            self.quality[mask],
            self.received_ns,
            None if self.source_ns is None else self.source_ns[mask],
            self.clock,
        )
