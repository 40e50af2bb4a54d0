"""One report control block: taken, enabled, resumed; what its reports bring and lack."""

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import Enum, auto
from typing import Any

from otgate.driver import DeviceState
from otgate_iec61850.address import read_control_block
from otgate_iec61850.mms.blocks import read_control_block as read_block
from otgate_iec61850.mms.blocks import set_up
from otgate_iec61850.mms.browse import ObjectClass
from otgate_iec61850.mms.client import Client
from otgate_iec61850.mms.errors import AccessFailed, MmsError, Rejected, ServiceFailed
from otgate_iec61850.mms.naming import Name, Variable
from otgate_iec61850.mms.rcb import (
    EVERY_TRIGGER,
    EVERYTHING,
    ControlBlock,
    Setting,
    Trigger,
    Wanted,
    configured,
    interrogated,
    triggers,
)
from otgate_iec61850.mms.reference import NoReference, list_name
from otgate_iec61850.mms.report import Option, Report, options
from otgate_iec61850.mms.values import Bits
from otgate_iec61850.places import Atlas, Take
from otgate_iec61850.settings import Report as ReportSettings

REFUSALS = (AccessFailed, ServiceFailed, Rejected)

LAST_SQ_NUMS = frozenset({0xFF, 0xFFFF})
"""After these a sequence number begins anew: INT8U of a URCB, INT16U of a BRCB."""

INSTANCE = re.compile(r"(.+)[0-9]{2}")
"""Two digits number the instances of an indexed block: IEC 61850-8-1."""

MOST_BREAKS = 3
"""A server whose reports never come in turn is taken as it is."""

IN_TURN = 100
"""Reports in turn after which a missing one ends the association again."""

OVERDUE = 2.0
"""Integrity periods without an integrity report after which one is missing."""

INTEGRITY = triggers(Trigger.INTEGRITY).value
REASONS = options(Option.REASON).value

KEY = "reports"
"""Of the device state: by block, what is kept of it."""

NO_ENTRY = bytes(8)


class Taken(Enum):
    """How an attempt to enable a block ended."""

    ENABLED = auto()
    BUSY = auto()
    """Another client has it, or has reserved it."""
    REFUSED = auto()


class Changed(Exception):
    """A report is not of the data set that the server described."""


@dataclass(slots=True)
class Counts:
    """What became of a block's reports."""

    reports: int = 0
    gaps: int = 0
    """Sequence numbers that did not follow."""
    overflows: int = 0
    unknown_entries: int = 0
    repeated: int = 0
    overdue: int = 0
    """Integrity reports that did not come."""


@dataclass(slots=True)
class Memory:
    """What is kept of a block over restarts."""

    entry: str = ""
    options: int | None = None
    triggers: int | None = None
    breaks: int = 0
    """Associations ended for a missing report, since reports last came in turn."""


