"""Foreign text as ids, as prose, and as what a message or a table can show."""

import re
import zlib
from functools import lru_cache

MAX_ID = 64
MAX_TEXT = 200
OUTSIDE_ID = re.compile("[^a-z0-9_-]+")
LETTERS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "é": "e", "è": "e", "à": "a"})


class Ids:
    """Gives ids of `[a-z0-9_-]{1,64}`, each once."""

    def __init__(self) -> None:
        self.given: set[str] = set()
        self._next: dict[str, int] = {}

    def give(self, *parts: str) -> str:
        """Return an id made of ``parts``; the same parts in the same order give the same id."""
        whole = "_".join(part for part in map(plain, parts) if part) or "x"
        name, number = shortened(whole), self._next.get(whole, 2)
        while name in self.given:
            name = shortened(f"{whole}_{number}")
            number += 1
        self._next[whole] = number
        self.given.add(name)
        return name


def plain(text: str) -> str:
    """Return a text in the characters of an id."""
    spelled = text.lower().translate(LETTERS).replace(".", "_")
    return OUTSIDE_ID.sub("_", spelled).strip("_-")


def shortened(text: str) -> str:
    """Return a text of at most 64 characters; a long one ends in its checksum."""
    if len(text) <= MAX_ID:
        return text
    return f"{text[: MAX_ID - 9]}_{zlib.crc32(text.encode()):08x}"


@lru_cache(4096)
def prose(text: str) -> str:
    """Return foreign text as one printable line that no spreadsheet takes for a formula."""
    return one_line(text).lstrip("=+-@#'\"")[:MAX_TEXT].strip()


def one_line(text: str) -> str:
    """Return foreign text as one printable line."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(text.split())


def quoted(text: str) -> str:
    """Return foreign text as a message can show it: short, printable, in ticks."""
    shown = "".join(c if c.isprintable() else "?" for c in text[:60])
    return f"`{shown}…`" if len(text) > 60 else f"`{shown}`"
