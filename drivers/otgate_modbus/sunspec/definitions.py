"""What a SunSpec model holds, as the SunSpec Alliance's own definitions say.

They are read from the package `pysunspec2`, which carries them as JSON; none of its code runs.
Where it is not installed, models are known by number and length alone.
"""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

PACKAGE = "sunspec2"
"""Import name of pysunspec2."""

TO_THE_END = 0
"""Repetition of a group that fills what is left of its model."""

BITFIELD = "bitfield"


class Entry(NamedTuple):
    """One point of a definition. ``size`` counts registers."""

    name: str
    type: str
    size: int
    sf: str | int | None
    """Name of the point that holds its decimal exponent, or the exponent itself."""
    unit: str
    label: str
    symbols: Mapping[int, str]
    """Names by code, or by bit where the type is a bitfield."""
    writable: bool
    static: bool
    mandatory: bool


class Group(NamedTuple):
    """Points that lie together, then groups. ``repeat`` is how often, or which point says so."""

    name: str
    repeat: int | str
    entries: Sequence[Entry]
    groups: Sequence["Group"]

    @property
    def size(self) -> int:
        """Registers of its own points."""
        return sum(entry.size for entry in self.entries)


class Definition(NamedTuple):
    """One model. The first two points of its group are its number and its length."""

    model: int
    label: str
    group: Group


def folder() -> Path | None:
    """Return where the official definitions are, or None where they are not installed."""
    found = find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        return None
    path = Path(found.submodule_search_locations[0], "models", "json")
    return path if path.is_dir() else None


@lru_cache(maxsize=256)
def definition(model: int) -> Definition | None:
    """Return what is known of a model, or None."""
    where = folder()
    path = None if where is None else where / f"model_{model}.json"
    if path is None or not path.is_file():
        return None
    return read_definition(model, json.loads(path.read_text(encoding="utf-8")))


def read_definition(model: int, document: Mapping[str, Any]) -> Definition:
    """Read a definition from its JSON."""
    group = document["group"]
    return Definition(model, plain(group.get("label") or group["name"]), _group(group, 1))


def _group(group: Mapping[str, Any], repeat: int | str) -> Group:
    return Group(
        group["name"],
        repeat,
        tuple(_entry(point) for point in group.get("points", ())),
        tuple(_group(inner, inner.get("count", 1)) for inner in group.get("groups", ())),
    )


def _entry(point: Mapping[str, Any]) -> Entry:
    symbols = {int(each["value"]): each["name"].lower() for each in point.get("symbols", ())}
    return Entry(
        point["name"],
        point["type"],
        int(point["size"]),
        point.get("sf"),
        plain(point.get("units", "")),
        plain(point.get("label", "")),
        MappingProxyType(symbols),
        point.get("access") == "RW",
        point.get("static") == "S",
        point.get("mandatory") == "M",
    )


def plain(text: str) -> str:
    """Return a text on one line."""
    return " ".join(text.split())
