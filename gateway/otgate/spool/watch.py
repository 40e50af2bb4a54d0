"""Learning that files have changed: inotify where it works, a slow listing everywhere.

inotify says nothing of a directory that another machine writes (NFS, a replicated folder).
"""

import asyncio
import ctypes
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from struct import Struct

from otgate.spool.files import Files

LISTING_S = 1.0
IN_MODIFY, IN_MOVED_TO, IN_CREATE = 0x02, 0x80, 0x100
EVENT = Struct("@iIII")
"""Watch, mask, cookie and length of the name that follows: inotify(7)."""


class Watch:
    """Changes in some directories, of which any may be absent.

    In the place of an absent one the nearest parent that exists is watched for its appearance.
    """

    def __init__(self, directories: Sequence[Path], files: Files) -> None:
        self._directories = directories
        self._files = files
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._watched: set[int] = set()
        self._descriptor: int = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self._stamps: Sequence[int | None] = [None for _ in directories]
        """Of the directories when they were last listed; an equal one tells that names stayed."""
        self._newest = [""] * len(directories)
        self._seen = self._listing(self._stamps)
        self._listed_s = float("-inf")
        self._told = False
        """Whether the kernel told of a change since that was last asked."""
        self._waiting: asyncio.Future[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        """The one that listens to the kernel."""
        self._attach()

    def close(self) -> None:
        """Give the kernel's queue back."""
        if self._descriptor >= 0:
            self._listen(None)
            os.close(self._descriptor)
            self._descriptor = -1

    async def changed(self, timeout_s: float) -> None:
        """Return once something has changed since the last call, or ``timeout_s`` passed."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._listen(loop)
        deadline_s = loop.time() + timeout_s
        while not self._drained() and not self._differs(loop.time()):
            left_s = deadline_s - loop.time()
            if left_s <= 0:
                return
            await self._event(loop, min(left_s, LISTING_S))

    async def _event(self, loop: asyncio.AbstractEventLoop, limit_s: float) -> None:
        self._waiting = done = loop.create_future()
        timer = loop.call_later(limit_s, _resolve, done)
        try:
            await done
        finally:
            self._waiting = None
            timer.cancel()

    def _listen(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Let ``loop`` hear the kernel from now on; to begin anew for each wait would cost more."""
        before, self._loop = self._loop, loop
        if before is not None and not before.is_closed():
            before.remove_reader(self._descriptor)
        if loop is not None and self._descriptor >= 0:
            loop.add_reader(self._descriptor, self._hear)

    def nudge(self) -> None:
        """Take it that something has changed."""
        self._told = True
        if self._waiting is not None:
            _resolve(self._waiting)

    def _hear(self) -> None:
        self._told = self._read() or self._told
        if self._waiting is not None:
            _resolve(self._waiting)

    def _attach(self) -> None:
        """Watch what there is now, and nothing else any more."""
        if self._descriptor < 0:
            return
        before, self._watched = self._watched, set(map(self._attached, self._directories))
        for watch in before - self._watched:
            self._libc.inotify_rm_watch(self._descriptor, watch)

    def _attached(self, directory: Path) -> int:
        """Watch a directory, or its nearest parent; look again where it has just appeared."""
        while True:
            nearest = _nearest(directory)
            mask = IN_MOVED_TO | IN_CREATE | (IN_MODIFY if nearest == directory else 0)
            path = os.fsencode(nearest)
            watch: int = self._libc.inotify_add_watch(self._descriptor, path, mask)
            if watch < 0 or _nearest(directory) == nearest:
                return watch

    def _drained(self) -> bool:
        """Tell whether the kernel told of a change since the last time."""
        told, self._told = self._told or self._read(), False
        return told

    def _read(self) -> bool:
        """Take what the kernel has to tell; tell whether there was anything."""
        if self._descriptor < 0:
            return False
        try:
            told = os.read(self._descriptor, 1 << 16)
        except BlockingIOError:
            return False
        if any(mask != IN_MODIFY for mask in _masks(told)):
            self._attach()
        return True

    def _differs(self, now_s: float) -> bool:
        """Compare listings, at most once a second."""
        if now_s - self._listed_s < LISTING_S:
            return False
        self._listed_s = now_s
        stamps = list(map(self._stamp, self._directories))
        if None in stamps or stamps != self._stamps:
            self._attach()
        seen, self._seen = self._seen, self._listing(stamps)
        self._stamps = stamps
        return seen != self._seen

    def _stamp(self, directory: Path) -> int | None:
        with suppress(OSError):
            return self._files.stamp(directory)
        return None

    def _listing(self, stamps: Sequence[int | None]) -> list[tuple[str, int]]:
        found: list[tuple[str, int]] = []
        for at, directory in enumerate(self._directories):
            with suppress(OSError, ValueError):
                if stamps[at] is None or stamps[at] != self._stamps[at]:
                    self._newest[at] = max(self._files.names(directory))
                newest = self._newest[at]
                found.append((newest, self._files.size(directory / newest)))
        return found


def _nearest(directory: Path) -> Path:
    """Return ``directory``, or the nearest of its parents that exists."""
    return next((path for path in (directory, *directory.parents) if _is_there(path)), directory)


def _is_there(path: Path) -> bool:
    with suppress(OSError):  # where we may not look, there is nothing for us
        return path.is_dir()
    return False


def _masks(told: bytes) -> Iterator[int]:
    at = 0
    while at < len(told):
        _, mask, _, length = EVENT.unpack_from(told, at)
        yield mask
        at += EVENT.size + length


def _resolve(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)
