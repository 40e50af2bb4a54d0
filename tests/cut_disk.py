"""A disk in memory whose power can be cut: it knows what is synced and what is only written.

What is not synced may survive in any way: not at all, as zeros, as garbage, as a prefix, in pages
that arrived in another order. A name that is not synced is the old or the new one, each change on
its own; a rename happens whole or not at all, whether or not its file's content was synced.
"""

import errno
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import TypeAlias

PAGES = (512, 4096)


class Names(StrEnum):
    """What a cut leaves of changes to directories that were not synced."""

    OLD = "old"
    NEW = "new"
    EITHER = "either"


class Tails(StrEnum):
    """What a cut leaves of bytes that were not synced."""

    NOTHING = "nothing"
    WHOLE = "whole"
    ZEROS = "zeros"
    GARBAGE = "garbage"
    STALE = "stale"
    """Of other files: what their blocks held before."""
    PREFIX = "prefix"
    TORN = "torn"
    ANY = "any"


@dataclass(slots=True, eq=False)
class File:
    """An inode: what a reader sees, and what is on the disk for certain."""

    data: bytes = b""
    durable: bytes = b""
    emptied: bool = False
    """Since it was last synced, so that old blocks are not where new ones go."""
    failed: bool = False
    """A sync failed: pages may have been dropped, and no later sync makes them durable, unless
    they are all written again."""


@dataclass(frozen=True, slots=True)
class Change:
    """``node`` gets the name ``name``, and loses ``old``; no node: the name goes."""

    name: str
    node: "Node | None"
    old: str = ""
    swapped: "Node | None" = None
    """What gets the name ``old`` instead."""

    def apply(self, names: "dict[str, Node]") -> None:
        if self.swapped is not None:
            names[self.name], names[self.old] = self.node or self.swapped, self.swapped
            return
        names.pop(self.old, None)
        if self.node is None:
            names.pop(self.name, None)
        else:
            names[self.name] = self.node


@dataclass(slots=True, eq=False)
class Directory:
    """Names as they are seen, as they are on the disk, and what lies between."""

    names: "dict[str, Node]" = field(default_factory=dict)
    durable: "dict[str, Node]" = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)

    def change(self, change: Change) -> None:
        change.apply(self.names)
        self.changes.append(change)

    def sync(self) -> None:
        self.durable = dict(self.names)
        self.changes.clear()


Node: TypeAlias = File | Directory


class Fault(StrEnum):
    """How an operation fails: before it does anything, halfway, or after it is done.

    A sync that fails halfway drops the pages, so that a reader sees what the disk holds.
    """

    BEFORE = "before"
    SHORT = "short"
    AFTER = "after"


@dataclass(slots=True)
class Trouble:
    """A fault that begins after ``grace`` calls and ends after ``times`` more."""

    fault: Fault
    grace: int = 0
    times: int = 1 << 30
    now: bool = False

    def called(self) -> None:
        self.now = self.grace <= 0 < self.times
        self.times -= self.now
        self.grace -= 1


class Misuse(AssertionError):
    """Something was done to the disk that the spool's format forbids."""


