"""What a writer that cannot write leaves behind: how far each lane's numbers have come.

While the disk takes no frames, samples and drops are counted in memory, and a kill would lose the
count. The tally is a state file: it needs no room on a full disk. The next writer takes it as the
least that the epoch before had.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from time import monotonic

import msgspec

from otgate.model import Lane
from otgate.spool.epoch import epoch_number, epoch_text
from otgate.spool.files import Files
from otgate.spool.state_file import StateFile

NAME = "tally.json"
FORMAT = 1
EVERY_S = 1.0


class LaneTally(msgspec.Struct, frozen=True):
    """Where a lane stood when its writer could not write."""

    samples_before: int
    """Samples before the epoch."""
    dropped_before: int
    """How many of the last of those are known by an earlier tally alone."""
    end: int
    """One above the last number given to a sample."""


class Noted(msgspec.Struct, frozen=True):
    """A tally as it is on the disk."""

    format: int
    epoch: str
    failing: bool
    lanes: dict[str, LaneTally]

    @property
    def epoch_number(self) -> int:
        """The epoch of the writer that left it."""
        return epoch_number(self.epoch)


def left(files: Files, directory: Path) -> Noted | None:
    """Return what the last writer left in ``directory`` if it ended while it could not write."""
    with suppress(OSError, ValueError):
        noted = msgspec.json.decode(StateFile(directory / NAME, files).read(), type=Noted)
        if noted.format == FORMAT and noted.failing and noted.epoch_number:
            return noted
    return None


class Tally:
    """One writer's tally. Used on the thread that writes; a disk may refuse it, too."""

    def __init__(
        self,
        file: StateFile,
        epoch: int,
        stand: Callable[[], Mapping[Lane, LaneTally]],
    ) -> None:
        self._file = file
        self._epoch = epoch_text(epoch)
        self._stand = stand
        self._failing: bool | None = None
        """What the file says, if anything of this epoch."""
        self._due_s = 0.0

    def failing(self) -> None:
        """Note where the lanes stand, at most once a second."""
        if self._failing and monotonic() < self._due_s:
            return
        self._failing = True
        self._note(failing=True)
        self._due_s = monotonic() + EVERY_S

    def settled(self) -> None:
        """Note that everything is on the disk, where that is news."""
        if self._failing is not False:
            self._failing = False
            self._note(failing=False)

    def _note(self, *, failing: bool) -> None:
        lanes = {lane.value: stood for lane, stood in self._stand().items()}
        content = msgspec.json.encode(Noted(FORMAT, self._epoch, failing, lanes))
        with suppress(OSError):  # then the next start knows the end of what it can read
            self._file.write(content)
