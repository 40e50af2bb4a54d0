"""The segment being written."""

import errno
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from otgate.spool.entry import Entry
from otgate.spool.files import Files
from otgate.spool.frame import framed
from otgate.spool.reserve import Reserve
from otgate.spool.segment import Log, Start, pack_header


@dataclass(frozen=True, slots=True)
class Making:
    """What all segments of one writer have in common."""

    files: Files
    clock: Callable[[], int]
    epoch: int
    hashes: tuple[str, str]
    retry_s: float
    reserve: Reserve


class Active:
    """An open segment file. Any OSError ends its use for good."""

    def __init__(
        self, making: Making, directory: Path, log: Log, start: Start, catalog: bytes
    ) -> None:
        self.id = start.id
        self.frames = 0
        self.durable_frames = 0
        self.opened_s = time.monotonic()
        self._files = making.files
        self._seed = start.id.seed(log)
        header = pack_header(log, start, making.hashes, catalog)
        making.reserve.claim(log, len(header))
        self._descriptor = making.files.create(directory / start.id.new_name)
        self.size_bytes = 0
        try:
            self._write([header])
            self._files.sync(self._descriptor)
            self._files.rename(directory / start.id.new_name, directory / start.id.name)
            self._files.sync_directory(directory)
        except OSError:
            self.close()
            raise

    def append(self, entries: Sequence[Entry]) -> None:
        """Write ``entries`` as frames, whole or not at all as far as the caller knows."""
        buffers: list[bytes] = []
        for _, _, body in entries:
            buffers += (framed(body, self._seed), body)
        self._write(buffers)
        self.frames += len(entries)

    def _write(self, buffers: Sequence[bytes]) -> None:
        wanted = sum(map(len, buffers))
        if self._files.write(self._descriptor, buffers) != wanted:
            raise OSError(errno.ENOSPC, "short write")
        self.size_bytes += wanted

    def sync(self) -> None:
        """Return once all frames are on the disk."""
        self._files.sync(self._descriptor)
        self.durable_frames = self.frames

    def close(self) -> None:
        """Close the file; what close has to say of earlier writes does not matter any more."""
        with suppress(OSError):
            self._files.close(self._descriptor)
