"""The bytes and the text of a foreign file: capped, decoded strictly, line by line if need be."""

import codecs
import re
from pathlib import Path

from otgate.errors import Refused

MAX_BYTES = 16 << 20
"""Of a table or a configuration; one row of a point map takes about a hundred."""

ENCODINGS = (
    *("cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp437", "cp850", "latin-1"),
    *("gb18030", "shift_jis"),
)
"""What a person may say that a file is in; all have ASCII's line ends."""

MARKED = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
NO_TEXT = {
    b"PK\x03\x04": "a workbook or an archive",
    b"\xd0\xcf\x11\xe0": "an old workbook (.xls), or one with a password",
    b"%PDF": "a PDF",
    b"\x1f\x8b": "compressed",
}


class ForeignRefused(Refused):
    """A foreign file cannot be read. The message begins with its place."""

    def __init__(self, file: str, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(f"{file}:{line}:{column}: {message}")
        self.file = file
        self.line = line
        self.column = column
        self.message = message


def read_bytes(path: Path, most: int = MAX_BYTES) -> bytes:
    """Read a regular file of at most ``most`` bytes; a larger one is not read at all.

    Raises:
        ForeignRefused: it is none, larger, or cannot be read.
    """
    try:
        if path.exists() and not path.is_file():
            raise ForeignRefused(str(path), "this is not a file")
        if path.stat().st_size > most:
            raise too_large(path, most)
        with path.open("rb") as file:
            raw = file.read(most + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ForeignRefused(str(path), f"cannot be read: {why.lower()}") from error
    if len(raw) > most:
        raise too_large(path, most)
    return raw


def too_large(path: Path, most: int) -> ForeignRefused:
    """Return the refusal of a file that is larger than any real one."""
    return ForeignRefused(str(path), f"the file is larger than {most >> 20} MB: split it")


def read_text(path: Path, most: int = MAX_BYTES, encoding: str | None = None) -> str:
    """Read a text file: UTF-8, UTF-16 with its mark, or where a line is neither, ``encoding``.

    Raises:
        ForeignRefused: it is no text, or in an encoding that nobody has named.
    """
    return decoded(read_bytes(path, most), str(path), encoding)


def decoded(raw: bytes, file: str, encoding: str | None = None) -> str:
    """Decode the bytes of a file.

    Raises:
        ForeignRefused: as `read_text` does.
    """
    for mark, what in NO_TEXT.items():
        if raw.startswith(mark):
            raise ForeignRefused(file, f"the file is {what}, not text")
    try:
        if raw[:2] in MARKED:
            return raw.decode(MARKED[raw[:2]])
        return raw.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        if encoding is None or raw[:2] in MARKED:
            raise undecoded(raw, file, error) from None
    return by_lines(raw, file, encoding)


def by_lines(raw: bytes, file: str, encoding: str) -> str:
    """Decode each line as UTF-8 if it is, else as ``encoding``: files are pasted together."""
    lines = []
    for number, line in enumerate(raw.removeprefix(codecs.BOM_UTF8).split(b"\n"), 1):
        try:
            lines.append(line.decode())
        except UnicodeDecodeError:
            lines.append(in_encoding(line, file, number, encoding))
    return "\n".join(lines)


def in_encoding(line: bytes, file: str, number: int, encoding: str) -> str:
    """Decode one line.

    Raises:
        ForeignRefused: it has a byte that the encoding lacks.
    """
    try:
        return line.decode(encoding)
    except UnicodeDecodeError as error:
        byte, column = error.object[error.start], error.start + 1
        message = f"byte 0x{byte:02x} is neither UTF-8 nor {encoding}"
        raise ForeignRefused(file, message, number, column) from None


def undecoded(raw: bytes, file: str, error: UnicodeDecodeError) -> ForeignRefused:
    """Return the refusal of a file in an unknown encoding, at its first odd byte."""
    before = raw[: error.start]
    line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
    message = f"byte 0x{raw[error.start]:02x} is not UTF-8; if a spreadsheet of Western Europe"
    advice = f"{message} saved it, add --encoding cp1252 (known: {', '.join(ENCODINGS)})"
    return ForeignRefused(file, advice, line, column)


SECONDS = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<unit>ns|us|µs|ms|s|m|h)")
UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str) -> float | None:
    """Read a span of time as Go writes it, ``1m30s`` or ``500ms``; None where it is none."""
    parts = list(SECONDS.finditer(text.strip()))
    if not parts or "".join(part[0] for part in parts) != text.strip():
        return None
    return round(sum(float(part["number"]) * UNITS[part["unit"]] for part in parts), 9)
