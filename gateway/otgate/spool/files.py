"""File operations of a spool behind one small protocol, so that a test can hand in faults."""

import ctypes
import errno
import fcntl
import os
import stat
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

FILE_MODE = 0o640
DIRECTORY_MODE = 0o750
"""The bus side reads by its group and writes nothing."""

PRIVATE_FILE_MODE = 0o600
PRIVATE_DIRECTORY_MODE = 0o700
"""Of what the bus side may not even read."""

AT_FDCWD = -100
RENAME_EXCHANGE = 2
CANNOT_EXCHANGE = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})
"""What renameat2(2) says where the file system or the kernel has no exchange."""

FOREIGN = frozenset({errno.EACCES, errno.EPERM, errno.EINVAL, errno.EROFS})
"""Why a parent that somebody else made may refuse to be synced."""


class Files(Protocol):
    """What a spool asks of the operating system; each method raises OSError."""

    def mkdir(self, path: Path) -> None:
        """Make ``path`` where absent, readable by its group, with its missing parents."""

    def create(self, path: Path) -> int:
        """Open ``path`` for writing, empty, readable by its group; return its descriptor."""

    def reuse(self, path: Path) -> int:
        """Open ``path`` for writing over what it holds, from its start; made where absent.

        Its bytes and blocks stay until they are written over: that needs no room on the disk.
        """

    def lock(self, path: Path) -> int:
        """Take the exclusive lock on ``path`` and return the descriptor that holds it.

        Raises:
            BlockingIOError: another process holds it.
        """

    def open(self, path: Path) -> int:
        """Open ``path`` for reading.

        Raises:
            FileNotFoundError: there is no file of that name; a directory or a pipe is none.
        """

    def close(self, descriptor: int) -> None:
        """Close, which also gives a lock back."""

    def write(self, descriptor: int, buffers: Sequence[bytes]) -> int:
        """Write ``buffers`` where the last write ended; return how many bytes were taken.

        That may be fewer than there are.
        """

    def pread(self, descriptor: int, size: int, offset: int) -> bytes:
        """Read at most ``size`` bytes at ``offset``."""

    def sync(self, descriptor: int) -> None:
        """Return once what was written is on the disk (fdatasync)."""

    def sync_directory(self, path: Path) -> None:
        """Return once the names in ``path`` are on the disk."""

    def rename(self, old: Path, new: Path) -> None:
        """Give ``old`` the name ``new`` at once, replacing what had it."""

    def exchange(self, one: Path, other: Path) -> None:
        """Swap the names of two files at once: a cut leaves both as before, or both swapped.

        Where that cannot be done, ``one`` takes the name ``other`` as by `rename`.
        """

    def unlink(self, path: Path) -> None:
        """Remove the name ``path``."""

    def names(self, path: Path) -> list[str]:
        """List ``path``, in any order."""

    def stamp(self, path: Path) -> int | None:
        """Return what changes whenever the names in ``path`` do; None where that is not sure."""

    def size(self, path: Path) -> int:
        """Return how many bytes ``path`` holds."""

    def room(self, path: Path) -> int:
        """Return how many bytes this process could still write where ``path`` lies."""


