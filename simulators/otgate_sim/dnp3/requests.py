"""Requests other than READ: what each function does, and what it is answered with."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from otgate_dnp3.stack import encode
from otgate_dnp3.stack.application import RESTART_INDEX, Function, Iin, Request
from otgate_dnp3.stack.decode import decoded
from otgate_dnp3.stack.objects import ALL_OBJECTS, Block, walk
from otgate_dnp3.stack.points import GROUPS, Columns, PointType
from otgate_sim.dnp3.families import DEADBANDS, OF_STATIC
from otgate_sim.dnp3.outputs import Outputs
from otgate_sim.dnp3.reading import indices, unread
from otgate_sim.dnp3.rtu import Rtu

FREEZES = {
    Function.IMMED_FREEZE: False,
    Function.IMMED_FREEZE_NR: False,
    Function.FREEZE_CLEAR: True,
    Function.FREEZE_CLEAR_NR: True,
}
"""Whether the counters start again."""

SILENT = frozenset(
    {
        Function.DIRECT_OPERATE_NR,
        Function.IMMED_FREEZE_NR,
        Function.FREEZE_CLEAR_NR,
    }
)
"""Functions that are never answered."""

BROADCAST = SILENT | {
    Function.WRITE,
    Function.COLD_RESTART,
    Function.WARM_RESTART,
    Function.ENABLE_UNSOLICITED,
    Function.DISABLE_UNSOLICITED,
    Function.ASSIGN_CLASS,
    Function.RECORD_CURRENT_TIME,
}
"""Functions that are carried out when they come to all outstations at once."""

Answer = tuple[bytes, Iin]
NOTHING: Answer = b"", Iin(0)


@dataclass(slots=True)
class Requests:
    """Carries out the requests of one master."""

    rtu: Rtu
    enabled: set[int]
    """Classes that may be reported unasked; shared with unsolicited reporting."""
    outputs: Outputs = field(init=False)
    restarting: Function | None = None
    """The restart to make once it has been answered."""

    def __post_init__(self) -> None:
        self.outputs = Outputs(self.rtu)

    def carry_out(self, request: Request) -> Answer:
        """Do what a request asks; return the objects of the answer and its refusals."""
        act = ACTS.get(request.function)
        if act is None:
            self.outputs.selected = None
            return b"", Iin.NO_FUNC_CODE_SUPPORT
        if act is not _command:
            self.outputs.selected = None
        return act(self, request)


def _command(requests: Requests, request: Request) -> Answer:
    return requests.outputs.take(request)


def _write(requests: Requests, request: Request) -> Answer:
    walked = walk(request.objects)
    refusals = unread(walked)
    for block in walked.blocks:
        write = WRITES.get((block.group, block.variation)) or WRITES.get((block.group, 0))
        refusals |= write(requests.rtu, block) if write else Iin.OBJECT_UNKNOWN
    return b"", refusals


def _write_indications(rtu: Rtu, block: Block) -> Iin:
    """Clear the restart indication; nothing else of them can be written."""
    if (block.start, block.number, block.data) != (RESTART_INDEX, 1, b"\0"):
        return Iin.PARAMETER_ERROR
    rtu.restarted = False
    return Iin(0)


def _write_time(rtu: Rtu, block: Block) -> Iin:
    """Set the clock to now, or by variation 3 to the time that was recorded."""
    if block.number != 1 or block.start is not None or block.prefix or block.sized:
        return Iin.PARAMETER_ERROR
    at_s = rtu.recorded_s if block.variation == 3 else None
    if block.variation == 3 and at_s is None:
        return Iin.PARAMETER_ERROR
    rtu.set_time(int.from_bytes(block.data, "little"), at_s)
    rtu.recorded_s = None
    return Iin(0)


def _write_deadbands(rtu: Rtu, block: Block) -> Iin:
    held = rtu.database.of(PointType.ANALOG_INPUT)
    named = indices(block, held)
    if named is None or block.qualifier == ALL_OBJECTS or not named[1]:
        return Iin.PARAMETER_ERROR
    for columns in decoded([block]).columns:
        if any(not value >= 0 for value in columns.values):
            return Iin.PARAMETER_ERROR
        for index, value in zip(columns.index, columns.values, strict=True):
            held[index].deadband = value
    return Iin(0)


def _freeze(requests: Requests, request: Request) -> Answer:
    walked = walk(request.objects, carried=False)
    refusals, counters = unread(walked), requests.rtu.database.of(PointType.COUNTER)
    for block in walked.blocks:
        named = indices(block, counters)
        if (block.group, block.variation) != (20, 0) or not counters:
            refusals |= Iin.OBJECT_UNKNOWN
        elif named is None:
            refusals |= Iin.PARAMETER_ERROR
        else:
            clear = FREEZES[Function(request.function)]
            requests.rtu.freeze((counters[index] for index in named[0]), clear=clear)
            refusals |= Iin(0) if named[1] else Iin.PARAMETER_ERROR
    return b"", refusals


def _restart(requests: Requests, request: Request) -> Answer:
    requests.restarting = Function(request.function)
    return _delay(requests.rtu.options.restart_ms), Iin(0)


def _delay_measure(requests: Requests, _: Request) -> Answer:
    del requests
    return _delay(0), Iin(0)


def _delay(ms: int) -> bytes:
    return encode.block(
        Columns(52, 2, GROUPS[52].point_type, event=False, index=range(1), values=[ms])
    )


def _record_time(requests: Requests, _: Request) -> Answer:
    requests.rtu.recorded_s = requests.rtu.seconds()
    return NOTHING


def _enable(requests: Requests, request: Request) -> Answer:
    return _switch(requests, request, requests.enabled.update)


def _disable(requests: Requests, request: Request) -> Answer:
    return _switch(requests, request, requests.enabled.difference_update)


def _switch(
    requests: Requests, request: Request, change: Callable[[Iterable[int]], object]
) -> Answer:
    if not requests.rtu.options.unsolicited:
        return b"", Iin.NO_FUNC_CODE_SUPPORT
    walked = walk(request.objects, carried=False)
    refusals = unread(walked)
    for block in walked.blocks:
        if block.group != 60 or not 2 <= block.variation <= 4:
            refusals |= Iin.OBJECT_UNKNOWN
        elif block.qualifier != ALL_OBJECTS:
            refusals |= Iin.PARAMETER_ERROR
        else:
            change((block.variation - 1,))
    return b"", refusals


def _assign_class(requests: Requests, request: Request) -> Answer:
    """Give points another class: a class header, then headers that name static objects."""
    walked = walk(request.objects, carried=False)
    refusals, event_class = unread(walked), -1
    for block in walked.blocks:
        if block.group == 60 and 1 <= block.variation <= 4:
            event_class = block.variation - 1
            continue
        point_type = OF_STATIC.get(block.group)
        held = requests.rtu.database.of(point_type) if point_type else {}
        named = indices(block, held)
        if not held or event_class < 0:
            refusals |= Iin.OBJECT_UNKNOWN
        elif named is None:
            refusals |= Iin.PARAMETER_ERROR
        else:
            for index in named[0]:
                held[index].event_class = event_class
            refusals |= Iin(0) if named[1] else Iin.PARAMETER_ERROR
    return b"", refusals


WRITES: dict[tuple[int, int], Callable[[Rtu, Block], Iin]] = {
    (80, 1): _write_indications,
    (50, 1): _write_time,
    (50, 3): _write_time,
    (DEADBANDS, 0): _write_deadbands,
}

ACTS: dict[int, Callable[[Requests, Request], Answer]] = {
    Function.WRITE: _write,
    Function.SELECT: _command,
    Function.OPERATE: _command,
    Function.DIRECT_OPERATE: _command,
    Function.DIRECT_OPERATE_NR: _command,
    Function.COLD_RESTART: _restart,
    Function.WARM_RESTART: _restart,
    Function.ENABLE_UNSOLICITED: _enable,
    Function.DISABLE_UNSOLICITED: _disable,
    Function.ASSIGN_CLASS: _assign_class,
    Function.DELAY_MEASURE: _delay_measure,
    Function.RECORD_CURRENT_TIME: _record_time,
    **dict.fromkeys(FREEZES, _freeze),
}
