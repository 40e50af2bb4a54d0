"""The reader's cursor: which samples of each lane have been acknowledged."""

import json
import math
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice, takewhile
from pathlib import Path
from struct import Struct
from struct import error as StructError  # noqa: N812  an exception of ours would be named so
from typing import Any, NamedTuple, TypeAlias

from otgate.errors import SpoolUnusable
from otgate.model import Lane
from otgate.spool.epoch import epoch_number, epoch_text
from otgate.spool.files import Files
from otgate.spool.ranges import Ranges
from otgate.spool.state_file import StateFile

NAME = "cursor.json"
UNSYNCED = ("cursor.unsynced0", "cursor.unsynced1")
"""Where the cursor is kept between two saves of `NAME`, in turn: for a kill, which takes no page
from the kernel. A power cut may leave anything there; a checksum tells."""

HEAD = Struct("<II")
"""Before it: the length of its text and the CRC-32 of that."""

FORMAT = 1
HISTORY_S = 60.0
"""How far back `LaneCursor.rewind` can go."""

MERGE_S = 0.25
"""Acknowledgements this close together are rewound together."""
STRETCHES = 4
"""The newest stretches of the history that may still grow: one a reader, and gaps between."""

MOST_RANGES = 256
"""Ranges beyond the floor that are remembered over a rewind: one for each outage that fell into
the draining of an earlier one's backlog. They take 10 KB on the disk."""

Json: TypeAlias = Any
Span: TypeAlias = tuple[int, int, int]
"""Samples of a lane: epoch, first and one above the last."""

NONE = Ranges()
NOTHING: Mapping[int, Ranges] = {}

UNUSABLE = (OSError, ValueError, KeyError, TypeError, RecursionError)
"""What reading a file raises that holds no cursor."""


class Place(NamedTuple):
    """Where in a lane: all before ``seq`` of ``epoch`` is done with."""

    epoch: int
    seq: int


@dataclass(slots=True)
class Acknowledged:
    """One stretch of the history."""

    at_s: float
    epoch: int
    start: int
    stop: int


