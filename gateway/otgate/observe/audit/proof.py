"""Holds an audit log against itself, a key and anchors; names every break that shows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from otgate.errors import Refused
from otgate.observe.audit.anchor import Anchored
from otgate.observe.audit.journal import shelf_of
from otgate.observe.audit.record import (
    CHECKPOINT,
    FIRST,
    REMOVED,
    START,
    Record,
    digest,
    read,
    vouched,
)

MOST_BREAKS = 100
TELLING = frozenset({CHECKPOINT, REMOVED, START})
ALONE = "held against itself alone: whoever can write the files could have written all of it anew"
NOTHING: dict[str, Any] = {}

Holds = Callable[[bytes, bytes], bool]
"""Says of a signature and a message whether the key made the one of the other."""


class Kind(StrEnum):
    """What was done to a log."""

    EDIT = "edit"
    DELETION = "deletion"
    SWAP = "swap"
    TRUNCATION = "truncation"
    SIGNATURE = "signature"


@dataclass(frozen=True, slots=True)
class Break:
    """One place at which a log does not hold."""

    kind: Kind
    file: str
    line: int
    what: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.kind}: {self.what}"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a log, where it stands."""

    file: str
    number: int
    record: Record | None
    hash: str


@dataclass(slots=True)
class Proof:
    """What came of holding a log against itself."""

    files: int = 0
    records: int = 0
    first: Record | None = None
    last: Record | None = None
    head: str = FIRST
    """Hash of the last line."""
    log: str = ""
    """Which log it is, as its anchors name it."""
    signed: int = 0
    """Checkpoints whose signature holds."""
    unvouched: int = 0
    """Records after the last checkpoint."""
    breaks: list[Break] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def say(self, kind: Kind, line: Line, what: str) -> None:
        """Take note of a break."""
        if len(self.breaks) < MOST_BREAKS:
            self.breaks.append(Break(kind, line.file, line.number, what))


def proved(
    directory: Path,
    key: tuple[str, Holds] | None = None,
    anchors: Sequence[Anchored] = (),
) -> Proof:
    """Hold the log in ``directory`` against itself, and against the id and check of a key.

    Raises:
        Refused: there is no log, or it cannot be read.
    """
    try:
        names = [place.name for place in shelf_of(directory)]
        proof = Proof(files=len(names))
        lines = [line for name in names for line in lines_of(directory / name, proof)]
    except OSError as error:
        raise Refused(f"cannot read the audit log in {directory}: {error.strerror}") from None
    if not names:
        raise Refused(f"there is no audit log in {directory}")
    Chain(proof, lines).hold()
    Signatures(proof, key).hold(lines)
    hold_anchors(proof, lines, anchors)
    if key is None and not anchors:
        proof.remarks.append(ALONE)
    return proof


def lines_of(path: Path, proof: Proof) -> Iterator[Line]:
    """Yield the lines of a file; what follows the last line end is being written, or torn."""
    *whole, rest = path.read_bytes().split(b"\n")
    for number, line in enumerate(whole, 1):
        yield Line(path.name, number, slim(read(line)), digest(line))
    if rest:
        proof.remarks.append(f"{path.name}: the last line is unfinished")


def slim(record: Record | None) -> Record | None:
    """Return a record without what it says, where that is not looked at: there may be a million."""
    if record is None or record.event in TELLING:
        return record
    return Record(record.seq, record.time, record.event, NOTHING, record.prev)


