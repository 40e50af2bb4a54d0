"""The words of an expression. Linear in its length; nothing of it is ever executed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from otgate.calc.tree import BadExpression, Span

LONGEST = 2000
"""Characters of an expression."""

TOKEN = re.compile(
    r"""\s*(?:
        (?P<path>[a-z0-9_][a-z0-9_-]*/[a-z0-9_-]+)
      | (?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)
      | (?P<word>"[^"]*"|'[^']*')
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<sign><=|>=|==|!=|[-+*/^<>(),])
      | (?P<end>$)
    )""",
    re.VERBOSE,
)
"""A path goes first, so that ``f1/p`` is a point wherever it stands."""

MEANT = {
    "=": "equality is written `==`",
    "!": "write `not`, or `!=`",
    "&": "write `and`",
    "|": "write `or`",
    "?": "write `if(condition, this, that)`",
    "%": "write a part as a number, e.g. `0.05`",
    "[": "write `(` and `)`",
    "{": "write `(` and `)`",
    ".": "a number begins with a digit, e.g. `0.5`",
    ";": "operands are separated by `,`",
}
QUOTES = frozenset("\"'")


@dataclass(frozen=True, slots=True)
class Token:
    """One word: what kind it is, as it is written, and where."""

    kind: str
    text: str
    span: Span


def tokens(text: str) -> Iterator[Token]:
    """Yield the words of ``text``; the last is of kind ``end``.

    Raises:
        BadExpression: it is too long, or a character has no meaning.
    """
    if len(text) > LONGEST:
        message = f"{len(text)} characters; an expression has at most {LONGEST}"
        raise BadExpression("bad-expression", message, "part it into several points", (0, 1))
    at, kind = 0, ""
    while kind != "end":
        found = TOKEN.match(text, at)
        if found is None:
            raise unknown(text, at)
        kind = found.lastgroup or ""
        yield Token(kind, found.group(kind), found.span(kind))
        at = found.end()


def unknown(text: str, at: int) -> BadExpression:
    """Say that the next character means nothing, and what was probably meant."""
    at += len(text[at:]) - len(text[at:].lstrip())
    character = text[at]
    if character in QUOTES:
        message, help_ = "the text that begins here does not end", f"close it with `{character}`"
        return BadExpression("bad-expression", message, help_, (at, len(text)))
    help_ = MEANT.get(character, "points are written `device/point`")
    return BadExpression("bad-expression", f"`{character}` means nothing here", help_, (at, at + 1))
