"""Commands of IEC 61850-8-1 as values: what is written, and what a server says of it.

They are part of a whole client. No driver of this project issues one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from otgate_iec61850.mms.access import InformationReport
from otgate_iec61850.mms.errors import Malformed, MmsError
from otgate_iec61850.mms.naming import VMD, Name, Variable
from otgate_iec61850.mms.values import Bits, Failure, Unsigned, UtcTime, Value

LAST_APPL_ERROR = Name(VMD, "LastApplError")


class ControlModel(IntEnum):
    """How an object is commanded: IEC 61850-7-2, CtlModels."""

    STATUS_ONLY = 0
    DIRECT_NORMAL = 1
    SBO_NORMAL = 2
    DIRECT_ENHANCED = 3
    SBO_ENHANCED = 4

    @property
    def selects(self) -> bool:
        """Whether an object is selected before it is operated."""
        return self in {ControlModel.SBO_NORMAL, ControlModel.SBO_ENHANCED}

    @property
    def terminates(self) -> bool:
        """Whether the server says when a command has ended."""
        return self in {ControlModel.DIRECT_ENHANCED, ControlModel.SBO_ENHANCED}


class AddCause(IntEnum):
    """Why a command was refused: IEC 61850-7-2, AddCause."""

    UNKNOWN = 0
    NOT_SUPPORTED = 1
    BLOCKED_BY_SWITCHING_HIERARCHY = 2
    SELECT_FAILED = 3
    INVALID_POSITION = 4
    POSITION_REACHED = 5
    PARAMETER_CHANGE_IN_EXECUTION = 6
    STEP_LIMIT = 7
    BLOCKED_BY_MODE = 8
    BLOCKED_BY_PROCESS = 9
    BLOCKED_BY_INTERLOCKING = 10
    BLOCKED_BY_SYNCHROCHECK = 11
    COMMAND_ALREADY_IN_EXECUTION = 12
    BLOCKED_BY_HEALTH = 13
    ONE_OF_N_CONTROL = 14
    ABORTION_BY_CANCEL = 15
    TIME_LIMIT_OVER = 16
    ABORTION_BY_TRIP = 17
    OBJECT_NOT_SELECTED = 18
    OBJECT_ALREADY_SELECTED = 19
    NO_ACCESS_AUTHORITY = 20
    ENDED_WITH_OVERSHOOT = 21
    ABORTION_DUE_TO_DEVIATION = 22
    ABORTION_BY_COMMUNICATION_LOSS = 23
    BLOCKED_BY_COMMAND = 24
    NONE = 25
    INCONSISTENT_PARAMETERS = 26
    LOCKED_BY_OTHER_CLIENT = 27


class Category(IntEnum):
    """Who commands: IEC 61850-7-3, originator category."""

    NOT_SUPPORTED = 0
    BAY_CONTROL = 1
    STATION_CONTROL = 2
    REMOTE_CONTROL = 3
    AUTOMATIC_BAY = 4
    AUTOMATIC_STATION = 5
    AUTOMATIC_REMOTE = 6
    MAINTENANCE = 7
    PROCESS = 8


class Check(IntEnum):
    """Places of the bits of Check."""

    SYNCHROCHECK = 0
    INTERLOCK_CHECK = 1


UNCHECKED = Bits(2, 0)


@dataclass(frozen=True, slots=True)
class Command:
    """One command, the same in select, operate and cancel."""

    value: Value
    number: int
    """ctlNum, modulo 256."""
    time: UtcTime
    category: Category = Category.REMOTE_CONTROL
    identity: bytes = b""
    test: bool = False
    check: Bits = UNCHECKED
    operate_at: UtcTime | None = None
    """operTm, where the object has it."""


OPERATE = ("ctlVal", "origin", "ctlNum", "T", "Test", "Check")
CANCEL = ("ctlVal", "origin", "ctlNum", "T", "Test")


def structure(command: Command, components: Sequence[str]) -> tuple[Value, ...]:
    """Return the value of Oper, SBOw or Cancel, whose components the server describes.

    Raises:
        Malformed: a component is none of a command's.
    """
    known: dict[str, Value] = {
        "ctlVal": command.value,
        "operTm": command.operate_at or UtcTime(bytes(8)),
        "origin": (int(command.category), command.identity),
        "ctlNum": Unsigned(command.number & 0xFF),
        "T": command.time,
        "Test": command.test,
        "Check": command.check,
    }
    try:
        return tuple(known[each] for each in components)
    except KeyError as unknown:
        raise Malformed(f"a command has no {unknown}") from None


@dataclass(frozen=True, slots=True)
class ApplicationError:
    """LastApplError: which command was refused, and why."""

    control: str
    error: int
    number: int
    cause: int

    @property
    def words(self) -> str:
        """The cause in words."""
        known = self.cause in AddCause.__members__.values()
        return AddCause(self.cause).name.lower() if known else f"cause {self.cause}"


class CommandRefused(MmsError):
    """A command was refused, or ended without success."""

    def __init__(self, what: str, cause: ApplicationError | None) -> None:
        super().__init__(f"{what}: {cause.words if cause else 'no cause told'}")
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Notice:
    """What a server says of a command: a refusal's cause, or how the command has ended."""

    control: Name | None
    """The object that ended, ``LN$CO$DO``; None where only the cause is told."""
    error: ApplicationError | None


