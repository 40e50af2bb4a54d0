"""A small file that is replaced as a whole, and goes on being replaced on a full disk.

Beside it lies its spare, which has blocks of its own. New content is written over the spare and
synced, then the two exchange their names. A cut leaves the old content or the new one whole, and
nothing of it needs a block that the file did not have before.
"""

from contextlib import suppress
from errno import ENOSPC
from os import strerror
from pathlib import Path

from otgate.spool.files import Files, settle

BLOCK_BYTES = 4096
LEAST_BYTES = 2 * BLOCK_BYTES
MAX_BYTES = 64 << 20
BLANK = b" "


class StateFile:
    """Text in which blanks at the end mean nothing, JSON for instance. Used by one at a time."""

    def __init__(self, path: Path, files: Files) -> None:
        self.path = path
        self._spare = path.with_suffix(".spare")
        self._files = files
        self._settled = False
        """Whether the names are on the disk as they are seen."""

    def read(self) -> bytes:
        """Return the content, with the blanks that fill it up.

        Raises:
            FileNotFoundError: nothing was ever kept.
            OSError: it cannot be read.
        """
        descriptor = self._files.open(self.path)
        try:
            return self._files.pread(descriptor, MAX_BYTES, 0)
        finally:
            self._files.close(descriptor)

    def write(self, content: bytes) -> None:
        """Replace the content; return once that is on the disk.

        Raises:
            OSError: it could not be; the old content stands.
        """
        self._settle()
        first = not self._size(self.path)
        self._fill(content)
        if first:
            self._files.rename(self._spare, self.path)
            with suppress(OSError):  # the next one to be written makes it
                self._fill(content)
        else:
            self._files.exchange(self._spare, self.path)
        self._files.sync_directory(self.path.parent)
        self._settled = True

    def _settle(self) -> None:
        """Make sure of the names: what is called spare may be the file itself after a cut.

        So it is where an exchange was not synced, by us or by one who was killed.
        """
        self._files.mkdir(self.path.parent)
        if not self._settled:
            settle(self._files, self.path.parent)
        self._settled = False

    def _fill(self, content: bytes) -> None:
        """Write ``content`` over the spare, with blanks to its end, or beyond where it is short.

        A spare that could not be synced is not used again: what the disk holds of it is unknown.
        """
        held = self._size(self._spare)
        size = max(held, _roomy(len(content)))
        descriptor = self._files.reuse(self._spare)
        try:
            written = self._files.write(descriptor, [content.ljust(size, BLANK)])
            if written < max(held, len(content)):
                raise OSError(ENOSPC, strerror(ENOSPC), str(self._spare))
            self._sync(descriptor)
        finally:
            self._files.close(descriptor)

    def _sync(self, descriptor: int) -> None:
        try:
            self._files.sync(descriptor)
        except OSError:
            with suppress(OSError):
                self._files.unlink(self._spare)
            raise

    def _size(self, path: Path) -> int:
        try:
            return self._files.size(path)
        except FileNotFoundError:
            return 0


def _roomy(count: int) -> int:
    """Return how large a file of ``count`` bytes should be to have room for growing."""
    return max(LEAST_BYTES, -(-count * 5 // 4 // BLOCK_BYTES) * BLOCK_BYTES)
