"""A text file as written: decoded strictly, kept with its lines for positions."""

import re
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from otgate.config.diagnostic import Diagnostics, Place

MAX_YAML_BYTES = 4 << 20
MAX_CSV_BYTES = 32 << 20
UNWANTED = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
"""Control characters, exotic line breaks and byte order marks inside a text."""

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
    _lines: list[str] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        """The lines, without their ends."""
        if not self._lines:
            self._lines = split_lines(self.text)
        return self._lines

    def place(self, line: int, column: int, end_column: int | None = None) -> Place:
        """Return a place of at least one character that ends within its line."""
        width = len(self.lines[line - 1]) if line <= len(self.lines) else 0
        end = width + 1 if end_column is None else end_column
        return Place(self.name, line, column, max(end, column + 1))

    def place_at(self, offset: int) -> Place:
        """Return the place of one character by its offset in the text."""
        before = split_lines(self.text[:offset])
        return Place(self.name, len(before), len(before[-1]) + 1, len(before[-1]) + 2)


def split_lines(text: str) -> list[str]:
    """Split at LF, CR LF and CR only; an empty text is one empty line."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def read_source(
    path: Path, cap_bytes: int, found: Diagnostics, named_at: Place | None = None
) -> Source | None:
    """Read and decode ``path``, or say why that cannot be done, where another file names it."""
    name = str(path)
    try:
        raw = read_capped(path, cap_bytes)
    except (OSError, ValueError) as error:
        where = named_at or Place(name)
        found.say("unreadable-file", where, f"cannot read `{name}`: {reason(error)}")
        return None
    if len(raw) > cap_bytes:
        cap = f"{cap_bytes >> 20} MB" if cap_bytes >> 20 else f"{cap_bytes >> 10} kB"
        message = f"`{name}` is larger than {cap}"
        found.say("file-too-large", Place(name), message, "split it, e.g. one point map per device")
        return None
    return decode(name, raw, found)


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
        place = Source(name, raw[: error.start].decode("utf-8", "replace") + " ").place_at
        where = place(len(raw[: error.start].decode("utf-8", "replace")))
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
    unwanted = UNWANTED.search(source.text)
    if unwanted is None:
        return True
    number = ord(unwanted.group())
    place = source.place_at(unwanted.start())
    found.say("illegal-character", place, f"invisible character U+{number:04X}", "delete it")
    return False
