"""From words to a tree, by the binding power of each operator (a Pratt parser)."""

from otgate.calc.tokens import Token, tokens
from otgate.calc.tree import BadExpression, Call, Name, Node, Number, Span, Truth, Word

MOST_PARTS = 200
"""Operands and operators of one expression, which bounds the work of every later step."""

DEEPEST = 24
"""Brackets within brackets, and signs before signs."""

LARGEST = 1 << 63
"""Whole numbers are held in 64 bits with a sign."""

POWERS = {
    **dict.fromkeys(("or",), 1),
    **dict.fromkeys(("and",), 2),
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">="), 4),
    **dict.fromkeys(("+", "-"), 5),
    **dict.fromkeys(("*", "/"), 6),
    "^": 8,
}
COMPARING, NOT, MINUS = 4, 3, 7

OPERATORS = frozenset({"and", "or", "not", "true", "false"})
"""Words that are no functions."""


def parse(text: str) -> Node:
    """Read an expression.

    Raises:
        BadExpression: it is not one; the first thing that is wrong.
    """
    return Parser(text).whole()


class Parser:
    """One pass over the words of an expression, one ahead."""

    def __init__(self, text: str) -> None:
        self._tokens = tokens(text)
        self._next = next(self._tokens)
        self._last = ""
        self._parts = 0
        self._depth = 0

    def whole(self) -> Node:
        """Read to the end."""
        if self._next.kind == "end":
            raise self._bad(self._next, "an expression says nothing", "e.g. `f1/p + f2/p`")
        node = self._expression(0)
        if self._next.kind != "end":
            raise self._unexpected(self._next)
        return node

    def _expression(self, weakest: int) -> Node:
        """Read operands as long as operators bind stronger than ``weakest``."""
        self._depth += 1
        if self._depth > DEEPEST:
            message = f"nested more than {DEEPEST} deep"
            raise self._bad(self._next, message, "part it into several points")
        left = self._operand()
        while (power := POWERS.get(self._next.text, 0)) > weakest and self._is_operator:
            left = self._joined(left, power)
        self._depth -= 1
        return left

    @property
    def _is_operator(self) -> bool:
        return self._next.kind in {"sign", "name"}

    def _joined(self, left: Node, power: int) -> Node:
        operator = self._taken()
        right = self._expression(power)
        if power == COMPARING and POWERS.get(self._next.text) == COMPARING and self._is_operator:
            help_ = "compare two at a time: `a < b and b < c`"
            raise self._bad(self._next, "comparisons are not chained", help_)
        return self._part(Call(operator.text, (left, right), (left.span[0], right.span[1])))

    def _operand(self) -> Node:
        divided = self._last == "/"
        token = self._taken()
        if token.kind == "path":
            return self._part(Name(token.text, token.span))
        if token.kind == "number":
            return self._part(number(token))
        if token.kind == "word":
            return self._part(Word(token.text[1:-1], token.span))
        if token.kind == "name":
            return self._named(token, divided=divided)
        if token.text == "(":
            inside = self._expression(0)
            self._expected(")", token)
            return inside
        if token.text == "-":
            return self._prefixed(token, MINUS)
        raise self._unexpected(token)

    def _named(self, token: Token, *, divided: bool) -> Node:
        if token.text in {"true", "false"}:
            return self._part(Truth(token.text == "true", token.span))
        if token.text == "not":
            return self._prefixed(token, NOT)
        if token.text in OPERATORS:
            raise self._unexpected(token)
        if self._next.text != "(":
            help_ = "points are written `device/point`, texts in quotes"
            if divided:
                help_ = "write spaces around `-` and `/` between points"
            raise self._bad(token, f"`{token.text}` alone is not a point", help_)
        return self._called(token)

    def _called(self, token: Token) -> Node:
        bracket = self._taken()
        operands: list[Node] = []
        while self._next.text != ")" or operands:
            operands.append(self._expression(0))
            if self._next.text != ",":
                break
            self._taken()
        end = self._expected(")", bracket).span[1]
        return self._part(Call(token.text, tuple(operands), (token.span[0], end)))

    def _prefixed(self, token: Token, power: int) -> Node:
        operand = self._expression(power)
        name = "negative" if token.text == "-" else token.text
        return self._part(Call(name, (operand,), (token.span[0], operand.span[1])))

    def _part(self, node: Node) -> Node:
        self._parts += 1
        if self._parts > MOST_PARTS:
            message = f"more than {MOST_PARTS} operands and operators"
            raise BadExpression("bad-expression", message, "part it into several points", node.span)
        return node

    def _taken(self) -> Token:
        token = self._next
        self._last = token.text
        if token.kind != "end":
            self._next = next(self._tokens)
        return token

    def _expected(self, sign: str, opened: Token) -> Token:
        token = self._taken()
        if token.text == sign and token.kind == "sign":
            return token
        if token.kind == "end":
            help_ = f"add `{sign}`; a formula with commas needs quotes in a `{{…}}` of YAML"
            raise self._bad(opened, "this bracket is not closed", help_)
        raise self._unexpected(token)

    def _unexpected(self, token: Token) -> BadExpression:
        if token.kind == "end":
            return self._bad(token, "the expression ends too early", "an operand is missing")
        help_ = "an operator, or spaces around `-` and `/`, may be missing"
        return self._bad(token, f"`{token.text}` does not belong here", help_)

    def _bad(self, token: Token, message: str, help_: str) -> BadExpression:
        return BadExpression("bad-expression", message, help_, wide(token.span))


def wide(span: Span) -> Span:
    """Return a place of at least one character; the end of a text has none."""
    start, end = span
    return (max(0, start - 1), start) if end <= start else span


def number(token: Token) -> Number:
    """Read a number.

    Raises:
        BadExpression: it is too large to be held.
    """
    value = int(token.text) if token.text.isdecimal() else float(token.text)
    if isinstance(value, int) and value >= LARGEST:
        raise too_large(token, "whole numbers are held in 64 bits; write it as a real, e.g. `1e20`")
    if value == float("inf"):
        raise too_large(token, "numbers go up to `1e308`")
    return Number(value, token.span)


def too_large(token: Token, help_: str) -> BadExpression:
    """Say that a number cannot be held."""
    shown = token.text if len(token.text) <= 24 else f"{token.text[:20]}…"
    return BadExpression("bad-expression", f"`{shown}` is too large", help_, token.span)
