"""The audit log of a running side: takes notes on any thread, chains and writes them on its own.

Taking a note is a few microseconds. What the disk does not take waits, as far as there is room,
and what found none is told by a record in its place.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from threading import Event, Lock, Thread
from typing import Any

import structlog

from otgate.observe.audit.book import Book, Ends, Standing
from otgate.observe.audit.journal import Keeping
from otgate.observe.audit.record import Note, noted, stamp

WAITING_BYTES = 1 << 20
"""Of notes that may wait for a disk."""
NOTE_BYTES = 200
"""Of a note beside what it says."""
A_WRITE = 64
"""Notes written at once."""
STOP_S = 1.0
IN_THE_WAY = "a file stands where a directory has to be"

log = structlog.get_logger()


@dataclass(slots=True)
class Lost:
    """Notes that found no room."""

    count: int
    from_ns: int
    to_ns: int


class Audit:
    """Takes notes from any thread until it is closed."""

    def __init__(
        self, keeping: Keeping, ends: Ends | None = None, clock: Callable[[], int] = time.time_ns
    ) -> None:
        self._ends = ends or Ends()
        self._clock = clock
        self._lock = Lock()
        self._waiting: deque[Note] = deque()
        self._waiting_bytes = 0
        self._lost: Lost | None = None
        self._bell, self._ending = Event(), Event()
        self.error = ""
        """Why nothing can be recorded now; empty while it can."""
        self.written = 0
        """Records since the start."""
        self.lost = 0
        """Records since the start that found no room."""
        self.failures = 0
        """Attempts since the start that the disk refused."""
        self.standing = Standing()
        self.keeping = keeping
        self._book = Book(keeping, self._ends, clock)
        self._thread = Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def note(self, event: str, /, **what: Any) -> None:
        """Record ``event``; it is on the disk soon. Never blocks."""
        self.take(noted(self._clock(), event, what))

    def hear(self, event: str, what: Mapping[str, Any]) -> None:
        """Record ``event``; it is on the disk with the next checkpoint. Never blocks."""
        self.take(noted(self._clock(), event, what, urgent=False))

    def take(self, note: Note) -> None:
        """Let ``note`` wait for being written, or count it where there is no room."""
        with self._lock:
            if self._waiting_bytes + cost_bytes(note) > WAITING_BYTES:
                self._lose(note.time_ns)
                return
            self._tell_lost()
            self._put(note)
        self._bell.set()

    def close(self) -> None:
        """Write what waits with a last checkpoint; a disk that takes nothing gets a second."""
        self._ending.set()
        self._bell.set()
        self._thread.join(STOP_S)

    def _put(self, note: Note) -> None:
        self._waiting.append(note)
        self._waiting_bytes += cost_bytes(note)

    def _lose(self, time_ns: int) -> None:
        if self._lost is None:
            self._lost = Lost(0, time_ns, time_ns)
        self.lost += 1
        self._lost.count += 1
        self._lost.to_ns = time_ns

    def _tell_lost(self) -> None:
        """Put a note where notes are missing."""
        if lost := self._lost:
            self._lost = None
            what = {"count": lost.count, "from": stamp(lost.from_ns), "to": stamp(lost.to_ns)}
            self._put(noted(lost.to_ns, "records_lost", what))

    # On the thread

    def _run(self) -> None:
        while not self._ending.is_set():
            self._bell.wait(self._book.due_s())
            self._bell.clear()
            self._cycle()
        with suppress(OSError):
            self._written_out()
            if self._book.journal.is_open:
                self._book.end()
        self._book.journal.close()

    def _cycle(self) -> None:
        try:
            self._written_out()
            self._book.settle()
        except OSError as error:
            self._fail(error)
            self._ending.wait(self._ends.retry_s)
            self._bell.set()
        else:
            self._recover()
        self.standing = self._book.standing()

    def _written_out(self) -> None:
        while batch := self._batch():
            self._book.open(batch[0].time_ns)
            self._book.write(batch)
            self._drop(len(batch))

    def _batch(self) -> Sequence[Note]:
        with self._lock:
            if not self._waiting:
                self._tell_lost()
            return list(islice(self._waiting, A_WRITE))

    def _drop(self, count: int) -> None:
        with self._lock:
            for _ in range(count):
                self._waiting_bytes -= cost_bytes(self._waiting.popleft())
        self.written += count

    def _fail(self, error: OSError) -> None:
        in_the_way = isinstance(error, FileExistsError | NotADirectoryError)
        what = IN_THE_WAY if in_the_way else error.strerror or str(error)
        why = f"{what}: {self.keeping.directory}"
        self.failures += 1
        if not self.error:
            log.error("audit_failing", error=why)
        self.error = why

    def _recover(self) -> None:
        if self.error:
            log.info("audit_writing", failed=self.error)
            self.error = ""


def cost_bytes(note: Note) -> int:
    """Return about how much memory a note takes while it waits."""
    return len(note.what) + NOTE_BYTES