class OperatingSystem:
    """The real thing."""

    settled_ns = 2_000_000_000
    """How old a change of a directory has to be before another one surely has another time: file
    systems count in ticks of milliseconds, some in seconds."""

    _libc = ctypes.CDLL(None, use_errno=True)

    file_mode, directory_mode = FILE_MODE, DIRECTORY_MODE
    """Of everything made here, whatever the umask."""

    def mkdir(self, path: Path) -> None:
        """Make a directory and its parents; set the mode whatever the umask, keeping setgid.

        A service under RestrictSUIDSGID= may inherit setgid but not ask for it: it needs a umask
        that leaves the mode as it should be.
        """
        if path.is_dir():
            return
        if not path.parent.is_dir():
            self.mkdir(path.parent)
        path.mkdir(self.directory_mode, exist_ok=True)
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o777 != self.directory_mode:
            path.chmod(mode & ~0o777 | self.directory_mode)

    def create(self, path: Path) -> int:
        """Create or empty a file; set the mode whatever the umask."""
        return self._opened(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)

    def reuse(self, path: Path) -> int:
        """Open for writing without emptying; set the mode whatever the umask."""
        return self._opened(path, os.O_WRONLY | os.O_CREAT)

    def lock(self, path: Path) -> int:
        """Lock with flock, which the kernel releases when the process ends."""
        descriptor = self._opened(path, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    def open(self, path: Path) -> int:
        """Open read-only; a pipe without a writer does not hold it up."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            if error.errno in {errno.ENXIO, errno.ELOOP}:  # a socket, a link to nowhere
                raise _no_file(path) from error
            raise
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise _no_file(path)
        return descriptor

    def close(self, descriptor: int) -> None:
        """Close a descriptor."""
        os.close(descriptor)

    def write(self, descriptor: int, buffers: Sequence[bytes]) -> int:
        """Write all buffers in one call, without joining them first."""
        return os.writev(descriptor, buffers)

    def pread(self, descriptor: int, size: int, offset: int) -> bytes:
        """Read without a file position."""
        return os.pread(descriptor, size, offset)

    def sync(self, descriptor: int) -> None:
        """Sync data and what is needed to find it again, its length."""
        os.fdatasync(descriptor)

    def sync_directory(self, path: Path) -> None:
        """Open, sync and close a directory."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, old: Path, new: Path) -> None:
        """Rename atomically."""
        old.replace(new)

    def exchange(self, one: Path, other: Path) -> None:
        """Exchange with renameat2(2), which neither the C library nor a file system need have."""
        names = (os.fsencode(one), AT_FDCWD, os.fsencode(other))
        renameat2 = getattr(self._libc, "renameat2", None)
        if renameat2 is not None and renameat2(AT_FDCWD, *names, RENAME_EXCHANGE) == 0:
            return
        number = ctypes.get_errno() if renameat2 is not None else errno.ENOSYS
        if number not in CANNOT_EXCHANGE:
            raise OSError(number, os.strerror(number), str(one))
        one.replace(other)

    def unlink(self, path: Path) -> None:
        """Remove a file."""
        path.unlink()

    def names(self, path: Path) -> list[str]:
        """List a directory."""
        return os.listdir(path)  # noqa: PTH208  a tenth of iterdir's cost, at every look

    def stamp(self, path: Path) -> int | None:
        """Ask when the directory changed last, which nobody can set; None for a while after."""
        changed_ns = path.stat().st_ctime_ns
        return changed_ns if time.time_ns() - changed_ns > self.settled_ns else None

    def size(self, path: Path) -> int:
        """Ask for a file's length."""
        return path.stat().st_size

    def room(self, path: Path) -> int:
        """Ask the file system, as for a user without its reserved blocks."""
        found = os.statvfs(path)
        return found.f_bavail * found.f_frsize

    def _opened(self, path: Path, flags: int) -> int:
        descriptor = os.open(path, flags | os.O_CLOEXEC, self.file_mode)
        if os.fstat(descriptor).st_mode & 0o777 != self.file_mode:
            os.fchmod(descriptor, self.file_mode)
        return descriptor


class PrivateFiles(OperatingSystem):
    """The same for files that their owner alone may read."""

    file_mode, directory_mode = PRIVATE_FILE_MODE, PRIVATE_DIRECTORY_MODE


def _no_file(path: Path) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, "not a file", str(path))


def settle(files: Files, directory: Path) -> None:
    """Sync the names in ``directory`` and its own: no power cut takes it away any more.

    All parents are synced, though they may be old: whoever made one may have been killed before
    it came to that.

    Raises:
        OSError: a name may not be on the disk.
    """
    files.sync_directory(directory)
    for parent in directory.parents:
        try:
            files.sync_directory(parent)
        except OSError as error:
            if error.errno not in FOREIGN:
                raise


OS = OperatingSystem()
PRIVATE = PrivateFiles()
