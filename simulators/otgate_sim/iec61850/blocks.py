"""A report control block at the server's end: IEC 61850-7-2, BRCB and URCB. No input or output.

Changes go in by `take`, time by `tick`, writes by the leaves of `branch`; reports come out at the
client that has enabled the block.
"""

from collections.abc import Callable, Mapping

from otgate_iec61850.mms.errors import AccessError
from otgate_iec61850.mms.naming import Name
from otgate_iec61850.mms.rcb import Trigger
from otgate_iec61850.mms.report import Reason, write
from otgate_iec61850.mms.values import Bits, Failure, Unsigned, Value
from otgate_sim.iec61850.attributes import Configured, attributes_of
from otgate_sim.iec61850.behaviour import IedFault, Options
from otgate_sim.iec61850.buffering import Buffer, Entry
from otgate_sim.iec61850.holding import Branch, Client, Leaf
from otgate_sim.iec61850.reporting import (
    NOWHERE,
    SEQUENCE,
    Letterhead,
    report_of,
    sent_parts,
    settable,
)
from otgate_sim.iec61850.reserving import Reservation
from otgate_sim.iec61850.watching import DataSet, Pending, Watched

MS = 1_000_000

BUSY = Failure(AccessError.TEMPORARILY_UNAVAILABLE)
DENIED = Failure(AccessError.OBJECT_ACCESS_DENIED)
BAD_VALUE = Failure(AccessError.OBJECT_VALUE_INVALID)

PURGING = frozenset({"RptID", "DatSet", "BufTm", "TrgOps", "IntgPd"})
"""Attributes whose change empties a buffer: IEC 61850-7-2."""

Found = Callable[[str, Client | None], DataSet | None]
"""Returns the members of the data set that a DatSet names, as that client sees it."""


