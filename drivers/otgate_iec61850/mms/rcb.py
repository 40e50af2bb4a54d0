"""Report control blocks: what they hold, and in which order a client sets them up.

Attributes by name, as IEC 61850-8-1 spells them, of Editions 1 and 2: Edition 2 adds ResvTms to
a buffered block and Owner to both. Nothing here talks to a server.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum, auto
from typing import Any

from otgate_iec61850.mms.errors import Malformed
from otgate_iec61850.mms.naming import Name, Variable
from otgate_iec61850.mms.report import Option, options
from otgate_iec61850.mms.typespec import Structure, Type
from otgate_iec61850.mms.values import BinaryTime, Bits, Failure, Unsigned, Value

BUFFERED = (
    "RptID", "RptEna", "DatSet", "ConfRev", "OptFlds", "BufTm", "SqNum", "TrgOps", "IntgPd",
    "GI", "PurgeBuf", "EntryID", "TimeofEntry", "ResvTms", "Owner",
)  # fmt: skip
UNBUFFERED = (
    "RptID", "RptEna", "Resv", "DatSet", "ConfRev", "OptFlds", "BufTm", "SqNum", "TrgOps",
    "IntgPd", "GI", "Owner",
)  # fmt: skip

EARLIER = {13: BUFFERED[:13], 14: BUFFERED[:14], 15: BUFFERED, 11: UNBUFFERED[:11], 12: UNBUFFERED}
"""Attributes by their number, for a server that does not describe its blocks."""

TRIGGER_BITS = 6


class Trigger(IntEnum):
    """Places of the bits of TrgOps: IEC 61850-8-1."""

    DATA_CHANGE = 1
    QUALITY_CHANGE = 2
    DATA_UPDATE = 3
    INTEGRITY = 4
    GENERAL_INTERROGATION = 5


def triggers(*asked: Trigger) -> Bits:
    """Return TrgOps with these set."""
    return Bits.of(TRIGGER_BITS, *asked)


@dataclass(frozen=True, slots=True)
class ControlBlock:
    """A report control block as it was read. Attributes that it does not have are None."""

    name: Name
    attributes: Mapping[str, Any]

    @property
    def buffered(self) -> bool:
        """Whether it is a BRCB."""
        return "$BR$" in self.name.item

    @property
    def enabled(self) -> bool:
        """Whether some client has enabled it."""
        return bool(self.attributes.get("RptEna"))

    @property
    def reserved(self) -> bool:
        """Whether some client has reserved it; -1 in ResvTms means: by configuration."""
        return bool(self.attributes.get("Resv")) or bool(self.attributes.get("ResvTms"))

    @property
    def owner(self) -> bytes | None:
        """Address of the client that has it, empty where nobody has, None where it is not told."""
        owner = self.attributes.get("Owner")
        if not isinstance(owner, bytes):
            return None
        return owner if any(owner) else b""

    @property
    def rpt_id(self) -> str:
        """What its reports are called: RptID, or the block's reference where that is empty."""
        said = self.attributes.get("RptID")
        return said if isinstance(said, str) and said else str(self.name)

    @property
    def data_set(self) -> str:
        """DatSet, ``LD/LN$name``; empty where there is none."""
        said = self.attributes.get("DatSet")
        return said if isinstance(said, str) else ""

    @property
    def conf_rev(self) -> int | None:
        """ConfRev."""
        return self._number("ConfRev")

    @property
    def entry_id(self) -> bytes | None:
        """EntryID of a BRCB."""
        said = self.attributes.get("EntryID")
        return said if isinstance(said, bytes) else None

    @property
    def entry_time(self) -> BinaryTime | None:
        """TimeofEntry of a BRCB."""
        said = self.attributes.get("TimeofEntry")
        return said if isinstance(said, BinaryTime) else None

    def attribute(self, name: str) -> Variable:
        """Return the variable of one attribute."""
        return Variable(Name(self.name.domain, f"{self.name.item}${name}"))

    def _number(self, name: str) -> int | None:
        said = self.attributes.get(name)
        return said if isinstance(said, int) else None


def read_block(name: Name, value: Any, described: Type | None = None) -> ControlBlock:
    """Return a block from its value and, where known, its type.

    Raises:
        Malformed: it is no report control block.
    """
    if not isinstance(value, tuple):
        raise Malformed(f"{name} is no structure")
    if isinstance(described, Structure):
        names: Sequence[str] = [each for each, _ in described.components]
    else:
        names = EARLIER.get(len(value), ())
    if len(names) != len(value) or "RptEna" not in names:
        raise Malformed(f"{name} is no report control block")
    return ControlBlock(name, dict(zip(names, value, strict=True)))


