"""What an expression says, before anybody knows what its points are; each part with its place."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias


class BadExpression(Exception):
    """What is wrong with an expression, from character ``start`` to before ``end``."""

    def __init__(self, code: str, message: str, help_: str, span: "Span") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.help = help_
        self.span = span


Span: TypeAlias = tuple[int, int]
"""The first character of a part, and the one after its last."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number as written: whole, or with a point or an exponent."""

    value: int | float
    span: Span


@dataclass(frozen=True, slots=True)
class Word:
    """A text in quotes: the label of a state, or what a text point says."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Truth:
    """``true`` or ``false``."""

    value: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Name:
    """A point, by ``device/point``."""

    path: str
    span: Span


@dataclass(frozen=True, slots=True)
class Call:
    """An operator or a function with its operands: ``+``, ``not``, ``max``, ``if``."""

    name: str
    operands: "Sequence[Node]"
    span: Span


Node: TypeAlias = Number | Word | Truth | Name | Call


def names(node: Node) -> Iterator[Name]:
    """Yield every point that is named, as often as it is."""
    if isinstance(node, Name):
        yield node
    elif isinstance(node, Call):
        for operand in node.operands:
            yield from names(operand)