def read_error(value: Any) -> ApplicationError:
    """Return a LastApplError.

    Raises:
        Malformed: it is none.
    """
    if not isinstance(value, tuple) or len(value) != 5:
        raise Malformed("a LastApplError that is no structure of 5")
    control, error, _, number, cause = value
    numbers = (error, number, cause)
    if not isinstance(control, str) or any(
        not isinstance(each, int) or isinstance(each, bool) for each in numbers
    ):
        raise Malformed("a LastApplError of other types")
    return ApplicationError(control, error, number, cause)


def read_notice(report: InformationReport) -> Notice | None:
    """Return what an information report says of a command, None where it is about none.

    Raises:
        Malformed: its values are not those it announces.
    """
    if isinstance(report.access, Name):
        return None
    error: ApplicationError | None = None
    control: Name | None = None
    if len(report.access) != len(report.values):
        raise Malformed("an information report without a value per variable")
    for variable, value in zip(report.access, report.values, strict=True):
        if isinstance(value, Failure):
            continue
        if variable.name == LAST_APPL_ERROR:
            error = read_error(value)
        elif control_of(variable.name) is not None:
            control = control_of(variable.name)
    return None if error is None and control is None else Notice(control, error)


def control_of(name: Name) -> Name | None:
    """Return the controlled object whose Oper, SBOw or Cancel a name is."""
    parts = name.item.split("$")
    if len(parts) < 4 or parts[1] != "CO" or parts[-1] not in {"Oper", "SBOw", "SBO", "Cancel"}:
        return None
    return Name(name.domain, "$".join(parts[:-1]))


def part(control: Name, name: str) -> Variable:
    """Return the variable of a controlled object's Oper, SBO, SBOw or Cancel."""
    return Variable(Name(control.domain, f"{control.item}${name}"))


def error_report(
    error: ApplicationError, category: int = 0, identity: bytes = b""
) -> InformationReport:
    """Return the information report that tells a refusal's cause; for servers."""
    value = (
        error.control, error.error, (category, identity), Unsigned(error.number), error.cause
    )  # fmt: skip
    return InformationReport((Variable(LAST_APPL_ERROR),), (value,))


def termination_report(
    operated: Variable, value: Value, error: ApplicationError | None = None
) -> InformationReport:
    """Return the information report that tells a command's end; for servers."""
    if error is None:
        return InformationReport((operated,), (value,))
    cause = error_report(error)
    return InformationReport((Variable(LAST_APPL_ERROR), operated), (*cause.values, value))
