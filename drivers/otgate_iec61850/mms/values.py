"""Values that MMS carries, for which Python has no type of its own.

A boolean is a bool, an integer an int, a 32-bit float a float, a visible string a str, an octet
string bytes, a structure a tuple. The classes here are told apart by their exact type.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntFlag
from typing import TypeAlias

from otgate_iec61850.mms.errors import AccessError, AccessFailed

NS = 1_000_000_000

MMS_EPOCH_S = 441_763_200
"""1984-01-01 in seconds since the Unix epoch: day 0 of a BinaryTime, ISO 9506-2, TimeOfDay."""


class Unsigned(int):
    """An integer that MMS types as unsigned."""

    __slots__ = ()


class Double(float):
    """A float of 64 bits."""

    __slots__ = ()


class MmsString(str):
    """Text in UTF-8 (a visible string is ASCII)."""

    __slots__ = ()


class GeneralizedTime(str):
    """A time as text, ``20240131120000.000Z``."""

    __slots__ = ()

    @property
    def ns(self) -> int | None:
        """Nanoseconds since the Unix epoch, or None where it is no UTC time."""
        form = "%Y%m%d%H%M%S.%fZ" if "." in self else "%Y%m%d%H%M%SZ"
        try:
            found = datetime.strptime(self, form).replace(tzinfo=UTC)
        except ValueError:
            return None
        return int(found.timestamp()) * NS + found.microsecond * 1000


class Array(tuple["Value", ...]):
    """Values of one type (a structure is a plain tuple)."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Bits:
    """A bit string: bit 0 is the first on the wire and the highest of ``value``."""

    size: int
    value: int

    def __getitem__(self, at: int) -> bool:
        if not 0 <= at < self.size:
            raise IndexError(at)
        return bool(self.value >> (self.size - 1 - at) & 1)

    @classmethod
    def of(cls, size: int, *places: int) -> "Bits":
        """Return ``size`` bits of which those at ``places`` are set."""
        value = 0
        for place in places:
            value |= 1 << (size - 1 - place)
        return cls(size, value)

    @property
    def places(self) -> list[int]:
        """Which bits are set, in order."""
        text = f"{self.value:0{self.size}b}"
        return [at for at, bit in enumerate(text) if bit == "1"] if self.value else []


class TimeFlag(IntFlag):
    """The quality octet of a UtcTime (IEC 61850-8-1) above its five bits of accuracy."""

    LEAP_SECONDS_KNOWN = 0x80
    CLOCK_FAILURE = 0x40
    NOT_SYNCHRONISED = 0x20


class UtcTime(bytes):
    """Seconds, a fraction of 24 bits and a quality octet: the eight octets as they came."""

    __slots__ = ()

    @classmethod
    def of(cls, ns: int, quality: int = 0) -> "UtcTime":
        """Return the stamp of ``ns`` since the Unix epoch."""
        seconds, rest = divmod(ns, NS)
        fraction = (rest << 24) // NS
        return cls(seconds.to_bytes(4, "big") + fraction.to_bytes(3, "big") + bytes((quality,)))

    @property
    def ns(self) -> int:
        """Nanoseconds since the Unix epoch, rounded to the nearest."""
        whole = int.from_bytes(self, "big") >> 8
        return (whole * NS + (1 << 23)) >> 24

    @property
    def quality(self) -> int:
        """The quality octet."""
        return self[7]

    @property
    def flags(self) -> TimeFlag:
        """What the quality octet says besides accuracy."""
        return TimeFlag(self[7] & 0xE0)

    @property
    def accuracy_bits(self) -> int | None:
        """How many bits of the fraction are right; None where that is not told (31 or above 24)."""
        bits = self[7] & 0x1F
        return bits if bits <= 24 else None


class BinaryTime(bytes):
    """Milliseconds of the day in four octets and, where there are six, days since 1984."""

    __slots__ = ()

    @classmethod
    def of(cls, ns: int) -> "BinaryTime":
        """Return the six octets of ``ns`` since the Unix epoch."""
        days, ms = divmod(ns // 1_000_000 - MMS_EPOCH_S * 1000, 86_400_000)
        return cls(ms.to_bytes(4, "big") + days.to_bytes(2, "big"))

    @property
    def ns(self) -> int | None:
        """Nanoseconds since the Unix epoch, or None where the day is not told."""
        if len(self) != 6:
            return None
        days, ms = int.from_bytes(self[4:], "big"), int.from_bytes(self[:4], "big")
        return (MMS_EPOCH_S + 86_400 * days) * NS + ms * 1_000_000


@dataclass(frozen=True, slots=True)
class Opaque:
    """A value of a kind that substations do not use, as its octets."""

    tag: int
    octets: bytes


@dataclass(frozen=True, slots=True)
class Failure:
    """What stands in the place of a value that the server refused."""

    error: int

    def raised(self) -> AccessFailed:
        """Return it as an exception."""
        return AccessFailed(self.error)

    @property
    def name(self) -> str:
        """The error in words."""
        return str(AccessFailed(self.error))


Value: TypeAlias = bool | int | float | str | bytes | Bits | Opaque | tuple["Value", ...]
"""What MMS calls Data."""

AccessResult: TypeAlias = Value | Failure
"""A value, or why there is none."""

NO_SUCH_OBJECT = Failure(AccessError.OBJECT_NON_EXISTENT)
