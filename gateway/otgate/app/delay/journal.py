"""What has left a private spool: done with, and what was about to be done when it was written.

Written before samples are handed on, so that the next start can tell from the spool they went to
which of them arrived: a kill or a power cut between the two neither loses nor repeats any.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from otgate.model import Lane
from otgate.spool.cursor import LaneCursor
from otgate.spool.state_file import StateFile

FORMAT = 1


class Sent(NamedTuple):
    """Samples of the private spool, and where the other one ends once it has them."""

    epoch: int
    seq: int
    samples: int
    stop: int


class Sending(NamedTuple):
    """What goes to one epoch of the other spool, by lane, in order."""

    epoch: int
    lanes: Mapping[Lane, Sequence[Sent]]


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
        return sending(saved["sending"])

    def save(self, cursors: Mapping[Lane, LaneCursor], about: Sending) -> None:
        """Put all on the disk.

        Raises:
            OSError: it could not be; what was there stands.
        """
        lanes = {lane.value: cursor.as_json() for lane, cursor in cursors.items()}
        kept = {"format": FORMAT, "lanes": lanes, "sending": about._asdict()}
        self._file.write(json.dumps(kept).encode())


def sending(saved: Any) -> Sending:
    """Read what `Journal.save` wrote of it."""
    lanes = {
        Lane(lane): [Sent(*map(int, each)) for each in sent]
        for lane, sent in saved["lanes"].items()
    }
    return Sending(int(saved["epoch"]), lanes)