def attribute_names(name: Name) -> Sequence[str]:
    """Return every attribute that a block of that name may have."""
    return BUFFERED if "$BR$" in name.item else UNBUFFERED


def gathered(name: Name, values: Sequence[Any]) -> ControlBlock:
    """Return a block whose `attribute_names` were read one by one; refused ones it has not.

    Raises:
        Malformed: it is no report control block.
    """
    pairs = zip(attribute_names(name), values, strict=True)
    found = {each: value for each, value in pairs if not isinstance(value, Failure)}
    if "RptEna" not in found:
        raise Malformed(f"{name} is no report control block")
    return ControlBlock(name, found)


class Need(Enum):
    """What it means that a server refuses a setting."""

    REQUIRED = auto()
    """The block cannot be used."""
    WISHED = auto()
    """Reports tell what they carry; go on."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One write to a block, in its turn."""

    attribute: str
    value: Value
    need: Need = Need.REQUIRED


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a client wants its reports. What is None stays as the block has it."""

    data_set: str | None = None
    options: Bits | None = None
    triggers: Bits | None = None
    buffer_ms: int | None = None
    integrity_ms: int | None = None
    reserve_s: int | None = None
    """How long a BRCB is kept for a client that lost its association: ResvTms."""


EVERYTHING = options(
    Option.SEQUENCE_NUMBER, Option.TIME_STAMP, Option.REASON, Option.DATA_SET,
    Option.BUFFER_OVERFLOW, Option.ENTRY_ID, Option.CONF_REVISION,
)  # fmt: skip
"""OptFlds without references: members are told by their places."""

EVERY_TRIGGER = triggers(
    Trigger.DATA_CHANGE, Trigger.QUALITY_CHANGE, Trigger.INTEGRITY, Trigger.GENERAL_INTERROGATION
)


def disabled() -> Setting:
    """Return what turns reports off."""
    return Setting("RptEna", value=False)


def interrogated() -> Setting:
    """Return what asks for every member's value, once enabled."""
    return Setting("GI", value=True, need=Need.WISHED)


def configured(block: ControlBlock, wanted: Wanted) -> list[Setting]:
    """Return the writes before enabling: off, reserved, then what differs.

    What is as wanted is not written: a BRCB empties its buffer when its data set, options or
    times are written (IEC 61850-7-2).
    """
    settings = [disabled()] if block.enabled else []
    settings += _reservation(block, wanted)
    wishes: tuple[tuple[str, Value | None, Need], ...] = (
        ("DatSet", wanted.data_set, Need.REQUIRED),
        ("OptFlds", wanted.options, Need.WISHED),
        ("TrgOps", wanted.triggers, Need.REQUIRED),
        ("BufTm", _like(block, "BufTm", wanted.buffer_ms), Need.WISHED),
        ("IntgPd", _like(block, "IntgPd", wanted.integrity_ms), Need.WISHED),
    )
    for attribute, value, need in wishes:
        if value is not None and block.attributes.get(attribute) != value:
            settings.append(Setting(attribute, value, need))
    return settings


def enabled(
    block: ControlBlock, *, resume: bytes | None = None, purge: bool = False
) -> list[Setting]:
    """Return the writes that begin reports: after an entry, from an empty buffer, or as it is.

    A server that does not know the entry refuses the first write: events are missing then.
    """
    settings = []
    if block.buffered and purge:
        settings.append(Setting("PurgeBuf", value=True))
    elif block.buffered and resume is not None:
        settings.append(Setting("EntryID", resume))
    return [*settings, Setting("RptEna", value=True)]


def _reservation(block: ControlBlock, wanted: Wanted) -> list[Setting]:
    if "Resv" in block.attributes:
        return [] if block.attributes["Resv"] else [Setting("Resv", value=True)]
    held = block.attributes.get("ResvTms")
    if wanted.reserve_s is None or not isinstance(held, int) or held < 0:
        return []
    value = _like(block, "ResvTms", wanted.reserve_s)
    return [] if value is None else [Setting("ResvTms", value, Need.WISHED)]


def _like(block: ControlBlock, attribute: str, value: int | None) -> int | None:
    """Return a number in the kind, signed or unsigned, in which the server has it."""
    if value is None:
        return None
    return value if type(block.attributes.get(attribute)) is int else Unsigned(value)
