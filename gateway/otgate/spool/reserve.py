"""The reserve: room on the disk that data leaves to events, and both leave to state."""

from contextlib import suppress
from errno import ENOSPC
from pathlib import Path
from time import monotonic

from otgate.spool.files import Files
from otgate.spool.segment import Log

ASK_EVERY_S = 0.4
"""Below the pause after a fault, so that every new attempt sees what has changed."""

SHARES = {Log.DATA: 1.0, Log.EVENT: 0.5, Log.LIVE: 0.0}
"""How much of the reserve has to stay free of a log's frames."""


class Reserve:
    """How much room the disk has, asked seldom. Used on the thread that writes."""

    def __init__(self, files: Files, directory: Path, size_bytes: int) -> None:
        self._files = files
        self._directory = directory
        self._size_bytes = size_bytes
        self._free_bytes = 0
        self._asked_s = float("-inf")
        self._spent_bytes = 0

    def claim(self, log: Log, count: int) -> None:
        """Take note that ``log`` is about to write ``count`` bytes.

        Raises:
            OSError: they would go into what is reserved; as where the disk is full (ENOSPC).
        """
        kept_bytes = int(self._size_bytes * SHARES[log])
        if kept_bytes and self._free() - count < kept_bytes:
            self._asked_s = float("-inf")  # what is not written now will not be missing later
            raise OSError(
                ENOSPC,
                f"less than {kept_bytes / 1e6:.3g} MB are free on the disk, which the reserve "
                f"keeps from {log} samples",
            )
        self._spent_bytes += count

    def nearly_met(self, count: int) -> bool:
        """Tell whether ``count`` more bytes of data would go into what is reserved."""
        return bool(self._size_bytes) and self._free() - count < self._size_bytes

    def _free(self) -> int:
        overdue = monotonic() - self._asked_s > ASK_EVERY_S
        if overdue or self._spent_bytes > self._size_bytes // 8:
            self._asked_s = monotonic()
            self._spent_bytes = 0
            self._free_bytes = 1 << 62
            with suppress(OSError):  # whoever writes next is told more
                self._free_bytes = self._files.room(self._directory)
        return self._free_bytes - self._spent_bytes
