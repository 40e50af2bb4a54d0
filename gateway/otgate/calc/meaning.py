"""What an expression means over the points of a site: each part typed, its units held together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from otgate.calc.tree import BadExpression, Call, Name, Node, Number, Span, Truth, Word, names
from otgate.calc.units import (
    Unit,
    agreed,
    clash,
    multiplied,
    raised,
    rooted,
    scaled,
)
from otgate.model import ValueType

MOST_POWER = 8


@dataclass(frozen=True, slots=True)
class Term:
    """A part of a formula, typed: an operation over parts, a point, or a constant.

    Equal terms calculate the same. U64 points are read as I64: what is beyond has no value.
    """

    operation: str
    kind: ValueType
    parts: "tuple[Term, ...]" = ()
    value: Any = None
    """The path of a point; the value of a constant."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a point that an expression names."""

    kind: ValueType
    unit: Unit | None = None
    states: Mapping[int, str] = field(default_factory=dict)
    flags: bool = False


@dataclass(frozen=True, slots=True)
class Meaning:
    """A part with its unit and states. ``literal`` parts take whatever unit they meet."""

    term: Term
    span: Span
    unit: Unit | None = None
    states: Mapping[int, str] = field(default_factory=dict)
    literal: bool = False
    word: str | None = None
    """A text that is not yet a state or a text point's value."""


class Site(Protocol):
    """What expressions are read over."""

    def point(self, name: Name) -> Known:
        """Return what is known of a point.

        Raises:
            BadExpression: there is none.
        """

    def doubt(self, message: str, help_: str, span: Span) -> None:
        """Say what is probably a mistake with units."""


def meaning(node: Node, site: Site) -> Meaning:
    """Return what an expression means.

    Raises:
        BadExpression: it means nothing, or adds what cannot be added.
    """
    found = Reader(site).read(node)
    if found.word is not None or found.term.kind is ValueType.TEXT:
        message = "a calculated point is a number, or true or false; this is a text"
        raise BadExpression("wrong-operand", message, 'compare it: `== "…"`', found.span)
    if next(names(node), None) is None:
        message = "nothing of it is ever read from a device"
        raise BadExpression("wrong-operand", message, "name a point: `device/point`", found.span)
    return found


REAL, WHOLE, TRUTH, TEXT = ValueType.F64, ValueType.I64, ValueType.BOOL, ValueType.TEXT
NUMBERS = frozenset({REAL, WHOLE})
WORDS = {REAL: "a number", WHOLE: "a whole number", TRUTH: "true or false", TEXT: "a text"}


