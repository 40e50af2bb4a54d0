"""What has left a private spool: done with, and what was about to be done when it was written.

Written before samples are handed on, so that the next start can tell from the spool they went to
which of them arrived: a kill or a power cut between the two neither loses nor repeats any.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from otgate.model import Lane
from otgate.spool.cursor import LaneCursor
from otgate.spool.state_file import StateFile

FORMAT = 1


class Sent(NamedTuple):
    """Samples of the private spool, and how many of them go on."""

    epoch: int
    seq: int
    samples: int
    crossing: int


class Sending(NamedTuple):
    """What goes to one epoch of the other spool, by lane, in order."""

    epoch: int
    starts: Mapping[Lane, int]
    """The number that the first that goes on gets there."""
    lanes: Mapping[Lane, Sequence[Sent]]

    def arrived(self, lane: Lane, end: int) -> Iterator[Sent]:
        """Yield what is there of a lane that ends at ``end``."""
        stop = self.starts[lane]
        for each in self.lanes[lane]:
            stop += each.crossing
            if stop > end:
                return
            yield each


class Journal:
    """One file, replaced as a whole."""

    def __init__(self, file: StateFile) -> None:
        self._file = file

    @property
    def path(self) -> str:
        """Where it lies."""
        return str(self._file.path)

    def load(self, cursors: Mapping[Lane, LaneCursor]) -> Sending | None:
        """Restore ``cursors``; return what was about to be done, None where nothing ever was.

        Raises:
            OSError, ValueError, KeyError, TypeError: it is of no use.
        """
        try:
            saved = json.loads(self._file.read())
        except FileNotFoundError:
            return None
        if saved["format"] != FORMAT:
            raise ValueError(f"format {saved['format']!r}")
        for lane, cursor in cursors.items():
            cursor.restore(saved["lanes"][lane])
        return unpacked(saved["sending"])

    def save(self, cursors: Mapping[Lane, LaneCursor], about: Sending) -> None:
        """Put all on the disk.

        Raises:
            OSError: it could not be; what was there stands.
        """
        lanes = {lane.value: cursor.as_json() for lane, cursor in cursors.items()}
        kept = {"format": FORMAT, "lanes": lanes, "sending": packed(about)}
        self._file.write(json.dumps(kept, separators=(",", ":")).encode())


def packed(about: Sending) -> dict[str, Any]:
    """Spell it in few bytes: a number for each frame that goes on whole."""
    return {
        "epoch": about.epoch,
        "starts": {lane.value: start for lane, start in about.starts.items()},
        "runs": {lane.value: list(runs(sent)) for lane, sent in about.lanes.items()},
    }


def runs(sent: Sequence[Sent]) -> Iterator[tuple[int, int, list[Any]]]:
    """Yield what follows upon each other as its first number and its counts."""
    counts: list[Any] = []
    place = None
    for epoch, seq, samples, crossing in sent:
        if place != (epoch, seq):
            counts = []
            yield epoch, seq, counts
        counts.append(samples if crossing == samples else (samples, crossing))
        place = epoch, seq + samples


def unpacked(saved: Any) -> Sending:
    """Read what `packed` spelled."""
    starts = {Lane(lane): int(start) for lane, start in saved["starts"].items()}
    lanes = {Lane(lane): list(each_of(found)) for lane, found in saved["runs"].items()}
    return Sending(int(saved["epoch"]), starts, lanes)


def each_of(found: Any) -> Iterator[Sent]:
    """Yield what `runs` put together."""
    for epoch, first, counts in found:
        seq = first
        for count in counts:
            samples, crossing = count if isinstance(count, list) else (count, count)
            yield Sent(epoch, seq, samples, crossing)
            seq += samples