@dataclass
class Subscription:
    """A configured block on one association."""

    name: str
    settings: ReportSettings
    state: DeviceState
    block: ControlBlock | None = None
    members: Sequence[Sequence[Take]] = ()
    covered: frozenset[int] = frozenset()
    """Points of which every part is in the data set; the others are polled."""
    touched: frozenset[int] = frozenset()
    """Points of which any part is."""
    enabled: bool = False
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once every member's value has been asked for and has come, or will not."""
    counts: Counts = field(default_factory=Counts)
    why: str = ""
    """Why it is not enabled; said once."""
    _sq_num: int | None = None
    _turns: int = 0
    _integrity_s: float = 0.0
    """The period in force; 0 where the server sends none, or does not say which reports are."""
    _due_from_s: float = 0.0
    """On the loop's clock: since when the next integrity report is waited for."""

    @classmethod
    def of(cls, settings: ReportSettings, state: DeviceState) -> "Subscription":
        """Return the subscription to a configured instance."""
        return cls(str(read_control_block(settings.rcb)), settings, state)

    @property
    def variable(self) -> Name:
        """The block's MMS name."""
        at = read_control_block(self.settings.rcb)
        return Name(at.domain, at.item)

    @property
    def enable_flag(self) -> Variable:
        """The attribute that tells whether the block reports."""
        return Variable(Name(self.variable.domain, f"{self.variable.item}$RptEna"))

    async def siblings(self, client: Client) -> Sequence["Subscription"]:
        """Return the other instances of the block: the same name with another number."""
        at = self.variable
        found = INSTANCE.fullmatch(at.item)
        if found is None:
            return []
        names = await client.names(ObjectClass.VARIABLE, at.domain)
        same = re.compile(re.escape(found[1]) + r"[0-9]{2}")
        items = sorted(name for name in names if same.fullmatch(name) and name != at.item)
        return [
            Subscription.of(
                self.settings.model_copy(update={"rcb": f"{at.domain}/{item.replace('$', '.')}"}),
                self.state,
            )
            for item in items
        ]

    # What it is

    async def describe(self, client: Client, atlas: Atlas) -> None:
        """Read the block, and which points its data set's members bring.

        Raises:
            MmsError: it is not there, or not readable, or has no data set.
        """
        (described,) = await client.types([self.variable])
        self.block = await read_block(client, self.variable, described)
        if not self.block.data_set and self.settings.data_set is None:
            raise Unassigned("it has no data set")
        wanted = self.block.data_set or _item(self.settings.data_set or "")
        listed = await client.members(list_name(wanted, self.variable.domain))
        self.members = [atlas.takes(member) for member in listed.members]
        self._cover(atlas)

    def _cover(self, atlas: Atlas) -> None:
        values, qualities, times = set(), set(), set()
        for takes in self.members:
            for take in takes:
                values.update([take.number] if take.value is not None else [])
                qualities.update([take.number] if take.q is not None else [])
                times.update([take.number] if take.t is not None else [])
        self.touched = frozenset(values | qualities | times)
        self.covered = frozenset(
            number
            for number in values
            if (atlas.spots[number].q is None or number in qualities)
            and (atlas.spots[number].t is None or number in times)
        )

    def unexpected(self) -> Iterator[str]:
        """Yield in what the block differs from what was configured."""
        block, said = self.block, self.settings
        if block is None:
            return
        if said.data_set is not None and block.data_set:
            wanted = _item(said.data_set)
            if not _same_list(block.data_set, wanted, self.variable.domain):
                yield f"data set {block.data_set}, expected {wanted}"
        if said.conf_rev is not None and block.conf_rev != said.conf_rev:
            yield f"ConfRev {block.conf_rev}, expected {said.conf_rev}"

    # Enabling

    async def enable(
        self,
        client: Client,
        integrity_ms: int | None,
        here: bytes,
        forgotten: Callable[[], None],
    ) -> Taken:
        """Take the block if it is free, set it up and enable it, and interrogate.

        Order of writes: IEC 61850-7-2; what is as wanted is not written, as that would empty
        the buffer. ``forgotten`` is called, before anything is reported, where the server has not
        the entry to resume after.
        """
        block = self.block = await read_block(client, self.variable)
        if not self._is_free(block, here):
            return Taken.BUSY
        kept = self.kept
        self._sq_num = None
        self.settled.clear()
        try:
            await set_up(client, block, configured(block, self._wanted(block, kept, integrity_ms)))
            taken = await self._resume(client, block, kept, forgotten)
            self.enabled = True  # a report may come before the response
            await set_up(client, block, [Setting("RptEna", value=True)])
        except REFUSALS as refused:
            self.enabled = False
            self.why = str(refused)
            return Taken.REFUSED
        self.why = ""
        await self._note_set_up(client)
        await self.interrogate(client)
        return taken

    async def interrogate(self, client: Client) -> None:
        """Ask for every member's value."""
        if self.block is not None and await set_up(client, self.block, [interrogated()]):
            self.settled.set()

    def _is_free(self, block: ControlBlock, here: bytes) -> bool:
        """Tell whether nobody else has the block: enabled, owned, or reserved for a while."""
        if block.owner:
            mine = bool(here) and block.owner.endswith(here)
            self.why = f"client {_address(block.owner)} has it"
            return mine
        self.why = "another client has enabled it" if block.enabled else "another client has it"
        if block.enabled:
            return False
        held = block.attributes.get("ResvTms")
        for_others = isinstance(held, int) and held > 0 and block.owner is None
        return not (block.attributes.get("Resv") or (for_others and not self.kept.entry))

    async def _resume(
        self, client: Client, block: ControlBlock, kept: Memory, forgotten: Callable[[], None]
    ) -> Taken:
        if not block.buffered or not kept.entry:
            return Taken.ENABLED
        try:
            await set_up(client, block, [Setting("EntryID", bytes.fromhex(kept.entry))])
        except REFUSALS:
            self.counts.unknown_entries += 1
            forgotten()
        return Taken.ENABLED

    def _wanted(self, block: ControlBlock, kept: Memory, integrity_ms: int | None) -> Wanted:
        sent = _unless_kept(block.attributes.get("OptFlds"), EVERYTHING, kept.options)
        when = _unless_kept(block.attributes.get("TrgOps"), EVERY_TRIGGER, kept.triggers)
        data_set = None if block.data_set else _item(self.settings.data_set or "") or None
        return Wanted(data_set, sent, when, integrity_ms=integrity_ms)

    async def _note_set_up(self, client: Client) -> None:
        """Keep what the server made of our options, so that they are not written again."""
        now, kept = await read_block(client, self.variable), self.kept
        sent, when = now.attributes.get("OptFlds"), now.attributes.get("TrgOps")
        kept.options = sent.value if isinstance(sent, Bits) else None
        kept.triggers = when.value if isinstance(when, Bits) else None
        self._keep(kept)
        period_ms = now.attributes.get("IntgPd")
        told = (kept.triggers or 0) & INTEGRITY and (kept.options or 0) & REASONS
        self._integrity_s = period_ms / 1000 if told and isinstance(period_ms, int) else 0.0
        self._due_from_s = asyncio.get_running_loop().time()

    # Reports

    def is_of(self, report: Report) -> bool:
        """Tell whether a report is this block's."""
        block = self.block
        if block is None or not self.enabled or report.rpt_id != block.rpt_id:
            return False
        return not report.data_set or not block.data_set or report.data_set == block.data_set

    def follows(self, report: Report) -> bool:
        """Check a report against what the server said; tell whether none before it is missing.

        Raises:
            Changed: it is of another data set, or another configuration.
        """
        block = self.block
        if report.size != len(self.members):
            raise Changed(f"{self.name}: {report.size} members of {len(self.members)}")
        if block is not None and report.conf_rev not in {None, block.conf_rev}:
            raise Changed(f"{self.name}: ConfRev {report.conf_rev}, not {block.conf_rev}")
        self.counts.reports += 1
        before, self._sq_num = self._sq_num, report.sq_num
        in_turn = self._in_turn(before, report.sq_num)
        self.counts.gaps += not in_turn
        self._turns = self._turns + 1 if in_turn else 0
        if self._turns == IN_TURN:
            self._keep(replace(self.kept, breaks=0))
        self.counts.overflows += bool(report.overflow)
        return in_turn and not report.overflow

    def _in_turn(self, before: int | None, now: int | None) -> bool:
        if before is None or now is None or now == before + 1:
            return True
        return now == 0 and before in LAST_SQ_NUMS

    def integral(self, now_s: float) -> None:
        """Take note of an integrity report."""
        self._due_from_s = now_s

    def is_overdue(self, now_s: float) -> bool:
        """Tell whether an integrity report is missing; the next one is waited for from now on."""
        if not self._integrity_s or now_s - self._due_from_s <= OVERDUE * self._integrity_s:
            return False
        self.counts.overdue += 1
        self._due_from_s = now_s
        return True

    def may_come_again(self, report: Report) -> bool:
        """Tell whether to end the association, so that the server sends what is missing again."""
        kept, block = self.kept, self.block
        if block is None or not block.buffered or not kept.entry or report.overflow:
            return False
        if kept.breaks >= MOST_BREAKS:
            return False
        self._keep(replace(kept, breaks=kept.breaks + 1))
        return True

    # What is kept

    @property
    def kept(self) -> Memory:
        """What the device state has of this block."""
        found = (self.state.get(KEY) or {}).get(self.name)
        try:
            return Memory(**found) if isinstance(found, dict) else Memory()
        except TypeError:
            return Memory()

    def keep_entry(self, entry: bytes) -> None:
        """Keep the newest entry that is durable."""
        kept = self.kept
        kept.entry = "" if entry == NO_ENTRY else entry.hex()
        self._keep(kept)

    def _keep(self, kept: Memory) -> None:
        every = dict(self.state.get(KEY) or {})
        every[self.name] = asdict(kept)
        self.state.put(KEY, every)


class Unassigned(MmsError):
    """A block without a data set."""


def _unless_kept(has: Any, wanted: Bits, kept: int | None) -> Bits | None:
    """Return what to write: nothing where the block has it, or what came of it last time."""
    if not isinstance(has, Bits):
        return wanted
    enough = has.size == wanted.size and has.value & wanted.value == wanted.value
    return None if enough or has.value == kept else wanted


def _item(data_set: str) -> str:
    """Return ``LD/LN$name`` of either spelling."""
    domain, slash, item = data_set.partition("/")
    return f"{domain}{slash}{item.replace('.', '$', 1)}"


def _same_list(one: str, other: str, domain: str) -> bool:
    try:
        return list_name(one, domain) == list_name(other, domain)
    except NoReference:
        return False


def _address(owner: bytes) -> str:
    return ".".join(map(str, owner)) if len(owner) == 4 else owner.hex()
