"""Schemas that say of every key what it is measured in, what holds without it, and an example."""

from collections.abc import Iterator
from typing import Any

UNITS = {"_s": "seconds", "_h": "hours", "_mb": "megabytes", "_kb": "kilobytes"}
"""What a key that ends so is measured in."""
EMPTY: dict[str, Any] = {"array": [], "object": {}}
UNTOLD: tuple[Any, ...] = (None, "", [], {})
"""Defaults that show nobody what could stand there."""


def described(schema: dict[str, Any]) -> dict[str, Any]:
    """Complete a schema, in place, with the unit, default and example of each key; return it."""
    for key, one, required in keys(schema):
        if not required and one.get("type") in EMPTY:
            one.setdefault("default", EMPTY[one["type"]])
        _tell_unit(key, one)
        _show(one)
    return schema


def keys(schema: Any) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Yield every key that a schema has, with its own schema and whether it has to be there."""
    if isinstance(schema, list):
        for inner in schema:
            yield from keys(inner)
    if not isinstance(schema, dict):
        return
    required = schema.get("required", ())
    for key, one in schema.get("properties", {}).items():
        yield key, one, key in required
        yield from keys(one)
    for inner in schema.get("$defs", {}).values():
        yield from keys(inner)
    for word in ("items", "anyOf", "oneOf"):
        yield from keys(schema.get(word))


def _tell_unit(key: str, one: dict[str, Any]) -> None:
    about = one.get("description", "")
    if (unit := unit_of(key)) and unit not in about.lower():
        one["description"] = f"{about.removesuffix('.')} ({unit})."


def unit_of(key: str) -> str:
    """Return what a key is measured in, as its end says; empty where that says nothing."""
    rate = key.endswith("_per_s")
    return "" if rate else next((unit for end, unit in UNITS.items() if key.endswith(end)), "")


def _show(one: dict[str, Any]) -> None:
    if "examples" in one or {"$ref", "const"} & one.keys():
        return
    if "enum" in one:
        one["examples"] = one["enum"][:1] if one.get("default") is None else [one["default"]]
    elif one.get("default") not in UNTOLD:
        one["examples"] = [one["default"]]