class LaneCursor:
    """What has been acknowledged in one lane, in whatever order.

    Epochs are chained as the reader walks from one to the next; only then does it know where one
    ends and so when the cursor may leave it.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self.last_ns: int
        """When the last sample walked over was spooled; 0 before the first."""
        self.clear()

    def clear(self) -> None:
        """Stand before everything, as a reader that has never read."""
        self.last_ns = 0
        self.stand_at(Place(0, 0), 0)

    def stand_at(self, place: Place, base: int) -> None:
        """Forget everything else; ``base`` is the number of samples before the epoch."""
        self.changed = True
        self._floor = place
        self._acked: dict[int, Ranges] = {place.epoch: Ranges([(0, place.seq)])}
        self._bases = {place.epoch: base}
        self._ends: dict[int, tuple[int, int]] = {}
        self._left: tuple[Place, int] | None = None
        """Where the last epoch of which something is acknowledged was left, and its base."""
        self._history: deque[Acknowledged] = deque()
        self._under_way: dict[int, Ranges] = {}
        self.brought = place
        """Up to where something was acknowledged when it was restored."""

    @property
    def floor(self) -> Place:
        """Up to where everything is acknowledged."""
        return self._floor

    def has(self, epoch: int, seq: int) -> bool:
        """Tell whether a sample is acknowledged."""
        return epoch < self._floor.epoch or not self.missing(epoch, seq, seq + 1)

    @property
    def beyond(self) -> int:
        """How many samples past the floor are acknowledged already."""
        return sum(
            stop - start
            for epoch, ranges in self._acked.items()
            for start, stop in ranges
            if (epoch, start) > self._floor
        )

    def base(self, epoch: int) -> int:
        """Return how many samples lie before ``epoch``, as far as this cursor has seen it."""
        return self._bases.get(epoch, 0)

    def missing(self, epoch: int, start: int, stop: int) -> list[tuple[int, int]]:
        """Return the parts of [start, stop) that are neither acknowledged nor under way."""
        acked, under_way = self._acked.get(epoch), self._under_way.get(epoch)
        parts = [(start, stop)] if acked is None else acked.missing(start, stop)
        if under_way is None:
            return parts
        return [hole for part in parts for hole in under_way.missing(*part)]

    def leave(self, under_way: Iterable[Span]) -> None:
        """Take it that these, and no others, are under way: epoch, start and stop."""
        self._under_way = {}
        for epoch, start, stop in under_way:
            self._under_way.setdefault(epoch, Ranges()).add(start, stop)

    def acknowledge(self, epoch: int, start: int, stop: int) -> None:
        """Take [start, stop) as done with."""
        if epoch < self._floor.epoch or start >= stop:
            return
        self.changed = True
        acked = self._acked.get(epoch)
        if acked is None:
            acked = self._acked[epoch] = Ranges()
        acked.add(start, stop)
        self._remember(epoch, start, stop)
        self._advance()

    def know(self, epoch: int, base: int) -> None:
        """Learn how many samples lie before an epoch that is entered without the ones before."""
        self._bases.setdefault(epoch, base)

    def next_epoch(self, epoch: int, end: int, following: int, base: int) -> None:
        """Learn that ``epoch`` ends at ``end`` and ``following`` comes next."""
        self._ends[epoch] = (end, following)
        self._acked.setdefault(following, Ranges())
        self._bases[following] = base
        self._advance()

    def rewind(self, since_s: float) -> None:
        """Take back what was acknowledged at ``since_s`` of the clock and later."""
        while self._history and self._history[-1].at_s >= since_s:
            back = self._history.pop()
            self._acked.setdefault(back.epoch, Ranges()).remove(back.start, back.stop)
            self._floor = min(self._floor, Place(back.epoch, back.start))
            self.changed = True
        self._advance()
        self._bound()

    def _bound(self) -> None:
        """Forget the shortest ranges beyond the floor where there are too many: they come again."""
        beyond = self._beyond(self._floor)
        beyond.sort(key=lambda each: each[1] - each[2])
        for epoch, start, stop in beyond[MOST_RANGES:]:
            self._acked[epoch].remove(start, stop)

    def _beyond(self, floor: Place, without: Mapping[int, Ranges] = NOTHING) -> list[Span]:
        """Return what is acknowledged beyond ``floor`` but for what is ``without``, in order."""
        found = _spans(self._acked)
        if without:
            found = [
                (epoch, *part)
                for epoch, start, stop in found
                for part in without.get(epoch, NONE).missing(start, stop)
            ]
        return [span for span in found if span[:2] > floor]

    def unacknowledged(self, since: Place, until: Place) -> int:
        """Return how many samples between two places are not acknowledged.

        Both lie in epochs that this cursor was told of.
        """
        count = self.base(until.epoch) + until.seq - self.base(since.epoch) - since.seq
        for epoch, ranges in self._acked.items():
            low = since.seq if epoch == since.epoch else 0
            high = until.seq if epoch == until.epoch else self._ends.get(epoch, (1 << 63, 0))[0]
            if since.epoch <= epoch <= until.epoch and low < high:
                parts = ((max(start, low), min(stop, high)) for start, stop in ranges)
                count -= sum(max(stop - start, 0) for start, stop in parts)
        return max(count, 0)

    def _remember(self, epoch: int, start: int, stop: int) -> None:
        now_s = self._clock_s()
        for last in islice(reversed(self._history), STRETCHES):
            if now_s - last.at_s >= MERGE_S:
                break
            if last.stop == start and last.epoch == epoch:
                last.stop = stop
                return
        self._history.append(Acknowledged(now_s, epoch, start, stop))
        while self._history[0].at_s < now_s - HISTORY_S:
            self._history.popleft()

    def _advance(self) -> None:
        epoch = self._floor.epoch
        hole = self._acked[epoch].first_hole
        while epoch in self._ends and hole >= self._ends[epoch][0]:
            if self._left is None or self._begun(epoch):
                self._left = Place(epoch, hole), self.base(epoch)
            epoch = self._ends[epoch][1]
            hole = self._acked[epoch].first_hole
        if epoch != self._floor.epoch:
            self.changed = True
            self._forget_epochs(epoch)
        if (epoch, hole) != self._floor:
            self._floor = Place(epoch, hole)

    def _begun(self, epoch: int) -> bool:
        return bool(list(self._acked[epoch]))

    def _forget_epochs(self, before: int) -> None:
        since_s = self._clock_s() - HISTORY_S
        needed = (back.epoch for back in self._history if back.at_s >= since_s)
        oldest = min(needed, default=before)
        for epoch in [epoch for epoch in self._acked if epoch < min(oldest, before)]:
            del self._acked[epoch]
            self._ends.pop(epoch, None)
            self._bases.pop(epoch, None)

    def as_json(self, since_s: float = math.inf) -> Json:
        """Return what has to survive a restart.

        What was acknowledged at ``since_s`` of the clock and later is kept apart from the rest, as
        ``replayable``: a `rewind` after the restart takes it back.

        An epoch of which nothing is acknowledged is not entered yet: a power cut may take its name
        away, as long as its writer has written nothing.
        """
        recent = self._since(since_s)
        floor = min([self._floor, *(Place(epoch, start) for epoch, start, _ in _spans(recent))])
        base = self.base(floor.epoch)
        if self._left is not None and floor == self._floor and not self._begun(floor.epoch):
            floor, base = self._left
        return {
            "epoch": epoch_text(floor.epoch),
            "complete_through": floor.seq,
            "samples_before_epoch": base,
            "last_spooled_ns": self.last_ns,
            "acknowledged": _spelled(self._beyond(floor, recent)),
            "replayable": _spelled(_spans(recent)),
        }

    def _since(self, since_s: float) -> dict[int, Ranges]:
        """Return what was acknowledged at ``since_s`` and later, by epoch."""
        found: dict[int, Ranges] = {}
        for back in takewhile(lambda each: each.at_s >= since_s, reversed(self._history)):
            found.setdefault(back.epoch, Ranges()).add(back.start, back.stop)
        return found

    def restore(self, saved: Json) -> None:
        """Stand where `as_json` was taken; what was replayable counts as acknowledged just now.

        Raises:
            ValueError, KeyError, TypeError: that was not what `as_json` returned.
        """
        place = Place(epoch_number(saved["epoch"]), _natural(saved["complete_through"]))
        acked = _read(saved["acknowledged"])
        replayable = _read(saved.get("replayable", []))  # older ones have none
        base, last_ns = _natural(saved["samples_before_epoch"]), _natural(saved["last_spooled_ns"])
        self.stand_at(place, base)
        self.last_ns = last_ns
        for epoch, start, stop in acked:
            self._acked.setdefault(epoch, Ranges()).add(start, stop)
        for epoch, start, stop in replayable:
            self.acknowledge(epoch, start, stop)
        self.brought = max(
            [place, *(Place(epoch, stop) for epoch, _, stop in (*acked, *replayable))]
        )


def _spans(ranges: Mapping[int, Ranges]) -> list[Span]:
    return [(epoch, start, stop) for epoch, each in sorted(ranges.items()) for start, stop in each]


def _spelled(spans: Iterable[Span]) -> Json:
    return [[epoch_text(epoch), start, stop] for epoch, start, stop in spans]


def _read(spelled: Json) -> list[Span]:
    return [
        (epoch_number(epoch), _natural(start), _natural(stop)) for epoch, start, stop in spelled
    ]


def _natural(number: object) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise ValueError(f"not a natural number: {number!r}")
    return number


class CursorFile:
    """The cursors of all lanes in one file, replaced as a whole."""

    def __init__(self, directory: Path, files: Files) -> None:
        self._file = StateFile(directory / NAME, files)
        self._files = files
        self._number = 0
        """Of the newest save; the file with the greater one is the newer."""
        self.problem = ""
        """A sentence for the person in charge, or nothing."""

    def load(self, cursors: Mapping[Lane, LaneCursor]) -> bool:
        """Restore ``cursors``; return False, with a `problem`, where the file is no use.

        A file that cannot be understood is kept aside. What is not synced counts only beside it.
        """
        path = self._file.path
        try:
            self._restore(cursors)
        except FileNotFoundError:
            return True
        except UNUSABLE as error:
            for cursor in cursors.values():
                cursor.clear()
            aside = path.with_suffix(".damaged")
            with suppress(OSError):
                self._files.rename(path, aside)
            self.problem = (
                f"The cursor {path} cannot be used ({error}); it was put aside as {aside.name}, "
                "and reading starts again at the oldest sample."
            )
            return False
        return True

    def look(self, cursors: Mapping[Lane, LaneCursor]) -> bool:
        """Restore ``cursors`` beside the reader they belong to; return False where none are kept.

        Nothing is put aside, and nothing written.

        Raises:
            SpoolUnusable: the file cannot be read or understood.
        """
        try:
            self._restore(cursors)
        except FileNotFoundError:
            return False
        except PermissionError as error:
            raise SpoolUnusable(
                f"the cursor {self._file.path} may not be read: run this as root or as its user"
            ) from error
        except UNUSABLE as error:
            raise SpoolUnusable(f"the cursor {self._file.path} cannot be used: {error}") from error
        return True

    def _restore(self, cursors: Mapping[Lane, LaneCursor]) -> None:
        saved = self._newer_than(_checked(json.loads(self._file.read())))
        self._number = _number(saved)
        for lane, cursor in cursors.items():
            cursor.restore(saved["lanes"][lane])

    def save(self, text: bytes) -> bool:
        """Put what `spelled` returned on the disk; return False, with a `problem`, if that failed.

        It may be called on any thread, by one at a time.
        """
        try:
            self._file.write(text)
        except OSError as error:
            self.problem = (
                f"The cursor {self._file.path} cannot be saved: {error.strerror or error}. "
                "Publishing goes on; a restart would send again what is sent meanwhile."
            )
            return False
        self.problem = ""
        return True

    def save_unsynced(self, text: bytes) -> None:
        """Put the text where a kill leaves it; cheap, and of no use to a power cut."""
        path = self._file.path.with_name(UNSYNCED[self._number % 2])
        with suppress(OSError):  # `save` will say so
            descriptor = self._files.reuse(path)
            try:
                content = HEAD.pack(len(text), zlib.crc32(text)) + text
                self._files.write(descriptor, [content])
            finally:
                self._files.close(descriptor)

    def spelled(self, cursors: Mapping[Lane, LaneCursor], since_s: float = math.inf) -> bytes:
        """Spell all cursors as the file's text, with the next number.

        What was acknowledged at ``since_s`` and later can be rewound after a restart.
        """
        self._number += 1
        lanes = {lane.value: cursor.as_json(since_s) for lane, cursor in cursors.items()}
        return json.dumps({"format": FORMAT, "number": self._number, "lanes": lanes}).encode()

    def _newer_than(self, saved: Json) -> Json:
        """Return what `save_unsynced` left where that is newer, else ``saved``."""
        for name in UNSYNCED:
            with suppress(OSError, ValueError, KeyError, TypeError, RecursionError, StructError):
                found = StateFile(self._file.path.with_name(name), self._files).read()
                length, checksum = HEAD.unpack_from(found)
                text = found[HEAD.size : HEAD.size + length]
                if zlib.crc32(text) == checksum:
                    saved = max(saved, _checked(json.loads(text)), key=_number)
        return saved


def _checked(saved: Json) -> Json:
    if saved["format"] != FORMAT:
        raise ValueError(f"format {saved['format']!r}")
    _number(saved)
    return saved


def _number(saved: Json) -> int:
    return _natural(saved.get("number", 0))
