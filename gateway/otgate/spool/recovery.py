"""What an earlier writer left in one log: its segments, and where its last epoch ended."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from otgate.spool.files import Files
from otgate.spool.frame import good_bodies, span
from otgate.spool.segment import (
    PEEK_BYTES,
    Damaged,
    Log,
    SegmentId,
    Start,
    header_length,
    peek,
    segments,
    unfinished,
    unpack_header,
)

READ_BYTES = 5 << 20
"""Read at a time while looking for an end; above the longest frame."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A segment that is no longer written."""

    id: SegmentId
    size_bytes: int
    closed_ns: int
    """When its successor began, so at the earliest its newest sample's age."""


@dataclass(frozen=True, slots=True)
class Past:
    """A log as found."""

    previous_epoch: int = 0
    previous_end: int = 0
    samples_before: int = 0
    kept: Sequence[Kept] = field(default=())


def swept(files: Files, directory: Path) -> list[SegmentId]:
    """Remove what a crash left unfinished in ``directory``; return the segments there."""
    names = files.names(directory)
    for name in unfinished(names):
        with suppress(OSError):  # a leftover harms nobody; the next start tries again
            files.unlink(directory / name)
    return segments(names)


@contextmanager
def reading(files: Files, path: Path) -> Iterator[int]:
    """Open ``path`` for reading and close it again."""
    descriptor = files.open(path)
    try:
        yield descriptor
    finally:
        files.close(descriptor)


def past(files: Files, directory: Path, log: Log, now_ns: int) -> Past:
    """Read where the log in ``directory`` stands; what cannot be read counts as damaged.

    Raises:
        SpoolUnusable: a segment is of a newer format.
        OSError: the directory cannot be listed.
    """
    found = segments(files.names(directory))
    starts = {segment: _start(files, directory, log, segment) for segment in found}
    closed_ns = now_ns
    kept: list[Kept] = []
    for segment in reversed(found):
        kept.append(Kept(segment, _size(files, directory / segment.name), closed_ns))
        if (start := starts[segment]) is not None:
            closed_ns = min(start.created_ns, now_ns)
    kept.reverse()
    sound = [start for start in starts.values() if start is not None]
    if not sound:
        return Past(kept=kept)
    last = sound[-1]
    end = _recovered_end(files, directory, log, sound)
    return Past(last.id.epoch, end, last.epoch_base + end, kept)


def _start(files: Files, directory: Path, log: Log, segment: SegmentId) -> Start | None:
    with suppress(OSError), reading(files, directory / segment.name) as descriptor:
        peeked = files.pread(descriptor, PEEK_BYTES, 0)
        with suppress(Damaged):
            return peek(log, segment, peeked)
        with suppress(Damaged):
            unpack_header(log, segment, files.pread(descriptor, header_length(peeked), 0))
    return None


def _recovered_end(files: Files, directory: Path, log: Log, sound: Sequence[Start]) -> int:
    """Return the end of the last epoch: of its last two segments that hold frames.

    Two, because a writer that met a fault began a segment again with frames of the one before.
    """
    end, held = 0, 0
    for start in reversed(sound):
        if start.id.epoch != sound[-1].id.epoch or held == 2:
            break
        reached = _end(files, directory, log, start)
        held += reached > start.first_seq
        end = max(end, reached)
    return end


def _end(files: Files, directory: Path, log: Log, start: Start) -> int:
    end = start.first_seq
    with suppress(OSError), reading(files, directory / start.id.name) as descriptor:
        at = header_length(files.pread(descriptor, PEEK_BYTES, 0))
        while True:
            block = files.pread(descriptor, READ_BYTES, at)
            good = good_bodies(block, start.id.seed(log), len(block))
            for seq, count in filter(None, map(span, good.bodies)):
                end = max(end, seq + count)
            if not good.bodies:
                break
            at += good.end
    return end


def _size(files: Files, path: Path) -> int:
    try:
        return files.size(path)
    except OSError:
        return 0
