"""``${name}`` in values and cells, replaced by what is known under that name."""

import re
from collections.abc import Mapping
from typing import Any

from otgate.config.nearest import did_you_mean

MARK = "${"
MAX_TEXT = 65_536
"""Characters that a text may come to."""

PLAIN = f"${MARK}"
"""How a ``${`` is written that means nothing."""

SYNTAX = re.compile(r"\$\$\{|\$\{([^{}]*)(\}?)")
Values = Mapping[str, Any]
"""Scalars by name."""


class Unfilled(Exception):
    """A text asks for a value that nobody gives: message and help."""

    def __init__(self, message: str, help_: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.help = help_


def filled(text: str, values: Values) -> Any:
    """Return a text with its values written out; one that is nothing else keeps its type.

    Raises:
        Unfilled: it asks for something that ``values`` lacks.
    """
    if MARK not in text:
        return text
    if room(text, values) > MAX_TEXT:
        raise Unfilled(f"filled in, this comes to more than {MAX_TEXT:,} characters", "use less")
    alone = SYNTAX.fullmatch(text)
    if alone and text != PLAIN:
        return value_of(alone, values)
    return SYNTAX.sub(lambda found: written_out(found, values), text)


def room(text: str, values: Values) -> int:
    """Return how many characters a text comes to at most once it is filled in."""
    marks = text.count(MARK)
    return len(text) + (marks and marks * max(map(len, map(as_text, values.values())), default=0))


def written_out(found: "re.Match[str]", values: Values) -> str:
    """Return what takes the place of one mark in a longer text."""
    return MARK if found[0] == PLAIN else as_text(value_of(found, values))


def value_of(found: "re.Match[str]", values: Values) -> Any:
    """Return the value that a mark asks for."""
    name = found[1]
    if not found[2]:
        raise Unfilled(f"`{found[0]}` is not closed", "write `${name}`; a plain `${` is `$${`")
    if name not in values:
        raise Unfilled(f"nothing gives `{name}` a value here", known(name, values))
    return values[name]


def known(name: str, values: Values) -> str:
    """Say what could be meant."""
    if not values:
        return "only a template, a block or a repeated device has values; a plain `${` is `$${`"
    return did_you_mean(name, values, otherwise="known here")


def as_text(value: Any) -> str:
    """Return a scalar as a person writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def escaped(text: str) -> str:
    """Return what is to be written for a text, so that nothing is filled in."""
    return text.replace(MARK, PLAIN)


def unescaped(text: str) -> str:
    """Return a text as it was before it was escaped."""
    return text.replace(PLAIN, MARK)


def names_in(text: str) -> frozenset[str]:
    """Return the names that a text asks for."""
    if MARK not in text:
        return frozenset()
    return frozenset(found[1] for found in SYNTAX.finditer(text) if found[0] != PLAIN)
