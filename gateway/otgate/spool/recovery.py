"""What an earlier writer left in one log: its segments, and where its last epoch ended."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from otgate.spool.entry import BUFFER_BYTES
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
from otgate.spool.tally import Noted

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
    dropped_before: int = 0
    """How many of the last of those only a tally tells of."""
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


def past(files: Files, directory: Path, log: Log, now_ns: int, noted: Noted | None = None) -> Past:
    """Read where the log in ``directory`` stands; what cannot be read counts as damaged.

    ``noted`` is what its last writer left, if it could not write.

    Raises:
        SpoolUnusable: a segment is of a newer format.
        OSError: the directory cannot be listed.
    """
    found = segments(files.names(directory))
    starts = {segment: start_of(files, directory, log, segment) for segment in found}
    closed_ns = now_ns
    kept: list[Kept] = []
    for segment in reversed(found):
        kept.append(Kept(segment, _size(files, directory / segment.name), closed_ns))
        if (start := starts[segment]) is not None:
            closed_ns = min(start.created_ns, now_ns)
    kept.reverse()
    sound = [start for start in starts.values() if start is not None]
    found_past = Past(kept=kept)
    if sound:
        last = sound[-1]
        end = _recovered_end(files, directory, log, sound)
        found_past = Past(last.id.epoch, end, last.epoch_base + end, kept=kept)
    return _at_least(found_past, noted, log)


def end_of(files: Files, directory: Path, log: Log, epoch: int) -> int:
    """Return one above the last sample of ``epoch`` that can be read, 0 where there is none.

    The epoch is over: its writer has ended.
    """
    try:
        found = segments(files.names(directory))
    except OSError:
        return 0
    starts = (start_of(files, directory, log, each) for each in found if each.epoch == epoch)
    return _recovered_end(files, directory, log, [start for start in starts if start is not None])


def _at_least(found: Past, noted: Noted | None, log: Log) -> Past:
    """Put the end of the last epoch where its writer's tally says that it was, if beyond."""
    tally = noted.lanes.get(log) if noted else None
    if noted is None or tally is None or noted.epoch_number < found.previous_epoch:
        return found
    if noted.epoch_number > found.previous_epoch:  # of which the disk took no segment
        samples, dropped = tally.samples_before + tally.end, tally.dropped_before + tally.end
        return Past(noted.epoch_number, tally.end, samples, dropped, found.kept)
    dropped = max(tally.end - found.previous_end, 0)
    end, samples = found.previous_end + dropped, found.samples_before + dropped
    return Past(found.previous_epoch, end, samples, dropped, found.kept)


def start_of(files: Files, directory: Path, log: Log, segment: SegmentId) -> Start | None:
    """Return the numbers of a segment's header, or None where it is damaged.

    Raises:
        SpoolUnusable: it is of a newer format.
    """
    with suppress(OSError), reading(files, directory / segment.name) as descriptor:
        peeked = files.pread(descriptor, PEEK_BYTES, 0)
        with suppress(Damaged):
            return peek(log, segment, peeked)
        with suppress(Damaged):
            unpack_header(log, segment, files.pread(descriptor, header_length(peeked), 0))
    return None


def _recovered_end(files: Files, directory: Path, log: Log, sound: Sequence[Start]) -> int:
    """Return the end of the last epoch: the greatest that any of its segments reaches.

    Not always the last one reaches it: after faults a writer wrote again what older segments may
    hold as well, and may have been killed before it was through with that. Never was that more
    than its buffer held, so once as much was found nothing older needs to be looked at.
    """
    end, bytes_found = 0, 0
    first_seq = 1 << 64
    for start in reversed(sound):
        if start.id.epoch != sound[-1].id.epoch or bytes_found > BUFFER_BYTES:
            break
        end = max(end, start.first_seq)
        for seq, stop, size_bytes in _spans(files, directory, log, start):
            end = max(end, stop)
            if seq < first_seq:
                bytes_found += size_bytes
        first_seq = min(first_seq, start.first_seq)
    return end


def _spans(files: Files, directory: Path, log: Log, start: Start) -> Iterator[tuple[int, int, int]]:
    """Yield where each readable frame begins and ends, and its bytes."""
    with suppress(OSError), reading(files, directory / start.id.name) as descriptor:
        at = header_length(files.pread(descriptor, PEEK_BYTES, 0))
        while True:
            block = files.pread(descriptor, READ_BYTES, at)
            good = good_bodies(block, start.id.seed(log), len(block))
            for body in good.bodies:
                if numbers := span(body):
                    yield numbers[0], sum(numbers), len(body)
            if not good.bodies:
                break
            at += good.end


def _size(files: Files, path: Path) -> int:
    try:
        return files.size(path)
    except OSError:
        return 0
