"""A text file as written: decoded strictly, kept with its lines for positions."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from os.path import normpath
from pathlib import Path
from typing import overload

from otgate.config.diagnostic import Diagnostics, Place
from otgate.permission import Use, opened_by

MAX_YAML_BYTES = 4 << 20
MAX_CSV_BYTES = 16 << 20
LINE_END = re.compile("\r\n?|\n")
BLOCK = 1 << 16
"""Characters whose lines are looked at together."""

UNWANTED = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
"""Control characters, exotic line breaks and byte order marks inside a text."""
SEARCHED = 1 << 18
"""Characters searched at once: other threads wait for as long as that takes."""

BOMS = {
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
    b"PK\x03\x04": "a spreadsheet workbook",
    b"\xd0\xcf\x11\xe0": "a spreadsheet workbook",
}


@dataclass(slots=True)
class Source:
    """A decoded file. ``name`` is how the user knows it, e.g. ``points/feeder.csv``."""

    name: str
    text: str
    digest: str = ""
    """SHA-256 of the file's bytes, in hexadecimal; nothing of a text that was no file."""
    _lines: "Lines | None" = field(default=None, repr=False, compare=False)

    @property
    def lines(self) -> "Lines":
        """The lines, without their ends."""
        if self._lines is None:
            self._lines = Lines(self.text)
        return self._lines

    def place(self, line: int, column: int, end_column: int | None = None) -> Place:
        """Return a place of at least one character that ends within its line."""
        width = len(self.lines[line - 1]) if line <= len(self.lines) else 0
        end = width + 1 if end_column is None else end_column
        return Place(self.name, line, column, max(end, column + 1))

    def place_at(self, offset: int) -> Place:
        """Return the place of one character by its offset in the text."""
        line, start = self.lines.holding(offset)
        return Place(self.name, line, offset - start + 1, offset - start + 2)


class Lines(Sequence[str]):
    """The lines of a text, cut out when they are asked for: of a large file few ever are.

    They end at LF, CR LF and CR only; an empty text is one empty line.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts, self._numbers = [0], [0]
        """Where each block begins, in characters and in lines."""
        while (begin := self._starts[-1]) + BLOCK < len(text):
            end = LINE_END.search(text, begin + BLOCK)
            if end is None:
                break
            self._numbers.append(self._numbers[-1] + ends_in(text[begin : end.end()]))
            self._starts.append(end.end())
        self._count = self._numbers[-1] + ends_in(text[self._starts[-1] :]) + 1
        self._first, self._block = 0, list[str]()

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, number: int) -> str: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[str]: ...
    def __getitem__(self, number: int | slice) -> str | Sequence[str]:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(self._count))]
        at = number - self._first
        if not 0 <= at < len(self._block):
            at = self._open(range(self._count)[number])
        return self._block[at]

    def _open(self, number: int) -> int:
        """Cut the block that holds a line; return where the line is in it."""
        block = bisect_right(self._numbers, number) - 1
        text = self._text[self._starts[block] : self._stop(block)]
        self._first = self._numbers[block]
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        last = block == len(self._starts) - 1
        self._block = lines if last else lines[:-1]  # after a block's last end comes another block
        return number - self._first

    def _stop(self, block: int) -> int:
        """Return where a block ends; its last line end belongs to it."""
        after = self._starts[block + 1 : block + 2]
        return after[0] if after else len(self._text)

    def holding(self, offset: int) -> tuple[int, int]:
        """Return the line that holds a character, from 1, and where that line begins."""
        block = bisect_right(self._starts, offset) - 1
        start, line = self._starts[block], self._numbers[block] + 1
        for end in LINE_END.finditer(self._text, start, offset):
            start, line = end.end(), line + 1
        return line, start


def ends_in(text: str) -> int:
    """Count the line ends of a text."""
    return text.count("\n") + text.count("\r") - text.count("\r\n")


def read_source(
    path: Path, cap_bytes: int, found: Diagnostics, named_at: Place | None = None
) -> Source | None:
    """Read and decode ``path``, or say why that cannot be done, where another file names it."""
    name = str(path)
    try:
        raw = read_capped(path, cap_bytes)
    except (OSError, ValueError) as error:
        where = named_at or Place(name)
        help_text = opened_by(path, Use.READ) if isinstance(error, PermissionError) else ""
        found.say("unreadable-file", where, f"cannot read `{name}`: {reason(error)}", help_text)
        return None
    if len(raw) > cap_bytes:
        cap = f"{cap_bytes >> 20} MB" if cap_bytes >> 20 else f"{cap_bytes >> 10} kB"
        message = f"`{name}` is larger than {cap}"
        found.say("file-too-large", Place(name), message, "split it, e.g. one point map per device")
        return None
    return decode(name, raw, found)


def shortest(path: Path) -> Path:
    """Return a path without steps back, where that names the same file."""
    short = Path(normpath(path))
    with suppress(OSError):  # a directory that is closed to us: reading the file says so
        return short if short.exists() and path.exists() and short.samefile(path) else path
    return path


def read_capped(path: Path, cap_bytes: int) -> bytes:
    """Read at most one byte more than ``cap_bytes`` of a regular file."""
    if path.exists() and not path.is_file():
        raise OSError(0, "not a file")
    with path.open("rb") as file:
        return file.read(cap_bytes + 1)


def reason(error: OSError | ValueError) -> str:
    """Say in lower case what the system said."""
    return (getattr(error, "strerror", None) or str(error)).lower()


def decode(name: str, raw: bytes, found: Diagnostics) -> Source | None:
    """Decode UTF-8 with or without a byte order mark; nothing else is guessed."""
    for bom, encoding in BOMS.items():
        if raw.startswith(bom):
            refuse_encoding(Place(name), f"the file is {encoding}, not UTF-8 text", found)
            return None
    digest = sha256(raw).hexdigest()
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    try:
        source = Source(name, raw.decode("utf-8"), digest)
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8")
        where = Source(name, before + " ").place_at(len(before))
        refuse_encoding(where, f"byte 0x{raw[error.start]:02x} is not UTF-8", found)
        return None
    return source if only_text(source, found) else None


def refuse_encoding(place: Place, message: str, found: Diagnostics) -> None:
    """Say that a file is in another encoding, and how to convert it."""
    found.say(
        "wrong-encoding", place, message, "save the file as UTF-8 (in a spreadsheet: `CSV UTF-8`)"
    )


def only_text(source: Source, found: Diagnostics) -> bool:
    """Say where the first unwanted character is, if any."""
    begins = range(0, len(source.text), SEARCHED)
    searched = (UNWANTED.search(source.text, at, at + SEARCHED) for at in begins)
    unwanted = next(filter(None, searched), None)
    if unwanted is None:
        return True
    number = ord(unwanted.group())
    place = source.place_at(unwanted.start())
    found.say("illegal-character", place, f"invisible character U+{number:04X}", "delete it")
    return False
