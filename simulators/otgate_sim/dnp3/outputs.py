"""Commands: SELECT, OPERATE and DIRECT OPERATE of g12v1 and g41, answered object by object.

IEEE 1815-2012, Annex A: group 12 variation 1, group 41; status codes of group 12.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from otgate_dnp3.stack.application import Function, Iin, Request
from otgate_dnp3.stack.layouts import LAYOUTS
from otgate_dnp3.stack.objects import Block, walk
from otgate_dnp3.stack.points import PointType
from otgate_sim.dnp3.database import Entry
from otgate_sim.dnp3.families import Value
from otgate_sim.dnp3.reading import LISTS, unread
from otgate_sim.dnp3.rtu import Rtu


class Status(IntEnum):
    """What became of one command."""

    SUCCESS = 0
    TIMEOUT = 1
    NO_SELECT = 2
    FORMAT_ERROR = 3
    NOT_SUPPORTED = 4
    LOCAL = 7
    TOO_MANY_OBJS = 8


PULSE_ON, PULSE_OFF, LATCH_ON, LATCH_OFF = 1, 2, 3, 4
CLOSE, TRIP = 1, 2
OUTPUTS = {12: PointType.BINARY_OUTPUT, 41: PointType.ANALOG_OUTPUT}


@dataclass(frozen=True, slots=True)
class Command:
    """One object of a command block, its status octet left off."""

    group: int
    variation: int
    prefix: bytes
    body: bytes

    def output(self, rtu: Rtu) -> Entry | None:
        """Return the point that it is for."""
        held = rtu.database.of(OUTPUTS[self.group])
        return held.get(int.from_bytes(self.prefix, "little"))

    def wanted(self) -> Value | None:
        """Return the state or value that it asks for; None where it asks for nothing known."""
        layout = LAYOUTS[self.group, self.variation].structs[0]
        first, count, *_ = layout.unpack(self.body + b"\0")
        if self.group == 41:
            return first if math.isfinite(first) else None
        code, trip_close = first & 0x0F, first >> 6
        if code not in {PULSE_ON, LATCH_ON, PULSE_OFF, LATCH_OFF} or trip_close > TRIP or not count:
            return None
        if trip_close:
            return int(trip_close == CLOSE) if code in {PULSE_ON, LATCH_ON} else None
        return int(code in {PULSE_ON, LATCH_ON})

    def judged(self, rtu: Rtu, place: int) -> Status:
        """Return whether the outstation would carry it out."""
        if place >= rtu.options.most_commands:
            return Status.TOO_MANY_OBJS
        if rtu.options.local:
            return Status.LOCAL
        known = self.output(rtu) is not None and self.wanted() is not None
        return Status.SUCCESS if known else Status.NOT_SUPPORTED

    def carry_out(self, rtu: Rtu) -> None:
        """Set the output; the plant does not drive it from then on."""
        entry, wanted = self.output(rtu), self.wanted()
        if entry is not None and wanted is not None:
            entry.commanded = True
            rtu.update(entry, wanted, entry.flags)


@dataclass(frozen=True, slots=True)
class Selected:
    """What a SELECT holds ready."""

    sequence: int
    objects: bytes
    until_s: float


@dataclass(slots=True)
class Outputs:
    """The commands of one outstation."""

    rtu: Rtu
    selected: Selected | None = None

    def take(self, request: Request) -> tuple[bytes, Iin]:
        """Carry out a command request; return the echo with each status, and refusals."""
        walked = walk(request.objects)
        refusals = unread(walked)
        for block in walked.blocks:
            refusals |= _fitness(block)
        if refusals or not walked.blocks:
            return b"", refusals or Iin.PARAMETER_ERROR
        commands = [(block, list(_commands(block))) for block in walked.blocks]
        every = [command for _, each in commands for command in each]
        statuses = self._statuses(request, every)
        if request.function != Function.SELECT:
            for command, status in zip(every, statuses, strict=True):
                if status is Status.SUCCESS:
                    command.carry_out(self.rtu)
        left = iter(statuses)
        return b"".join(_echo(block, each, left) for block, each in commands), Iin(0)

    def _statuses(self, request: Request, commands: list[Command]) -> list[Status]:
        refusal = Status.SUCCESS
        if request.function == Function.OPERATE:
            refusal = self._match(request)
        self.selected = None
        if refusal:
            return [refusal] * len(commands)
        judged = [command.judged(self.rtu, place) for place, command in enumerate(commands)]
        if request.function == Function.SELECT and not any(judged):
            until_s = self.rtu.seconds() + self.rtu.options.select_s
            self.selected = Selected(request.sequence, request.objects, until_s)
        return judged

    def _match(self, request: Request) -> Status:
        """Compare an OPERATE with the SELECT before it: the next in sequence, octet by octet."""
        selected = self.selected
        if selected is None or selected.objects != request.objects:
            return Status.NO_SELECT
        if request.sequence != (selected.sequence + 1) % 16:
            return Status.NO_SELECT
        return Status.TIMEOUT if self.rtu.seconds() > selected.until_s else Status.SUCCESS


def _fitness(block: Block) -> Iin:
    if block.group not in OUTPUTS or (block.group == 12 and block.variation != 1):
        return Iin.OBJECT_UNKNOWN
    return Iin(0) if block.qualifier in LISTS and block.number else Iin.PARAMETER_ERROR


def _commands(block: Block) -> Iterator[Command]:
    step = len(block.data) // block.number
    for at in range(0, len(block.data), step):
        body = at + block.prefix
        yield Command(
            block.group,
            block.variation,
            block.data[at:body],
            block.data[body : at + step - 1],
        )


def _echo(block: Block, commands: list[Command], statuses: Iterator[Status]) -> bytes:
    header = bytes((block.group, block.variation, block.qualifier))
    count = block.number.to_bytes(block.prefix, "little")
    each = (c.prefix + c.body + bytes((next(statuses),)) for c in commands)
    return header + count + b"".join(each)
