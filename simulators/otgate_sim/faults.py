"""Faults that a simulated device shows while it serves: what it does to a reply, byte for byte."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

LATE_S = 3.0
"""How long a late reply is held; longer than a client waits."""
DEVICE_FAILURE = 0x04
"""Exception code: Modbus Application Protocol V1.1b3, §7."""


class Fault(StrEnum):
    """What a device does instead of answering well."""

    NONE = "none"
    SILENT = "silent"
    EXCEPTION = "exception"
    CLOSE = "close"
    LATE = "late"
    GARBAGE = "garbage"
    WRONG_TID = "wrong-tid"
    RESCALE = "rescale"
    """It answers well, with scale factors that are coarser by a power of ten."""


@dataclass(slots=True)
class Trouble:
    """The fault that one device has now, and until when."""

    seconds: Callable[[], float]
    """A clock that never goes back."""
    fault: StrEnum = Fault.NONE
    kinds: type[StrEnum] = Fault
    """The faults that its protocol knows; one of them is `none`."""
    until: float | None = None
    replies: int = 0
    """Replies that the device gave well."""
    spoilt: int = 0
    """Replies that a fault spoilt."""
    late_s: float = LATE_S
    rng: random.Random = field(default_factory=lambda: random.Random(7))

    def begin(self, fault: StrEnum, for_s: float | None = None) -> None:
        """Show ``fault`` from now on, for ``for_s`` seconds or until told otherwise."""
        self.fault = fault
        self.until = None if for_s is None else self.seconds() + for_s

    def in_force(self) -> StrEnum:
        """Return the fault in force."""
        if self.until is not None and self.seconds() >= self.until:
            self.begin(self.kinds("none"))
        return self.fault

    def now(self) -> StrEnum:
        """Return the fault in force, counting one reply."""
        fault = self.in_force()
        if fault == "none":
            self.replies += 1
        else:
            self.spoilt += 1
        return fault


def refused(frame: bytes) -> bytes:
    """Turn a reply into the exception reply "server device failure" to the same request."""
    return frame[:4] + b"\x00\x03" + frame[6:7] + bytes((frame[7] | 0x80, DEVICE_FAILURE))


def garbled(frame: bytes, rng: random.Random) -> bytes:
    """Replace a reply by noise of the same length that is no Modbus frame."""
    noise = bytearray(rng.randbytes(len(frame)))
    noise[2] |= 0x80  # a protocol identifier that is never zero
    return bytes(noise)


def foreign(frame: bytes) -> bytes:
    """Give a reply the transaction identifier of another request."""
    wrong = (int.from_bytes(frame[:2]) + 0x1111) & 0xFFFF
    return wrong.to_bytes(2) + frame[2:]