class Block:
    """One instance of a report control block."""

    def __init__(
        self,
        name: Name,
        configured: Configured,
        found: Found,
        clock: Callable[[], int],
        options: Options,
        fault: Callable[[], str],
    ) -> None:
        self.name = name
        self.buffered = "$BR$" in name.item
        self.buffer = Buffer(options.entries if self.buffered else 1)
        self.client: Client | None = None
        """Who has enabled it."""
        self.reservation = Reservation(options.reserve_s)
        self.sq_num = 0
        self._found, self._clock, self._options, self._fault = found, clock, options, fault
        self._watched = Watched(())
        self._pending: Pending | None = None
        self._integrity_at: int | None = None
        self.attributes = attributes_of(self, configured, options.edition)
        self.branch = Branch(dict(self.attributes))
        self._use(configured.data_set, None)
        self._time_integrity()

    def value(self, attribute: str) -> Value:
        """Return what an attribute is set to."""
        return self.attributes[attribute].value

    @property
    def enabled(self) -> bool:
        """RptEna."""
        return self.client is not None

    @property
    def conf_rev(self) -> int:
        """ConfRev as it is shown."""
        return self.attributes.number("ConfRev") + (self._fault() == IedFault.CONF_REV)

    def write(self, attribute: str, value: Value, client: Client) -> Failure | None:
        """Take a client's write; return why it is refused, or None."""
        if not self.reservation.admits(client, self._clock()):
            return BUSY
        special = {
            "RptEna": self._enable, "Resv": self._reserve, "ResvTms": self._reserve_for,
            "GI": self._interrogate, "PurgeBuf": self._purge, "EntryID": self._resume,
        }  # fmt: skip
        if attribute in special:
            return special[attribute](value, client)
        if attribute not in {*PURGING, "OptFlds"}:
            return DENIED
        return BUSY if self.enabled else self._configure(attribute, value, client)

    def take(self, changes: Mapping[Leaf, int], now: int) -> None:
        """Take leaves that have changed, each with the bits of its reasons."""
        if not self.buffered and not self.enabled:
            return
        reasons = self._watched.touched(changes, self.attributes.bits("TrgOps"))
        if reasons:
            self._gather(reasons, now)

    def tick(self, now: int) -> None:
        """Do what is due."""
        if self._pending is not None and now >= self._deadline(self._pending):
            self._settle()
        if self._integrity_at is not None and now >= self._integrity_at:
            self._everything(Reason.INTEGRITY, now)
            self._time_integrity()
        self.reservation.tick(now)

    def due(self) -> int | None:
        """Return when to `tick` next, None where nothing is awaited."""
        ends = [self._integrity_at, self.reservation.until]
        if self._pending is not None:
            ends.append(self._deadline(self._pending))
        return min((each for each in ends if each is not None), default=None)

    def lost(self, client: Client) -> None:
        """Let go of a client whose association has ended."""
        if self.client is client:
            self._disable()
        self.reservation.lost(client, self._clock())

    def restart(self) -> None:
        """Lose what waits and what is kept."""
        self._pending = None
        self.buffer.purge()
        self._time_integrity()

    def revise(self) -> None:
        """Take the data set as it is now, in another revision."""
        self._use(str(self.value("DatSet")), None)
        self._raise_revision()
        self.restart()

    def pump(self) -> None:
        """Send what waits, as far as the client takes it."""
        client = self.client
        if client is None:
            return
        self._fit()
        waiting = self.buffer.waiting()
        while client.ready and self.client is client:
            entry = next(waiting, None)
            if entry is None:
                return
            self._send(entry, client)

    def _fit(self) -> None:
        """Keep the room that the fault in force leaves."""
        if self.buffered:
            full = self._fault() == IedFault.OVERFLOW
            self.buffer.hold(1 if full else self._options.entries)

    def _deadline(self, pending: Pending) -> int:
        return pending.since + self.attributes.number("BufTm") * MS

    def _gather(self, reasons: Mapping[int, int], now: int) -> None:
        """Add changes to what waits; a member that changes again ends the waiting before it."""
        if self._pending is not None and self._pending.reasons.keys() & reasons:
            self._settle()
        if self._pending is None:
            self._pending = Pending(now)
        self._watched.add(self._pending, reasons)
        if now >= self._deadline(self._pending):
            self._settle()

    def _settle(self) -> None:
        """Make an entry of what waits."""
        pending, self._pending = self._pending, None
        if pending is not None:
            self._fit()
            self.buffer.add(pending.since, *pending.columns())
            self.pump()

    def _everything(self, reason: Reason, now: int) -> None:
        """Make an entry of every member, after what waits."""
        self._settle()
        if not self._watched or not (self.buffered or self.enabled):
            return
        values = self._watched.all()
        self._fit()
        self.buffer.add(now, range(len(values)), values, [int(reason)] * len(values))
        self.pump()

    def _send(self, entry: Entry, client: Client) -> None:
        fault = self._fault()
        overflow = self.buffered and (self.buffer.overflowed or fault == IedFault.OVERFLOW)
        self.buffer.overflowed = False
        whole = report_of(self._letterhead(fault), entry, self.sq_num, overflow=overflow)
        self.sq_num = (self.sq_num + 1) % SEQUENCE[self.buffered]
        for each in sent_parts(whole, client.largest_pdu, self._options, fault):
            client.report(write(each))

    def _letterhead(self, fault: str) -> Letterhead:
        data_set = NOWHERE if fault == IedFault.UNKNOWN_DATA_SET else str(self.value("DatSet"))
        return Letterhead(
            str(self.value("RptID")) or str(self.name),
            self.attributes.bits("OptFlds"),
            data_set,
            self.conf_rev,
            self._watched.references,
        )

    def _enable(self, value: Value, client: Client) -> Failure | None:
        if self.client is not None and self.client is not client:
            return BUSY
        if not value:
            self._disable()
            return None
        if not self._watched:
            return BUSY
        if self.client is None:
            self.client, self.sq_num = client, 0
            self.reservation.take(client)
            if not self.buffered:
                self.buffer.purge()
            self._time_integrity()
            self.pump()
        return None

    def _disable(self) -> None:
        self.client = None
        if self.buffered:
            self._settle()
        else:
            self._pending = self._integrity_at = None

    def _reserve(self, value: Value, client: Client) -> Failure | None:
        if value:
            self.reservation.take(client)
        elif self.enabled:
            return BUSY
        else:
            self.reservation.release()
        return None

    def _reserve_for(self, value: Value, client: Client) -> Failure | None:
        seconds = int(value)  # type: ignore[arg-type]  # its leaf is a number
        return None if self.reservation.ask(client, seconds) else BAD_VALUE

    def _interrogate(self, value: Value, _: Client) -> Failure | None:
        if not value:
            return None
        if (
            not self.enabled
            or Trigger.GENERAL_INTERROGATION not in self.attributes.bits("TrgOps").places
        ):
            return BUSY
        self._everything(Reason.GENERAL_INTERROGATION, self._clock())
        return None

    def _purge(self, value: Value, _: Client) -> Failure | None:
        if self.enabled:
            return BUSY
        if value:
            self._pending = None
            self.buffer.purge()
        return None

    def _resume(self, value: Value, _: Client) -> Failure | None:
        if self.enabled:
            return BUSY
        known = isinstance(value, bytes) and self.buffer.resume(value)
        return None if known else BAD_VALUE

    def _configure(self, attribute: str, value: Value, client: Client) -> Failure | None:
        leaf = self.attributes[attribute]
        if attribute == "OptFlds" and isinstance(value, Bits):
            value = settable(value, buffered=self.buffered)
        if value == leaf.value:
            return None
        if attribute == "DatSet" and not self._use(str(value), client):
            return BAD_VALUE
        leaf.value = value
        if attribute == "DatSet":
            self._raise_revision()
        if attribute in PURGING:
            self.restart()
        return None

    def _raise_revision(self) -> None:
        self.attributes["ConfRev"].value = Unsigned(self.attributes.number("ConfRev") + 1)

    def _use(self, data_set: str, client: Client | None) -> bool:
        members = self._found(data_set, client) if data_set else ()
        if members is None:
            return False
        self._watched = Watched(members)
        return True

    def _time_integrity(self) -> None:
        period = self.attributes.number("IntgPd")
        asked = Trigger.INTEGRITY in self.attributes.bits("TrgOps").places
        runs = period and asked and self._watched and (self.buffered or self.enabled)
        self._integrity_at = self._clock() + period * MS if runs else None