class CutDisk:
    """Implements `otgate.spool.files.Files`; ``after`` is called when anything has changed."""

    def __init__(self) -> None:
        self.root = Directory()
        self.after: Callable[[], None] = lambda: None
        self.unlinked: Callable[[str, bytes], None] = lambda path, data: None
        self.faults: dict[str, Trouble] = {}
        self.calls: Counter[str] = Counter()
        self._directories = {"/": self.root}
        self._open: dict[int, tuple[File, str]] = {}
        self._at: dict[int, int] = {}
        """Where descriptors write that do not append."""
        self._locked: set[str] = set()
        self._descriptors = 1000

    def mkdir(self, path: Path) -> None:
        at = ""
        for name in str(path).split("/")[1:]:
            parent = self._directories[at or "/"]
            at = f"{at}/{name}"
            if at not in self._directories:
                self._fails("mkdir", Fault.BEFORE)
                made = self._directories[at] = Directory()
                parent.change(Change(name, made))
                self.after()

    def create(self, path: Path) -> int:
        self._fails("create", Fault.BEFORE)
        directory, name = self._place(path)
        file = directory.names.get(name)
        if name.endswith(".seg") and file is not None:
            raise Misuse(f"{path} is emptied")
        if isinstance(file, File):
            file.data = b""
            file.emptied = True
            file.failed = False
        else:
            file = File()
            directory.change(Change(name, file))
        self.after()
        self._fails("create", Fault.AFTER)
        return self._opened(file, str(path))

    def reuse(self, path: Path) -> int:
        self._fails("reuse", Fault.BEFORE)
        directory, name = self._place(path)
        if name.endswith(".seg"):
            raise Misuse(f"{path} is written over")
        file = directory.names.get(name)
        if not isinstance(file, File):
            file = File()
            directory.change(Change(name, file))
            self.after()
        descriptor = self._opened(file, str(path))
        self._at[descriptor] = 0
        return descriptor

    def lock(self, path: Path) -> int:
        if str(path) in self._locked:
            raise BlockingIOError(errno.EWOULDBLOCK, "locked")
        directory, name = self._place(path)
        file = directory.names.get(name)
        if not isinstance(file, File):
            file = File()
            directory.change(Change(name, file))
            self.after()
        self._locked.add(str(path))
        return self._opened(file, str(path))

    def open(self, path: Path) -> int:
        self.calls["open"] += 1
        return self._opened(self._file(path), "")

    def close(self, descriptor: int) -> None:
        self._locked.discard(self._open.pop(descriptor)[1])
        self._at.pop(descriptor, None)

    def write(self, descriptor: int, buffers: Sequence[bytes]) -> int:
        self._fails("write", Fault.BEFORE)
        file, path = self._open[descriptor]
        if not path:
            raise Misuse("a descriptor for reading is written")
        block = b"".join(buffers)
        if self._meets("write", Fault.SHORT):
            block = block[: len(block) // 2]
        at = self._at.get(descriptor, len(file.data))
        if not at and len(block) >= len(file.data):
            file.failed = False
        file.data = file.data[:at] + block + file.data[at + len(block) :]
        if descriptor in self._at:
            self._at[descriptor] += len(block)
        self.after()
        self._fails("write", Fault.AFTER)
        return len(block)

    def pread(self, descriptor: int, size: int, offset: int) -> bytes:
        self.calls["pread"] += 1
        return self._open[descriptor][0].data[offset : offset + size]

    def sync(self, descriptor: int) -> None:
        file = self._open[descriptor][0]
        try:
            self._fails("sync", Fault.BEFORE)
            if self._meets("sync", Fault.SHORT):
                file.data = file.durable + bytes(max(0, len(file.data) - len(file.durable)))
            self._fails("sync", Fault.SHORT)
            self._fails("sync", Fault.AFTER)
        except OSError:
            file.failed = True
            raise
        if not file.failed:
            file.durable = file.data
            file.emptied = False
        self.after()

    def sync_directory(self, path: Path) -> None:
        self._fails("sync_directory", Fault.BEFORE)
        self._directory(str(path)).sync()
        self.after()
        self._fails("sync_directory", Fault.AFTER)

    def rename(self, old: Path, new: Path) -> None:
        self._fails("rename", Fault.BEFORE)
        directory, old_name = self._place(old)
        beside, name = self._place(new)
        if directory is not beside:
            raise Misuse("a file is moved to another directory")
        if name.endswith(".seg") and name in directory.names:
            raise Misuse(f"{new} is replaced")
        directory.change(Change(name, self._file(old), old_name))
        self.after()
        self._fails("rename", Fault.AFTER)

    def exchange(self, one: Path, other: Path) -> None:
        self._fails("exchange", Fault.BEFORE)
        directory, name = self._place(one)
        change = Change(other.name, self._file(one), name, self._file(other))
        directory.change(change)
        self.after()
        self._fails("exchange", Fault.AFTER)

    def unlink(self, path: Path) -> None:
        self._fails("unlink", Fault.BEFORE)
        directory, name = self._place(path)
        self.unlinked(str(path), self._file(path).data)
        directory.change(Change(name, None))
        self.after()
        self._fails("unlink", Fault.AFTER)

    def names(self, path: Path) -> list[str]:
        self.calls["names"] += 1
        return list(self._directory(str(path)).names)

    def stamp(self, path: Path) -> int | None:
        self._directory(str(path))
        return None

    def size(self, path: Path) -> int:
        self.calls["size"] += 1
        return len(self._file(path).data)

    def room(self, path: Path) -> int:
        return 1 << 40

    def kill(self) -> None:
        """Give up what the writer has open, as its end does."""
        writing = [each for each, (_, path) in self._open.items() if path]
        for descriptor in writing:
            self.close(descriptor)

    def contents(self, directory: str) -> dict[str, bytes]:
        """Return what the files of a directory hold; none where it is absent."""
        found = self._directories.get(directory)
        if found is None:
            return {}
        return {name: file.data for name, file in found.names.items() if isinstance(file, File)}

    @property
    def undecided(self) -> tuple[bool, bool]:
        """Tell whether a cut has a choice of names, and whether of bytes."""
        names = tails = False
        for directory in self._directories.values():
            names = names or bool(directory.changes)
            for node in (*directory.names.values(), *directory.durable.values()):
                tails = tails or (isinstance(node, File) and node.data != node.durable)
        return names, tails

    def cut(self, names: Names, tails: Tails, rng: Random) -> "CutDisk":
        """Return a disk as a power cut now may leave it."""
        files = [
            node
            for directory in self._directories.values()
            for node in directory.names.values()
            if isinstance(node, File)
        ]
        return _Cut(names, tails, rng, files).disk(self)

    def adopt(self, path: str, directory: Directory) -> None:
        """Take ``directory`` and all below it in at ``path``, as it is on the disk."""
        self._directories[path] = directory
        for name, node in directory.names.items():
            if isinstance(node, Directory):
                self.adopt(f"{'' if path == '/' else path}/{name}", node)

    def _opened(self, file: File, path: str) -> int:
        self._descriptors += 1
        self._open[self._descriptors] = file, path
        return self._descriptors

    def _directory(self, path: str) -> Directory:
        found = self._directories.get(path)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return found

    def _place(self, path: Path) -> tuple[Directory, str]:
        parent, _, name = str(path).rpartition("/")
        return self._directory(parent or "/"), name

    def _file(self, path: Path) -> File:
        directory, name = self._place(path)
        file = directory.names.get(name)
        if not isinstance(file, File):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return file

    def _fails(self, operation: str, when: Fault) -> None:
        if when is Fault.BEFORE:
            self.calls[operation] += 1
            if trouble := self.faults.get(operation):
                trouble.called()
        if self._meets(operation, when):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def _meets(self, operation: str, fault: Fault) -> bool:
        trouble = self.faults.get(operation)
        return trouble is not None and trouble.now and trouble.fault is fault


@dataclass(frozen=True, slots=True)
class _Cut:
    """One way in which a cut may go."""

    names: Names
    tails: Tails
    rng: Random
    files: Sequence[File]

    def disk(self, before: CutDisk) -> CutDisk:
        after = CutDisk()
        after.root = self._directory(before.root)
        after.adopt("/", after.root)
        return after

    def _directory(self, before: Directory) -> Directory:
        names = dict(before.durable)
        for change in before.changes:
            if self._happened():
                change.apply(names)
        kept = {name: self._node(node) for name, node in names.items()}
        return Directory(kept, dict(kept))

    def _happened(self) -> bool:
        if self.names is Names.EITHER:
            return self.rng.random() < 0.5
        return self.names is Names.NEW

    def _node(self, node: Node) -> Node:
        if isinstance(node, Directory):
            return self._directory(node)
        data = node.durable
        if node.data != data:
            data = self._content(node)
        return File(data, data)

    def _content(self, file: File) -> bytes:
        """Choose what is left of a file: the old, and parts of what was written since."""
        old, new = file.durable, file.data
        if file.emptied:
            if self._happened():
                return old
            old = b""
        if new.startswith(old):
            return old + self._tail(file, len(old), new[len(old) :], b"")
        return self._tail(file, 0, new, old)

    def _tail(self, file: File, at: int, tail: bytes, over: bytes) -> bytes:
        """Choose what is left of ``tail``, written at ``at`` over what was there before."""
        tails, rng = self.tails, self.rng
        if tails is Tails.ANY:
            tails = rng.choice(SOME_TAILS)
        if tails is Tails.NOTHING or not tail:
            return over
        if tails is Tails.WHOLE:
            return tail + bytes(rng.choice((0, 0, 7, 4096)))
        if tails is Tails.TORN:
            return b"".join(self._pages(file, at, tail, over))
        if tails is Tails.PREFIX:
            kept = tail[: rng.randrange(len(tail))]
            rest = over[len(kept) :]
            return kept + (rest or self._other(file, rng.choice((0, len(tail) - len(kept)))))
        return self._filled(tails, file, len(tail))

    def _filled(self, tails: Tails, file: File, size: int) -> bytes:
        if tails is Tails.ZEROS:
            return bytes(size)
        if tails is Tails.GARBAGE:
            return self.rng.randbytes(size)
        stale = self.rng.choice(self.files)
        at = 0 if stale is file else int.from_bytes(stale.data[12:16], "little")
        return (b"" if stale is file else stale.data[at : at + size]).ljust(size, b"\0")

    def _other(self, file: File, size: int) -> bytes:
        kind = self.rng.choice((Tails.ZEROS, Tails.GARBAGE, Tails.STALE))
        return self._filled(kind, file, size)

    def _pages(self, file: File, at: int, tail: bytes, over: bytes) -> Iterator[bytes]:
        page = self.rng.choice(PAGES)
        start = 0
        while start < len(tail):
            stop = start + page - (at + start) % page
            part = tail[start:stop]
            old = over[start:stop] if over else self._other(file, len(part))
            yield part if self.rng.random() < 0.5 else old
            start = stop


SOME_TAILS = [tails for tails in Tails if tails is not Tails.ANY]