class Reader:
    """Reads a tree from its leaves."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def read(self, node: Node) -> Meaning:
        """Return the meaning of a part."""
        if isinstance(node, Call):
            return self._call(node)
        if isinstance(node, Name):
            return self._point(node)
        if isinstance(node, Word):
            return Meaning(Term("constant", TEXT, value=node.text), node.span, word=node.text)
        kind = kind_of(node)
        return Meaning(Term("constant", kind, value=node.value), node.span, literal=True)

    def _point(self, name: Name) -> Meaning:
        known = self._site.point(name)
        if known.flags:
            message = f"`{name.path}` is a set of flags, which nothing can be calculated from yet"
            raise BadExpression("wrong-operand", message, "read its bits as points", name.span)
        kind = WHOLE if known.kind is ValueType.U64 else known.kind
        return Meaning(Term("point", kind, value=name.path), name.span, known.unit, known.states)

    def _call(self, node: Call) -> Meaning:
        rule = RULES.get(node.name)
        if rule is None:
            raise unknown_function(node)
        least, most, read = rule
        if not least <= len(node.operands) <= most:
            wanted = f"{least}" if least == most else f"at least {least}"
            message = f"`{node.name}` takes {wanted} operands, not {len(node.operands)}"
            raise BadExpression("wrong-operand", message, SHAPES.get(node.name, ""), node.span)
        return read(self, node, [self.read(operand) for operand in node.operands])

    # Rules, one per operation

    def added(self, node: Call, given: Sequence[Meaning]) -> Meaning:
        """Read a sum or a difference, the least, the greatest, or the mean of many."""
        for one in given:
            number(one)
        kind = REAL if node.name == "mean" else common(given)
        unit = self._together(given)
        return Meaning(term(node, kind, given), node.span, unit, literal=all_literal(given))

    def product(self, node: Call, given: Sequence[Meaning]) -> Meaning:
        """Read a product or a quotient; a plain number beside a unit may convert it."""
        left, right = (number(one) for one in given)
        kind = REAL if node.name == "/" else common(given)
        if right.literal and not left.literal:
            unit = scaled(left.unit)
        elif left.literal and not right.literal:
            unit = scaled(right.unit if node.name == "*" else raised(right.unit, -1))
        else:
            unit = multiplied(left.unit, right.unit, 1 if node.name == "*" else -1)
        return Meaning(term(node, kind, given), node.span, unit, literal=all_literal(given))

    def power(self, node: Call, given: Sequence[Meaning]) -> Meaning:
        """Read a product of equals."""
        base, exponent = number(given[0]), given[1].term
        if exponent.operation != "constant" or exponent.value not in range(2, MOST_POWER + 1):
            message = "an exponent is a whole number as written"
            help_ = f"from 2 to {MOST_POWER}; a root is `sqrt(…)`"
            raise BadExpression("wrong-operand", message, help_, given[1].span)
        made = term(node, base.term.kind, given)
        return replace(base, term=made, span=node.span, unit=raised(base.unit, exponent.value))

    def signed(self, node: Call, given: Sequence[Meaning]) -> Meaning:
        """Read a negative or absolute value."""
        inner = number(given[0])
        return replace(inner, term=term(node, inner.term.kind, given), span=node.span)

    def root(self, node: Call, given: Sequence[Meaning]) -> Meaning:
        """Read a square root."""
        inner = number(given[0])
        return replace(inner, term=term(node, REAL, given), span=node.span, unit=rooted(inner.unit))

    def compared(self, node: Call, given: Sequence[Meaning]) -> Meaning:
        """Read an order of numbers."""
        for one in given:
            number(one)
        self._together(given)
        return Meaning(term(node, TRUTH, given), node.span)

    def equal(self, node: Call, given: Sequence[Meaning]) -> Meaning:
        """Read an equality: of numbers, of states and their labels, of texts, of truths."""
        left, right = given
        left, right = labelled(left, right), labelled(right, left)
        coded(left, right)
        if {left.term.kind, right.term.kind} <= NUMBERS:
            self._together((left, right))
        elif left.term.kind is not right.term.kind:
            kinds = f"{WORDS[left.term.kind]} and {WORDS[right.term.kind]}"
            message = f"{kinds} are never equal"
            raise BadExpression("wrong-operand", message, HINTS.get(right.term.kind, ""), node.span)
        return Meaning(term(node, TRUTH, (left, right)), node.span)

    def logical(self, node: Call, given: Sequence[Meaning]) -> Meaning:
        """Read `and`, `or` and `not`."""
        for one in given:
            truth(one)
        return Meaning(term(node, TRUTH, given), node.span)

    def chosen(self, node: Call, given: Sequence[Meaning]) -> Meaning:
        """Read `if`: both branches are of one kind and unit."""
        condition, left, right = given
        truth(condition)
        left, right = labelled(left, right), labelled(right, left)
        kinds = {left.term.kind, right.term.kind}
        if left.states or right.states:
            if left.states != right.states and not (left.literal or right.literal):
                message = "the branches have other states"
                raise BadExpression("wrong-operand", message, "choose between like", node.span)
        elif len(kinds) > 1 and not kinds <= NUMBERS:
            message = f"one branch is {WORDS[left.term.kind]}, the other {WORDS[right.term.kind]}"
            raise BadExpression("wrong-operand", message, "choose between like", node.span)
        kind = left.term.kind if len(kinds) == 1 else REAL
        unit = self._together((left, right)) if kinds <= NUMBERS else None
        made = term(node, kind, (condition, left, right))
        literal = left.literal and right.literal
        return Meaning(made, node.span, unit, left.states or right.states, literal=literal)

    def valid(self, node: Call, given: Sequence[Meaning]) -> Meaning:
        """Read whether a value is there and is not invalid."""
        if given[0].literal or given[0].word is not None:
            message = "a constant is always valid"
            raise BadExpression("wrong-operand", message, "name a point", given[0].span)
        return Meaning(term(node, TRUTH, given), node.span)

    def _together(self, given: Sequence[Meaning]) -> Unit | None:
        """Return the one unit of values that are added or compared.

        Raises:
            BadExpression: their units clash.
        """
        unit: Unit | None = None
        for one in given:
            if one.literal:
                continue
            if found := clash(unit, one.unit):
                if found.sure:
                    raise BadExpression("unit-clash", found.message, found.help, one.span)
                self._site.doubt(found.message, found.help, one.span)
            unit = agreed(unit, one.unit)
        return unit


Rule = tuple[int, int, Callable[[Reader, Call, Sequence[Meaning]], Meaning]]
"""How many operands an operation takes, at least and at most, and how it is read."""

MANY = 100

RULES: Mapping[str, Rule] = {
    **dict.fromkeys(("+", "-"), (2, 2, Reader.added)),
    **dict.fromkeys(("*", "/"), (2, 2, Reader.product)),
    "^": (2, 2, Reader.power),
    **dict.fromkeys(("min", "max", "mean", "sum"), (2, MANY, Reader.added)),
    **dict.fromkeys(("<", "<=", ">", ">="), (2, 2, Reader.compared)),
    **dict.fromkeys(("==", "!="), (2, 2, Reader.equal)),
    **dict.fromkeys(("and", "or"), (2, 2, Reader.logical)),
    "not": (1, 1, Reader.logical),
    **dict.fromkeys(("negative", "abs"), (1, 1, Reader.signed)),
    "sqrt": (1, 1, Reader.root),
    "if": (3, 3, Reader.chosen),
    "valid": (1, 1, Reader.valid),
}
FUNCTIONS = ("abs", "if", "max", "mean", "min", "sqrt", "sum", "valid")
SHAPES = {
    "if": "`if(condition, this, that)`",
    "valid": "`valid(f1/p)`",
    **{name: f"`{name}(f1/p, f2/p)`" for name in ("min", "max", "mean", "sum")},
}
HINTS = {
    TEXT: "a text is compared with a point that has states, or that is a text",
    WHOLE: "true or false is not compared with a number: write the point alone, or `not`",
    REAL: "true or false is not compared with a number: write the point alone, or `not`",
}


def kind_of(node: Number | Truth) -> ValueType:
    """Return the type of a constant as it is written."""
    if isinstance(node, Truth):
        return TRUTH
    return REAL if isinstance(node.value, float) else WHOLE


def term(node: Call, kind: ValueType, given: Sequence[Meaning]) -> Term:
    """Return an operation over its parts."""
    return Term(node.name, kind, tuple(one.term for one in given))


def all_literal(given: Sequence[Meaning]) -> bool:
    """Tell whether no point takes part."""
    return all(one.literal for one in given)


def common(given: Sequence[Meaning]) -> ValueType:
    """Return the type of a calculation: whole if all of it is."""
    return WHOLE if all(one.term.kind is WHOLE for one in given) else REAL


def number(given: Meaning) -> Meaning:
    """Accept a number that is no code of a state.

    Raises:
        BadExpression: it is something else.
    """
    if given.states:
        labels = ", ".join(f"`{label}`" for label in list(given.states.values())[:4])
        help_ = f"compare it with one of its states: {labels}"
        raise BadExpression("wrong-operand", "a state is no number", help_, given.span)
    if given.term.kind in NUMBERS:
        return given
    help_ = "write `if(…, 1, 0)`" if given.term.kind is TRUTH else "a text is only compared"
    what = f"expected a number, this is {WORDS[given.term.kind]}"
    raise BadExpression("wrong-operand", what, help_, given.span)


def truth(given: Meaning) -> Meaning:
    """Accept what is true or false.

    Raises:
        BadExpression: it is something else.
    """
    if given.term.kind is TRUTH:
        return given
    what = f"expected true or false, this is {WORDS[given.term.kind]}"
    raise BadExpression("wrong-operand", what, "compare it, e.g. `> 0`", given.span)


def labelled(given: Meaning, other: Meaning) -> Meaning:
    """Return a text beside a point with states as the code, or the truth, that it labels.

    Raises:
        BadExpression: no state is called so.
    """
    if given.word is None or not other.states:
        return given
    codes = {label: code for code, label in other.states.items()}
    if given.word not in codes:
        known = ", ".join(f"`{label}`" for label in codes)
        message = f"no state is called `{given.word}`"
        raise BadExpression("wrong-operand", message, f"there are {known}", given.span)
    code = codes[given.word]
    value = bool(code) if other.term.kind is TRUTH else code
    made = Term("constant", other.term.kind, value=value)
    return Meaning(made, given.span, states=other.states, literal=True)


def coded(left: Meaning, right: Meaning) -> None:
    """Refuse to compare states of different points, unless they are called alike."""
    if left.states and right.states and left.states != right.states:
        message = "the two have other states"
        raise BadExpression("wrong-operand", message, "compare each with a label", right.span)


def unknown_function(node: Call) -> BadExpression:
    """Say that there is no such function."""
    known = ", ".join(f"`{name}`" for name in FUNCTIONS)
    start = node.span[0]
    return BadExpression(
        "bad-expression",
        f"there is no function `{node.name}`",
        f"there are {known}",
        (start, start + len(node.name)),
    )
