"""A SunSpec device around its points: marker, headers, and "not implemented" where no point is.

The definitions are those of the package `pysunspec2`, read here apart from the driver's reading.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from otgate.errors import Refused

MARKER = (0x5375, 0x6E53)
END = (0xFFFF, 0)
NOT_IMPLEMENTED = {
    "int16": "8000", "uint16": "ffff", "count": "ffff", "acc16": "0000", "enum16": "ffff",
    "bitfield16": "ffff", "int32": "80000000", "uint32": "ffffffff", "acc32": "00000000",
    "enum32": "ffffffff", "bitfield32": "ffffffff", "int64": "8000000000000000",
    "uint64": "ffffffffffffffff", "acc64": "0000000000000000", "float32": "7fc00000",
    "float64": "7ff8000000000000", "sunssf": "8000", "pad": "8000", "ipaddr": "00000000",
    "eui48": "0000ffffffffffff", "ipv6addr": "00" * 16,
}  # fmt: skip
"""What each type's registers hold where the device lacks the point; texts are NUL."""

Words = Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Shell:
    """Registers of a SunSpec device by address: those under its points, and those over them."""

    under: Words
    over: Words
    """Headers, and how often groups repeat."""


def shell_of(at: int, models: Sequence[str]) -> Shell:
    """Return the registers of a device whose models, ``103/50``, begin behind ``at``.

    Raises:
        Refused: the definitions are not installed.
    """
    under: dict[int, int] = {}
    over = dict(enumerate(MARKER, at))
    at += len(MARKER)
    for written in models:
        model, length = map(int, written.split("/"))
        over |= {at: model, at + 1: length}
        body, counts = filled(definition(model), length)
        under |= dict(enumerate(body, at + 2))
        over |= {at + offset: count for offset, count in counts.items()}
        at += 2 + length
    return Shell(under, over | dict(enumerate(END, at)))


def definition(model: int) -> Mapping[str, Any]:
    """Return the group of a model; an empty one for a model of some maker's own."""
    package = find_spec("sunspec2")
    if package is None or not package.submodule_search_locations:
        raise Refused("a SunSpec device is simulated with pip install otgate[lab]")
    folder = Path(package.submodule_search_locations[0], "models", "json")
    path = folder / f"model_{model}.json"
    group: Mapping[str, Any] = (
        json.loads(path.read_text(encoding="utf-8"))["group"] if path.is_file() else {"points": []}
    )
    return group


def filled(group: Mapping[str, Any], length: int) -> tuple[list[int], Mapping[int, int]]:
    """Return a model's registers behind its header, and the counts of what repeats, by offset.

    A group that repeats fills the model; of several, and of those within another, there are none.
    """
    body = [word for point in group["points"][2:] for word in absent(point)]
    groups = group.get("groups", ())
    repeating = [inner for inner in groups if "count" in inner]
    number = 0
    if len(groups) == len(repeating) == 1 and not repeating[0].get("groups"):
        inner = [word for point in repeating[0]["points"] for word in absent(point)]
        number = (length - len(body)) // len(inner)
        body += inner * number
    body += [0xFFFF] * (length - len(body))
    names = {str(inner["count"]) for inner in repeating}
    return body[:length], {
        offset: number
        for name, kind, offset in placed(group["points"])
        if name in names or kind == "count"
    }


def placed(points: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str, int]]:
    """Yield name, type and offset of a model's points."""
    offset = 0
    for point in points:
        yield point["name"], point["type"], offset
        offset += int(point["size"])


def absent(point: Mapping[str, Any]) -> list[int]:
    """Return the registers of a point that the device does not implement."""
    size = int(point["size"])
    packed = bytes.fromhex(NOT_IMPLEMENTED.get(point["type"], "0000" * size))
    return [int.from_bytes(packed[at : at + 2]) for at in range(0, 2 * size, 2)]
