"""Where the event loop leaves a lane's frames for the committer, and what it had to drop."""

from collections import deque
from dataclasses import dataclass
from threading import Lock

from otgate.spool.entry import Entry
from otgate.spool.frame import pack_gap
from otgate.spool.items import GapReason

MOST_ENDED = 1000


@dataclass(slots=True)
class Dropped:
    """Consecutive samples that found no room."""

    seq: int
    count: int
    from_ns: int
    to_ns: int

    def entry(self) -> Entry:
        """Return the gap that covers them."""
        body = pack_gap(self.seq, self.count, self.from_ns, self.to_ns, GapReason.DROPPED)
        return self.seq, self.count, body


class Inbox:
    """Frames of one lane in order of their numbers.

    Only the event loop begins a gap, so it may append without the lock while there is none; the
    lock keeps the committer from ending a gap while the loop extends it.
    """

    def __init__(self, room_bytes: int) -> None:
        self.room_bytes = room_bytes
        """How full the writer's buffer may be for this lane to append."""
        self.next_seq = 0
        self.samples_dropped = 0
        self.pending: deque[Entry] = deque()
        self.dropped: Dropped | None = None
        self.ended: deque[Dropped] = deque(maxlen=MOST_ENDED)
        """Gaps that have ended and that nobody has asked for yet."""
        self._lock = Lock()

    @property
    def empty(self) -> bool:
        """Whether nothing waits here; asked in this order, since a gap moves to the frames."""
        return self.dropped is None and not self.pending

    def put_after_gap(self, entry: Entry) -> None:
        """Append ``entry`` behind the gap, which it ends."""
        with self._lock:
            if self.dropped is not None:
                self.pending.append(self._ended(self.dropped))
            self.pending.append(entry)

    def drop(self, seq: int, count: int, from_ns: int, to_ns: int) -> None:
        """Count samples of that time as dropped."""
        self.samples_dropped += count
        with self._lock:
            gap = self.dropped
            if gap is None:
                self.dropped = Dropped(seq, count, from_ns, to_ns)
                return
            gap.count += count
            gap.from_ns = min(gap.from_ns, from_ns)
            gap.to_ns = max(gap.to_ns, to_ns)

    def drained(self) -> list[Entry]:
        """Take everything: frames, then the gap that follows them."""
        with self._lock:
            entries = [self.pending.popleft() for _ in range(len(self.pending))]
            if self.dropped is not None:
                entries.append(self._ended(self.dropped))
            return entries

    def _ended(self, gap: Dropped) -> Entry:
        self.ended.append(gap)
        self.dropped = None
        return gap.entry()
