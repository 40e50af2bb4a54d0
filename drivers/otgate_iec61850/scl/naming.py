"""Ids and names of imported points, from where they stand and what the file says of them."""

import re
import zlib
from functools import lru_cache

from otgate_iec61850.scl.model import LogicalNode

MAX_ID = 64
MAX_TEXT = 200
VALUE_TAILS = (".stVal", ".general", ".actVal", ".cnt", ".setVal", ".setSrcRef")
MAGNITUDES = re.compile(r"\.(cVal\.mag|mag|mxVal|setMag|instMag)\.[fi]$|\.valWTr\.posVal$")
OUTSIDE_ID = re.compile("[^a-z0-9_-]+")
PHASE = re.compile(r"\.(?:phs|dirPhs)(A|B|C|AB|BC|CA)\b|\.(neut|dirNeut)\b")


class Ids:
    """Gives ids of `[a-z0-9_-]{1,64}`, each once."""

    def __init__(self) -> None:
        self.given: set[str] = set()

    def give(self, *parts: str) -> str:
        """Return an id made of ``parts``; the same parts in the same order give the same id."""
        whole = "_".join(part for part in map(plain, parts) if part) or "x"
        name, number = shortened(whole), 2
        while name in self.given:
            name = shortened(f"{whole}_{number}")
            number += 1
        self.given.add(name)
        return name


def plain(text: str) -> str:
    """Return a text in the characters of an id."""
    return OUTSIDE_ID.sub("_", text.lower().replace(".", "_")).strip("_-")


def shortened(text: str) -> str:
    """Return a text of at most 64 characters; a long one ends in its checksum."""
    if len(text) <= MAX_ID:
        return text
    return f"{text[: MAX_ID - 9]}_{zlib.crc32(text.encode()):08x}"


def short_path(path: str) -> str:
    """Return a path without the attribute that is meant anyway."""
    for tail in VALUE_TAILS:
        path = path.removesuffix(tail)
    path = MAGNITUDES.sub("", path)
    return re.sub(r"\.cVal\.ang\.[fi]$", ".ang", path)


@lru_cache(4096)
def prose(text: str) -> str:
    """Return foreign text as one printable line that no spreadsheet takes for a formula."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    line = " ".join(text.split())
    return line.lstrip("=+-@#'\"")[:MAX_TEXT].strip()


def phase_of(path: str, placed: str) -> str:
    """Return the phase that a path names, else that of its equipment."""
    found = PHASE.search(f".{path}")
    if found is None:
        return prose(placed)
    return found[1] or "N"


def described(node: LogicalNode, path: str) -> str:
    """Return the most exact description that the instance gives on the way to ``path``."""
    names = path.split(".")
    for length in range(len(names), 0, -1):
        said = node.descriptions.get(".".join(names[:length]))
        if said:
            return prose(said)
    return ""


def name_of(node: LogicalNode, device: str, short: str, said: str) -> str:
    """Return what people call a point: where it is, and what it is."""
    _, _, bay, equipment, _ = map(prose, node.place)
    what = f"{said} ({short})" if said else f"{node.name}.{short}"
    where = [bay, equipment] if bay or equipment else [device]
    return " ".join(part for part in (*where, what) if part)
