"""Commands as octets, and the check of their echo: IEEE 1815-2012, groups 12 and 41.

Nothing that a user can configure reaches this module.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from otgate_dnp3.stack.objects import Block, counted, walk


class Trip(IntEnum):
    """Control codes of a binary command: what to do, on which of two coils."""

    NUL = 0x00
    PULSE_ON = 0x01
    PULSE_OFF = 0x02
    LATCH_ON = 0x03
    LATCH_OFF = 0x04
    CLOSE_PULSE_ON = 0x41
    TRIP_PULSE_ON = 0x81


class Status(IntEnum):
    """How an outstation took a command for one point; what is not listed is refused as well."""

    SUCCESS = 0
    TIMEOUT = 1
    NO_SELECT = 2
    FORMAT_ERROR = 3
    NOT_SUPPORTED = 4
    ALREADY_ACTIVE = 5
    HARDWARE_ERROR = 6
    LOCAL = 7
    TOO_MANY_OBJS = 8
    NOT_AUTHORIZED = 9
    AUTOMATION_INHIBIT = 10
    PROCESSING_LIMITED = 11
    OUT_OF_RANGE = 12
    NON_PARTICIPATING = 126
    UNDEFINED = 127


@dataclass(frozen=True, slots=True)
class BinaryCommand:
    """A control relay output block for one point: group 12, variation 1."""

    index: int
    code: int
    count: int = 1
    on_ms: int = 0
    off_ms: int = 0

    @property
    def kind(self) -> tuple[int, int]:
        """Group and variation."""
        return 12, 1

    def octets(self, status: int = 0) -> bytes:
        """Return the object, without index."""
        return struct.pack("<BBIIB", self.code, self.count, self.on_ms, self.off_ms, status)


class Width(IntEnum):
    """Variations of an analog command."""

    I32 = 1
    I16 = 2
    F32 = 3
    F64 = 4


ANALOG = {
    Width.I32: struct.Struct("<iB"),
    Width.I16: struct.Struct("<hB"),
    Width.F32: struct.Struct("<fB"),
    Width.F64: struct.Struct("<dB"),
}


@dataclass(frozen=True, slots=True)
class AnalogCommand:
    """An analog output block for one point: group 41."""

    index: int
    value: float
    width: Width

    @property
    def kind(self) -> tuple[int, int]:
        """Group and variation."""
        return 41, int(self.width)

    def octets(self, status: int = 0) -> bytes:
        """Return the object, without index."""
        exact = self.width in {Width.I32, Width.I16}
        return ANALOG[self.width].pack(int(self.value) if exact else self.value, status)


Command = BinaryCommand | AnalogCommand


def command_objects(commands: Sequence[Command]) -> bytes:
    """Return the objects of a command, one block per run of the same kind.

    Raises:
        ValueError: there are none.
    """
    if not commands:
        raise ValueError("no command")
    width = 1 if max(each.index for each in commands) <= 0xFF and len(commands) <= 0xFF else 2
    runs: list[tuple[tuple[int, int], list[bytes]]] = []
    for command in commands:
        octets = command.index.to_bytes(width, "little") + command.octets()
        if not runs or runs[-1][0] != command.kind:
            runs.append((command.kind, []))
        runs[-1][1].append(octets)
    return b"".join(counted(*kind, octets, index_width=width) for kind, octets in runs)


def echoed(sent: bytes, received: bytes) -> tuple[int, ...] | None:
    """Return the status of each point, or None where anything but the statuses differs."""
    there, back = walk(sent), walk(received)
    if back.rest or len(there.blocks) != len(back.blocks):
        return None
    statuses: list[int] = []
    for asked, answered in zip(there.blocks, back.blocks, strict=True):
        if asked._replace(data=b"") != answered._replace(data=b""):
            return None
        step = len(asked.data) // asked.number
        if not _same_but_for_the_last(asked, answered, step):
            return None
        statuses += answered.data[step - 1 :: step]
    return tuple(statuses)


def _same_but_for_the_last(asked: Block, answered: Block, step: int) -> bool:
    """Compare object by object without its last octet, the status."""
    return len(asked.data) == len(answered.data) and all(
        asked.data[at : at + step - 1] == answered.data[at : at + step - 1]
        for at in range(0, len(asked.data), step)
    )
