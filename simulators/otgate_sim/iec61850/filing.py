"""The files of a server, and those that one association has open. ISO 9506-2."""

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from otgate_iec61850.mms.errors import ErrorClass, ServiceFailed
from otgate_iec61850.mms.files import (
    Chunk,
    Directory,
    FileClose,
    FileDirectory,
    FileEntry,
    FileOpen,
    FileRead,
    Opened,
)
from otgate_iec61850.mms.service import Done
from otgate_iec61850.mms.values import GeneralizedTime

PAGE = 20
"""Files in one answer."""
MOST_OPEN = 16
INVALID_HANDLE, NO_FILE = 5, 7
"""Codes of the class file: ISO 9506-2, ServiceError."""


@dataclass(frozen=True, slots=True)
class File:
    """One file."""

    octets: bytes
    modified_ns: int = 0

    @property
    def modified(self) -> GeneralizedTime:
        """When it was written last."""
        when = datetime.fromtimestamp(self.modified_ns / 1e9, UTC)
        return GeneralizedTime(f"{when:%Y%m%d%H%M%S}.{when.microsecond // 1000:03d}Z")


@dataclass(slots=True)
class Files:
    """The files that one association sees."""

    kept: MutableMapping[str, File]
    """By path, ``folder/name``; shared by all associations."""
    chunk: int
    handles: dict[int, tuple[File, int]] = field(default_factory=dict)
    opened: int = 0

    def directory(self, asked: FileDirectory) -> Directory:
        """List the files below a path, or the one it names."""
        path = asked.path.strip("/")
        names = sorted(n for n in self.kept if not path or n == path or n.startswith(path + "/"))
        if path and not names:
            raise ServiceFailed(ErrorClass.FILE, NO_FILE, "no such file")
        after = asked.after or ""
        rest = [name for name in names if name > after]
        entries = [self._entry(name) for name in rest[:PAGE]]
        return Directory(entries, more=len(rest) > PAGE)

    def _entry(self, name: str) -> FileEntry:
        file = self.kept[name]
        return FileEntry(name, len(file.octets), file.modified)

    def open(self, asked: FileOpen) -> Opened:
        """Open a file."""
        file = self.kept.get(asked.path.strip("/"))
        if file is None:
            raise ServiceFailed(ErrorClass.FILE, NO_FILE, "no such file")
        if len(self.handles) >= MOST_OPEN:
            raise ServiceFailed(ErrorClass.RESOURCE, 0, "too many open files")
        self.opened += 1
        self.handles[self.opened] = (file, asked.position)
        return Opened(self.opened, len(file.octets), file.modified)

    def read(self, asked: FileRead) -> Chunk:
        """Read what comes next."""
        file, at = self._handle(asked.handle)
        end = at + self.chunk
        self.handles[asked.handle] = (file, end)
        return Chunk(file.octets[at:end], more=end < len(file.octets))

    def close(self, asked: FileClose) -> Done:
        """Close a file."""
        self._handle(asked.handle)
        del self.handles[asked.handle]
        return Done()

    def _handle(self, handle: int) -> tuple[File, int]:
        if handle not in self.handles:
            raise ServiceFailed(ErrorClass.FILE, INVALID_HANDLE, "no such handle")
        return self.handles[handle]
