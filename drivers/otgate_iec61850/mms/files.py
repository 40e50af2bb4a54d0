"""A server's files: directory, open, read, close. ISO 9506-2."""

from collections.abc import Sequence
from dataclasses import dataclass

from otgate_iec61850.mms.ber import (
    GRAPHIC_STRING,
    SEQUENCE,
    boolean,
    element,
    elements,
    expect,
    fields,
    integer,
    integer_octets,
    read_integer,
    read_text,
    read_unsigned,
    required,
    text,
)
from otgate_iec61850.mms.service import Done, Service, done, flag, nothing
from otgate_iec61850.mms.values import GeneralizedTime

FILES = 0xA0


@dataclass(frozen=True, slots=True)
class FileDirectory:
    """Ask for the files that a path names, or all."""

    path: str = ""
    after: str | None = None


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file."""

    name: str
    size: int
    modified: GeneralizedTime | None = None


@dataclass(frozen=True, slots=True)
class Directory:
    """Files in order, and whether more follow after the last."""

    entries: Sequence[FileEntry]
    more: bool = False


@dataclass(frozen=True, slots=True)
class FileOpen:
    """Open a file for reading from an octet on."""

    path: str
    position: int = 0


@dataclass(frozen=True, slots=True)
class Opened:
    """An open file: its handle, and its size."""

    handle: int
    size: int
    modified: GeneralizedTime | None = None


@dataclass(frozen=True, slots=True)
class FileRead:
    """Read what comes next."""

    handle: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """Octets of a file, and whether more follow."""

    octets: bytes
    more: bool = True


@dataclass(frozen=True, slots=True)
class FileClose:
    """Let go of an open file."""

    handle: int


def _path(tag: int, path: str) -> bytes:
    return element(tag, text(GRAPHIC_STRING, path))


def _read_path(data: bytes, start: int, stop: int) -> str:
    return "/".join(read_text(data, first, last) for _, first, last in elements(data, start, stop))


def _attributes(tag: int, size: int, modified: GeneralizedTime | None) -> bytes:
    when = b"" if modified is None else text(0x81, modified)
    return element(tag, integer(0x80, size), when)


def _read_attributes(data: bytes, start: int, stop: int) -> tuple[int, GeneralizedTime | None]:
    found = fields(data, start, stop)
    size = read_unsigned(data, *required(found, 0x80))
    when = GeneralizedTime(read_text(data, *found[0x81])) if 0x81 in found else None
    return size, when


def _directory(request: FileDirectory) -> bytes:
    path = _path(0xA0, request.path) if request.path else b""
    return path + (b"" if request.after is None else _path(0xA1, request.after))


def _decode_directory(data: bytes, start: int, stop: int) -> FileDirectory:
    found = fields(data, start, stop)
    path = _read_path(data, *found[0xA0]) if 0xA0 in found else ""
    return FileDirectory(path, _read_path(data, *found[0xA1]) if 0xA1 in found else None)


def _entry(entry: FileEntry) -> bytes:
    attributes = _attributes(0xA1, entry.size, entry.modified)
    return element(SEQUENCE, _path(0xA0, entry.name), attributes)


def _read_entry(data: bytes, start: int, stop: int) -> FileEntry:
    found = fields(data, start, stop)
    name = _read_path(data, *required(found, 0xA0))
    return FileEntry(name, *_read_attributes(data, *required(found, 0xA1)))


def _entries(said: Directory) -> bytes:
    listed = element(FILES, element(SEQUENCE, *map(_entry, said.entries)))
    return listed + boolean(0x81, said.more)


def _decode_entries(data: bytes, start: int, stop: int) -> Directory:
    place = expect(data, *required(fields(data, start, stop), FILES), SEQUENCE)
    entries = [_read_entry(data, first, last) for _, first, last in elements(data, *place)]
    return Directory(entries, flag(data, start, stop, 0x81, absent=False))


def _open(request: FileOpen) -> bytes:
    return _path(0xA0, request.path) + integer(0x81, request.position)


def _decode_open(data: bytes, start: int, stop: int) -> FileOpen:
    found = fields(data, start, stop)
    place = required(found, 0x81)
    return FileOpen(_read_path(data, *required(found, 0xA0)), read_unsigned(data, *place))


def _opened(said: Opened) -> bytes:
    return integer(0x80, said.handle) + _attributes(0xA1, said.size, said.modified)


def _decode_opened(data: bytes, start: int, stop: int) -> Opened:
    found = fields(data, start, stop)
    handle = read_integer(data, *required(found, 0x80))
    return Opened(handle, *_read_attributes(data, *required(found, 0xA1)))


def _handle(request: FileRead | FileClose) -> bytes:
    return integer_octets(request.handle)


def _decode_read(data: bytes, start: int, stop: int) -> FileRead:
    return FileRead(read_integer(data, start, stop))


def _decode_close(data: bytes, start: int, stop: int) -> FileClose:
    return FileClose(read_integer(data, start, stop))


def _chunk(said: Chunk) -> bytes:
    return element(0x80, said.octets) + boolean(0x81, said.more)


def _decode_chunk(data: bytes, start: int, stop: int) -> Chunk:
    first, last = required(fields(data, start, stop), 0x80)
    return Chunk(data[first:last], flag(data, start, stop, 0x81, absent=True))


SERVICES = (
    Service(FileOpen, 0xBF48, _open, _decode_open, Opened, 0xBF48, _opened, _decode_opened),
    Service(FileRead, 0x9F49, _handle, _decode_read, Chunk, 0xBF49, _chunk, _decode_chunk),
    Service(FileClose, 0x9F4A, _handle, _decode_close, Done, 0x9F4A, nothing, done),
    Service(
        FileDirectory, 0xBF4D, _directory, _decode_directory,
        Directory, 0xBF4D, _entries, _decode_entries,
    ),
)  # fmt: skip