class Chain:
    """Follows the records from the first to the last."""

    def __init__(self, proof: Proof, lines: Sequence[Line]) -> None:
        self._proof = proof
        self._lines = lines
        self._present = {line.record.seq for line in lines if line.record}
        self._seq, self._head = 0, FIRST

    def hold(self) -> None:
        """Say where a record is not what the next says of it, or does not follow."""
        proof = self._proof
        for at, line in enumerate(self._lines):
            self._hold(at, line)
        records = [line.record for line in self._lines if line.record]
        proof.records = len(self._lines)
        proof.first, proof.last = (records[0], records[-1]) if records else (None, None)
        proof.head = self._head
        proof.log = next((log_of(one) for one in reversed(records) if log_of(one)), "")

    def _hold(self, at: int, line: Line) -> None:
        record = line.record
        if record is None:
            self._proof.say(Kind.EDIT, line, "this is no record")
            self._seq += 1
        elif at == 0 and record.seq > 1:
            self._hold_beginning(line, record)
            self._seq = record.seq
        else:
            self._follow(at, line, record)
        self._head = line.hash

    def _follow(self, at: int, line: Line, record: Record) -> None:
        wanted, seq = self._seq + 1, record.seq
        if record.prev == self._head:
            if seq != wanted:
                self._proof.say(Kind.EDIT, line, f"record {wanted} calls itself {seq}")
            self._seq = wanted
            return
        self._seq = seq
        if seq == wanted:
            self._edited(at, line)
        elif seq > wanted and not self._has_all(wanted, seq):
            self._proof.say(Kind.DELETION, line, f"{span(wanted, seq - 1)} missing before")
        else:
            what = f"record {seq} stands where record {wanted} belongs"
            self._proof.say(Kind.SWAP, line, what)

    def _has_all(self, first: int, end: int) -> bool:
        """Say whether records that are not here are somewhere else."""
        few = end - first <= len(self._present)
        return few and self._present.issuperset(range(first, end))

    def _edited(self, at: int, line: Line) -> None:
        """Say which of two lines was changed: the one that the line after does not know either."""
        after = self._lines[at + 1].record if at + 1 < len(self._lines) else None
        known = after is None or after.prev == line.hash
        changed = self._lines[at - 1] if known and at else line
        self._proof.say(Kind.EDIT, changed, "it is not as the record after it knows it")

    def _hold_beginning(self, line: Line, record: Record) -> None:
        """Accept a beginning before which the log itself removed what was too much."""
        removed = [one for one in map(removal, self._lines) if one is not None]
        through = max((seq for seq, _ in removed), default=0)
        if (record.seq - 1, record.prev) in removed or through >= record.seq:
            return
        gone = span(through + 1, record.seq - 1)
        self._proof.say(Kind.DELETION, line, f"{gone} missing, and no record says so")


class Signatures:
    """Holds checkpoints against a key."""

    def __init__(self, proof: Proof, key: tuple[str, Holds] | None) -> None:
        self._proof = proof
        self._key = key

    def hold(self, lines: Sequence[Line]) -> None:
        """Say which checkpoints the key did not sign, and how much none vouches for."""
        proof = self._proof
        for line in lines:
            proof.unvouched += 1
            if line.record is not None and line.record.event == CHECKPOINT:
                proof.unvouched = 0
                self._hold(line, line.record)

    def _hold(self, line: Line, record: Record) -> None:
        if self._key is None:
            return
        wanted, holds = self._key
        told = record.what.get("key", "")
        if told != wanted:
            by = f"signed with key {told}, not {wanted}" if told else "not signed"
            self._proof.say(Kind.SIGNATURE, line, f"the checkpoint is {by}")
        elif holds(signature(record.what), vouched(record.seq, record.prev)):
            self._proof.signed += 1
        else:
            self._proof.say(Kind.SIGNATURE, line, "the checkpoint's signature does not hold")


def hold_anchors(proof: Proof, lines: Sequence[Line], anchors: Sequence[Anchored]) -> None:
    """Say which anchors the log does not have any more.

    Raises:
        Refused: all are of other logs.
    """
    ours = [one for one in anchors if not one.log or not proof.log or one.log == proof.log]
    if anchors and not ours:
        others = ", ".join(sorted({one.log for one in anchors}))
        raise Refused(f"the anchors are of {others}, the log is of {proof.log}")
    by_seq = {line.record.seq: line for line in lines if line.record}
    hashes = {line.hash for line in lines}
    end = lines[-1] if lines else Line("the log", 0, None, FIRST)
    first = proof.first.seq if proof.first else 1
    for anchor in ours:
        if anchor.hash in hashes or (anchor.seq is not None and anchor.seq < first):
            continue
        name = anchor.hash if anchor.seq is None else f"record {anchor.seq}"
        found = by_seq.get(anchor.seq) if anchor.seq is not None else None
        if found is None:
            proof.say(Kind.TRUNCATION, end, f"the log ends without {name}, which is anchored")
        else:
            proof.say(Kind.EDIT, found, f"{name} is not as it was anchored")


def log_of(record: Record) -> str:
    """Return which log a record says it is of."""
    return str(record.what.get("log", "")) if record.event == START else ""


def removal(line: Line) -> tuple[int, str] | None:
    """Return through which record, with which hash, a record says that the log was shortened."""
    record = line.record
    if record is None or record.event != REMOVED:
        return None
    through = record.what.get("through")
    return (through, str(record.what.get("hash"))) if isinstance(through, int) else None


def signature(what: dict[str, Any]) -> bytes:
    """Return the signature in a checkpoint, or nothing."""
    try:
        return bytes.fromhex(str(what.get("ed25519", "")))
    except ValueError:
        return b""


def span(first: int, last: int) -> str:
    """Name records."""
    return f"record {first} is" if first == last else f"records {first} to {last} are"
