"""The attributes of a report control block as MMS variables, and what configures them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol, cast

from otgate_iec61850.mms.rcb import BUFFERED, TRIGGER_BITS, UNBUFFERED, Trigger
from otgate_iec61850.mms.report import OPTION_BITS, Option
from otgate_iec61850.mms.typespec import Kind, Scalar
from otgate_iec61850.mms.values import BinaryTime, Bits, Failure, Unsigned, Value
from otgate_sim.iec61850.buffering import NO_ENTRY, Buffer
from otgate_sim.iec61850.holding import Client, Leaf
from otgate_sim.iec61850.reporting import settable
from otgate_sim.iec61850.reserving import Reservation

TEXT, FLAG = Scalar(Kind.VISIBLE_STRING, -129), Scalar(Kind.BOOLEAN)
U8, U16, U32 = (Scalar(Kind.UNSIGNED, size) for size in (8, 16, 32))
"""IEC 61850-8-1 types the attributes of BRCB and URCB."""

EVERY_TRIGGER = Bits.of(
    TRIGGER_BITS, Trigger.DATA_CHANGE, Trigger.QUALITY_CHANGE, Trigger.INTEGRITY,
    Trigger.GENERAL_INTERROGATION,
)  # fmt: skip
EVERY_OPTION = Bits.of(
    OPTION_BITS, Option.SEQUENCE_NUMBER, Option.TIME_STAMP, Option.REASON, Option.DATA_SET,
    Option.BUFFER_OVERFLOW, Option.ENTRY_ID, Option.CONF_REVISION,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Configured:
    """What SCL, or a default, says of a block."""

    data_set: str
    """``LD/LN$name``; empty for none."""
    rpt_id: str = ""
    conf_rev: int = 1
    options: Bits = EVERY_OPTION
    triggers: Bits = EVERY_TRIGGER
    buffer_ms: int = 0
    integrity_ms: int = 0


class Attributes(dict[str, Leaf]):
    """The attributes of a block by name, in order."""

    def number(self, name: str) -> int:
        """Return what a numeric attribute is set to."""
        return int(self[name].value)  # type: ignore[arg-type]  # its leaf is a number

    def bits(self, name: str) -> Bits:
        """Return what OptFlds or TrgOps is set to."""
        return cast("Bits", self[name].value)


class Served(Protocol):
    """The block behind the attributes."""

    buffered: bool
    sq_num: int
    buffer: Buffer
    reservation: Reservation

    @property
    def enabled(self) -> bool:
        """RptEna."""

    @property
    def conf_rev(self) -> int:
        """ConfRev as it is shown."""

    def write(self, attribute: str, value: Value, client: Client) -> Failure | None:
        """Take a client's write."""


def attributes_of(block: Served, configured: Configured, edition: int) -> Attributes:
    """Return a block's attributes in the order of IEC 61850-8-1."""
    made = leaves_of(block, configured)
    names = BUFFERED if block.buffered else UNBUFFERED
    later = {"ResvTms", "Owner"} if edition == 1 else set()
    for name in names:
        made[name].written = partial(block.write, name)
    return Attributes({name: made[name] for name in names if name not in later})


def leaves_of(block: Served, configured: Configured) -> dict[str, Leaf]:
    """Return every attribute that a block may have."""
    options = settable(configured.options, buffered=block.buffered)
    held = block.reservation
    return {
        "RptID": Leaf(TEXT, configured.rpt_id),
        "RptEna": seen(FLAG, lambda: block.enabled),
        "Resv": seen(FLAG, lambda: bool(held.address)),
        "DatSet": Leaf(TEXT, configured.data_set),
        "ConfRev": Leaf(
            U32, Unsigned(configured.conf_rev), shown=lambda _: Unsigned(block.conf_rev)
        ),
        "OptFlds": Leaf(Scalar(Kind.BIT_STRING, -OPTION_BITS), options),
        "BufTm": Leaf(U32, Unsigned(configured.buffer_ms)),
        "SqNum": seen(U16 if block.buffered else U8, lambda: Unsigned(block.sq_num)),
        "TrgOps": Leaf(Scalar(Kind.BIT_STRING, -TRIGGER_BITS), configured.triggers),
        "IntgPd": Leaf(U32, Unsigned(configured.integrity_ms)),
        "GI": Leaf(FLAG, value=False),
        "PurgeBuf": Leaf(FLAG, value=False),
        "EntryID": seen(Scalar(Kind.OCTET_STRING, len(NO_ENTRY)), partial(entry_id, block)),
        "TimeofEntry": seen(Scalar(Kind.BINARY_TIME, 1), partial(entry_time, block)),
        "ResvTms": seen(Scalar(Kind.INTEGER, 16), lambda: held.seconds),
        "Owner": seen(Scalar(Kind.OCTET_STRING, -64), lambda: held.address),
    }


def entry_id(block: Served) -> bytes:
    """Return EntryID: the newest sent while enabled, else the newest there is."""
    newest = block.buffer.newest(sent=block.enabled)
    return NO_ENTRY if newest is None else newest.id


def entry_time(block: Served) -> BinaryTime:
    """Return TimeofEntry."""
    newest = block.buffer.newest(sent=block.enabled)
    return BinaryTime(bytes(6)) if newest is None else BinaryTime.of(newest.ns)


def seen(type_: Scalar, show: Callable[[], Value]) -> Leaf:
    """Return an attribute that shows what the block does."""
    return Leaf(type_, b"", shown=lambda _: show())
