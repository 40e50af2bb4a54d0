"""An audit log's records as they are kept: checkpoints vouch for them, the oldest go in the end."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog

from otgate.observe.audit.journal import Found, Journal, Keeping, Shelved, day_of, tail
from otgate.observe.audit.record import CHECKPOINT, REMOVED, STOP, Note, noted, read, vouched

CHECKPOINT_S, CHECKPOINT_RECORDS = 300.0, 256
"""How old, and how many, records become before a checkpoint vouches for them."""
FIRST_CHECKPOINT_S = 10.0
"""The same for the first ones of a run, which say what runs."""
RETRY_S = 1.0
FILLING = 0.8
"""Of the bytes that may be kept; from there on it is said that records may go too soon."""
TORN_SHOWN = 400

log = structlog.get_logger()


class Signer(Protocol):
    """A private key."""

    @property
    def id(self) -> str:
        """What tells the key from others."""

    def sign(self, message: bytes) -> bytes:
        """Return the Ed25519 signature of ``message``, RFC 8032."""


Anchor = Callable[[int, str], None]
"""Told number and hash of every checkpoint that is on the disk; brings them elsewhere."""


def nowhere(_seq: int, _head: str) -> None:
    """Bring a checkpoint nowhere."""


@dataclass(frozen=True, slots=True)
class Ends:
    """What the log does beyond its files."""

    signer: Signer | None = None
    anchor: Anchor = nowhere
    checkpoint_s: float = CHECKPOINT_S
    retry_s: float = RETRY_S


@dataclass(frozen=True, slots=True)
class Standing:
    """How a log stands, for whoever asks on another thread."""

    size_bytes: int = 0
    oldest_s: float | None = None
    """The day of the oldest file, Unix time."""
    checkpoint_s: float | None = None
    """When the last checkpoint was on the disk, Unix time."""
    shortened: int = 0
    """Files that went too soon, since the start."""


class Book:
    """A journal with its checkpoints and its keeping; used on one thread."""

    def __init__(self, keeping: Keeping, ends: Ends, clock: Callable[[], int]) -> None:
        self.journal = Journal(keeping)
        self._ends = ends
        self._clock = clock
        self._unvouched = 0
        """Records since the last checkpoint."""
        self._since_s = 0.0
        self._within_s = min(FIRST_CHECKPOINT_S, ends.checkpoint_s)
        self._urgent = False
        """Whether something is to be synced at once."""
        self._checkpoint: tuple[int, str] | None = None
        """The last one, until it is on the disk and brought elsewhere."""
        self._left: Sequence[Note] = ()
        """What is to be recorded of the run before."""
        self._said = ""
        self._checkpoint_s: float | None = None
        self._shortened = 0

    def standing(self) -> Standing:
        """Return how the log stands."""
        shelf = self.journal.shelf
        oldest_s = day_s(day_of(shelf[0].name)) if shelf else None
        return Standing(self.journal.size_bytes, oldest_s, self._checkpoint_s, self._shortened)

    def due_s(self) -> float | None:
        """Return in how many seconds a checkpoint is due; None where nothing is new."""
        if not self._unvouched:
            return None
        if self._unvouched >= CHECKPOINT_RECORDS:
            return 0.0
        return max(0.0, self._since_s + self._within_s - time.monotonic())

    def open(self, now_ns: int) -> None:
        """Make sure that there is a file to write, and record how the last run left it.

        Raises:
            OSError: there is none.
        """
        if not self.journal.is_open:
            again = self.journal.seq > 0
            found = self.journal.open(now_ns)
            if not again:
                self._left = left(found, now_ns)
        if self._left:
            self._append(self._left)
            self._left = ()
            self._keep()

    def write(self, notes: Sequence[Note]) -> None:
        """Append ``notes``, all or none; the next file begins where it is due.

        Raises:
            OSError: none is written.
        """
        now_ns = notes[-1].time_ns
        if self.journal.is_gone():
            self.journal.begin(now_ns)
            self._append([noted(now_ns, "file_removed", {})])
        if self.journal.is_over(now_ns):
            self._vouch({})
            self._sync()
            self.journal.begin(now_ns)
            self._keep()
        self._append(notes)

    def settle(self) -> None:
        """Bring to the disk what is urgent, with a checkpoint where one is due.

        Raises:
            OSError: it may not be there.
        """
        if self.due_s() == 0.0:
            self._vouch({})
        if self._urgent or self._checkpoint:
            self.open(self._clock())
            self._sync()

    def end(self) -> None:
        """Write the last checkpoint.

        Raises:
            OSError: it may not be there.
        """
        self._vouch({"last": True})
        self._sync()

    def _append(self, notes: Sequence[Note]) -> None:
        self.journal.append(notes)
        if not self._unvouched:
            self._since_s = time.monotonic()
        self._unvouched += len(notes)
        self._urgent = self._urgent or any(note.urgent for note in notes)

    def _vouch(self, what: dict[str, Any]) -> None:
        """Write a checkpoint where there is something new."""
        if not self._unvouched:
            return
        journal, signer = self.journal, self._ends.signer
        what = {"records": self._unvouched, **what}
        if signer is not None:
            signature = signer.sign(vouched(journal.seq + 1, journal.head))
            what |= {"key": signer.id, "ed25519": signature.hex()}
        journal.append([noted(self._clock(), CHECKPOINT, what)])
        self._unvouched = 0
        self._within_s = self._ends.checkpoint_s
        self._checkpoint = journal.seq, journal.head

    def _sync(self) -> None:
        self.journal.sync()
        self._urgent = False
        checkpoint, self._checkpoint = self._checkpoint, None
        if checkpoint is not None:
            self._checkpoint_s = self._clock() / 1e9
            self._ends.anchor(*checkpoint)

    # Keeping

    def _keep(self) -> None:
        """Remove what is too much, each file only once a record says so."""
        journal = self.journal
        while (place := journal.surplus()) is not None:
            self._remove(place)
        if journal.size_bytes > FILLING * journal.keeping.size_bytes:
            self._warn(journal.shelf[0])

    def _remove(self, place: Shelved) -> None:
        journal = self.journal
        too_soon = self._is_young(place)
        seq, head = journal.last_of(place)
        what = {"file": place.name, "through": seq, "hash": head, "too_soon": too_soon}
        self._append([noted(self._clock(), REMOVED, what)])
        journal.sync()
        journal.remove(place)
        if too_soon:
            self._shortened += 1
            log.error("audit_shortened", file=place.name, **self._room())

    def _warn(self, oldest: Shelved) -> None:
        newest = self.journal.shelf[-1].name
        if newest != self._said and self._is_young(oldest):
            self._said = newest
            log.warning("audit_filling", **self._room())

    def _is_young(self, place: Shelved) -> bool:
        """Say whether a file's records are younger than they are to become."""
        line, _ = tail(self.journal.keeping.directory / place.name)
        record = read(line)
        if record is None:
            return False
        try:
            written_s = datetime.fromisoformat(record.time).timestamp()
        except ValueError:  # not ours, by its time
            return False
        return self._clock() / 1e9 - written_s < self.journal.keeping.keep_s

    def _room(self) -> dict[str, float]:
        journal = self.journal
        return {
            "size_mb": round(journal.size_bytes / 1e6, 1),
            "of_mb": round(journal.keeping.size_bytes / 1e6, 1),
            "keep_days": round(journal.keeping.keep_s / 86400),
        }


def day_s(day: str) -> float | None:
    """Return when a day begins; None where a file is named by no day."""
    try:
        return datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def left(found: Found, time_ns: int) -> Sequence[Note]:
    """Return what is to be recorded of how an earlier run left the log."""
    notes = []
    if found.torn:
        shown = found.torn[:TORN_SHOWN].decode("utf-8", "backslashreplace")
        notes.append(noted(time_ns, "torn", {"bytes": len(found.torn), "begins": shown}))
    if found.damaged:
        notes.append(noted(time_ns, "damaged", {"file": found.damaged}))
    if found.last is not None and not ended(found):
        what = {"last_seq": found.last.seq, "last_time": found.last.time}
        notes.append(noted(time_ns, "crash", what))
    return notes


def ended(found: Found) -> bool:
    """Say whether the run that wrote the last record came to its end."""
    last = found.last
    return last is not None and (last.event == STOP or last.what.get("last") is True)
