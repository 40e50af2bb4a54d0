"""Configured values, read by their basic type: for a simulated server, and for defaults."""

from collections.abc import Callable
from typing import TypeVar

from otgate_iec61850.scl.model import Attribute

TRUE, FALSE = frozenset({"true", "1"}), frozenset({"false", "0"})
FLOATS = frozenset({"FLOAT32", "FLOAT64"})
CODES = frozenset({"Enum", "Dbpos", "Tcmd"})
DOUBLE_POINT = {"00": 0, "01": 1, "10": 2, "11": 3}
"""Dbpos as some files write it: two bits."""

N = TypeVar("N", int, float)
Value = bool | int | float | str


def value_of(attribute: Attribute, text: str) -> Value | None:
    """Return what ``text`` means for an attribute, None where it means nothing."""
    text = text.strip()
    if attribute.b_type == "BOOLEAN":
        return True if text.lower() in TRUE else False if text.lower() in FALSE else None
    if attribute.b_type in CODES:
        return code_of(attribute, text)
    if attribute.b_type in FLOATS:
        return _number(text, float)
    if attribute.b_type.startswith("INT"):
        return _number(text, int)
    return text


def code_of(attribute: Attribute, text: str) -> int | None:
    """Return the code of an enum's label, or the code as written."""
    for code, label in attribute.states.items():
        if label == text:
            return code
    if attribute.b_type == "Dbpos" and text in DOUBLE_POINT:
        return DOUBLE_POINT[text]
    return _number(text, int)


def _number(text: str, read: Callable[[str], N]) -> N | None:
    try:
        return read(text[:40])
    except ValueError:
        return None
