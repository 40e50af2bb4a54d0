"""The entries of one report control block: made, kept, sent, and begun again after one of them."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from otgate_iec61850.mms.values import Value

ENTRY_ID_OCTETS = 8
"""EntryID: IEC 61850-8-1."""
NO_ENTRY = bytes(ENTRY_ID_OCTETS)
MOST_LOGGED = 100_000


@dataclass(frozen=True, slots=True)
class Entry:
    """What one report says: members of the data set by place, as they were."""

    serial: int
    ns: int
    members: Sequence[int]
    values: Sequence[Value]
    reasons: Sequence[int]

    @property
    def id(self) -> bytes:
        """EntryID."""
        return self.serial.to_bytes(ENTRY_ID_OCTETS, "big")


def _log() -> deque[bytes]:
    return deque(maxlen=MOST_LOGGED)


@dataclass(slots=True)
class Buffer:
    """Entries in order; the oldest goes when there is no room."""

    capacity: int
    kept: deque[Entry] = field(default_factory=deque)
    made: int = 0
    next_serial: int = 1
    """The first that is not sent yet; resuming sets it back."""
    overflowed: bool = False
    """Whether unsent entries were lost and no report has said so yet."""
    lost: deque[bytes] = field(default_factory=_log)
    """Entries that went unsent."""
    sent: deque[bytes] = field(default_factory=_log)
    """Entries in the order in which they were sent, again and again too."""
    resumed: deque[bytes] = field(default_factory=_log)
    """What clients have written to EntryID: they have everything up to there."""

    def add(
        self, ns: int, members: Sequence[int], values: Sequence[Value], reasons: Sequence[int]
    ) -> Entry:
        """Keep a new entry, dropping the oldest where there is no room."""
        self.made += 1
        entry = Entry(self.made, ns, members, values, reasons)
        self.kept.append(entry)
        while len(self.kept) > self.capacity:
            self._drop()
        return entry

    def hold(self, capacity: int) -> None:
        """Change the room there is; what does not fit any more is lost."""
        self.capacity = capacity
        while len(self.kept) > capacity:
            self._drop()

    def _drop(self) -> None:
        gone = self.kept.popleft()
        if gone.serial >= self.next_serial:
            self.lost.append(gone.id)
            self.overflowed = True

    def waiting(self) -> Iterator[Entry]:
        """Yield the entries to be sent, each counted as sent before the next."""
        while self.kept and self.kept[-1].serial >= self.next_serial:
            first = max(self.next_serial, self.kept[0].serial)
            entry = self.kept[first - self.kept[0].serial]
            self.next_serial = entry.serial + 1
            self.sent.append(entry.id)
            yield entry

    def resume(self, entry_id: bytes) -> bool:
        """Begin again after an entry, or from the oldest where it is all zeros.

        False means: that entry is not here (any more).
        """
        if entry_id == NO_ENTRY:
            self.next_serial = self.kept[0].serial if self.kept else self.made + 1
        elif any(entry.id == entry_id for entry in self.kept):
            self.next_serial = int.from_bytes(entry_id, "big") + 1
        else:
            return False
        self.resumed.append(entry_id)
        return True

    def newest(self, *, sent: bool) -> Entry | None:
        """Return the newest entry, or the newest of those that were sent."""
        if not sent:
            return self.kept[-1] if self.kept else None
        return next((e for e in reversed(self.kept) if e.serial < self.next_serial), None)

    def purge(self) -> None:
        """Forget every entry; that is no loss."""
        self.kept.clear()
        self.next_serial = self.made + 1
        self.overflowed = False
