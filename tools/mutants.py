"""Every small way to break a module: an operator, a constant, a condition, a statement."""

import ast
import copy
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import CodeType
from typing import NamedTuple

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE,
    ast.GtE: ast.Gt, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
    ast.FloorDiv: ast.Mult, ast.Pow: ast.Mult,
}  # fmt: skip
CALLS = {"any": "all", "all": "any", "min": "max", "max": "min"}

UNBROKEN = {"annotation", "returns", "decorator_list", "type_params"}
"""Fields that are not run, or not when the function is; defaults are not either."""

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class Mutant(NamedTuple):
    """One way to break one module."""

    module: str
    function: str
    """The outermost function that is broken, as its code knows itself: ``Automaton.run``."""
    line: int
    lines: range
    """All lines of the broken statement; of a compound one, those of its head."""
    name: str
    """How `survivors.toml` knows it: the function, the code, what it became; which of several."""
    code: CodeType
    """The broken module."""
    in_place: bool
    """Whether the code fits the function that it is to be put into: both close over the same."""


class Place(NamedTuple):
    """Where a node hangs: a field of another, and a number where that is a list."""

    parent: ast.AST
    field: str
    number: int | None
    scope: tuple[Definition, ...]
    """Classes and functions around it, outermost first."""
    lines: range

    @property
    def node(self) -> ast.AST:
        """What hangs there."""
        held: ast.AST | list[ast.AST] = getattr(self.parent, self.field)
        return held[self.number or 0] if isinstance(held, list) else held

    def put(self, node: ast.AST) -> None:
        """Hang ``node`` where another hung."""
        if self.number is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.number] = node

    @property
    def runs(self) -> bool:
        """Whether it is run by a function, not as the module is loaded."""
        return any(not isinstance(around, ast.ClassDef) for around in self.scope)

    @property
    def function(self) -> str:
        """The outermost function around it, with its classes."""
        names = []
        for around in self.scope:
            names.append(around.name)
            if not isinstance(around, ast.ClassDef):
                break
        return ".".join(names)


def mutants(path: Path) -> Iterator[Mutant]:
    """Return every mutant of a module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    whole = compile(tree, str(path), "exec")
    seen: Counter[str] = Counter()
    for place in [place for place in places(tree, (), range(0)) if place.runs]:
        node = place.node
        for other in broken(node):
            place.put(other)
            code = compile(ast.fix_missing_locations(tree), str(path), "exec")
            place.put(node)
            scope = ".".join((path.stem, *(around.name for around in place.scope)))
            name = f"{scope}: {short(node)} -> {short(other)}"
            seen[name] += 1
            name += f" ({seen[name]})" if seen[name] > 1 else ""
            line = getattr(node, "lineno", place.lines.start)
            free, was = (code_of(one, place.function).co_freevars for one in (code, whole))
            yield Mutant(path.stem, place.function, line, place.lines, name, code, free == was)


def places(parent: ast.AST, scope: tuple[Definition, ...], lines: range) -> Iterator[Place]:
    """Return where everything hangs below ``parent``."""
    for field, number, node in children(parent):
        at = statement(node) if isinstance(node, ast.stmt) else lines
        yield Place(parent, field, number, scope, at)
        yield from places(node, (*scope, node) if isinstance(node, Definition) else scope, at)


def children(parent: ast.AST) -> Iterator[tuple[str, int | None, ast.AST]]:
    """Return the nodes in the fields of one; `strict` of a `zip` is an assertion of its own."""
    for field, value in ast.iter_fields(parent):
        if field in UNBROKEN or isinstance(value, ast.arguments):
            continue
        for number, one in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(one, ast.AST) and not (
                isinstance(one, ast.keyword) and one.arg == "strict"
            ):
                yield field, number if isinstance(value, list) else None, one


def statement(node: ast.stmt) -> range:
    """Return the lines of a statement, of a compound one those of its head."""
    body = getattr(node, "body", None) or getattr(node, "cases", None)
    first = body[0].pattern if body and isinstance(body[0], ast.match_case) else body and body[0]
    end = first.lineno if first else (node.end_lineno or node.lineno) + 1
    return range(node.lineno, max(end, node.lineno + 1))


def broken(node: ast.AST) -> Iterator[ast.AST]:
    """Return what one node could be instead."""
    match node:
        case ast.BoolOp(values=values):
            yield from (without(node, values, number) for number in range(len(values)))
        case ast.IfExp(body=body, orelse=orelse):
            yield from (body, orelse)
        case ast.If(test=ast.Call() | ast.Name() | ast.Attribute()):
            yield altered(node, test=ast.UnaryOp(ast.Not(), node.test))
        case ast.comprehension(ifs=[_, *_]):
            yield altered(node, ifs=[])
        case ast.Continue():
            yield ast.Break()
        case ast.Expr(value=ast.Call() | ast.Yield() | ast.YieldFrom()):
            yield ast.Pass()
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            yield ast.Return(ast.Constant(None))
        case _:
            yield from swapped(node)


def swapped(node: ast.AST) -> Iterator[ast.AST]:
    """Return what an operator, a constant or a call could be instead."""
    match node:
        case ast.Compare(ops=[op]) if type(op) in COMPARISONS:
            yield altered(node, ops=[COMPARISONS[type(op)]()])
        case ast.UnaryOp(op=ast.Not() | ast.Invert() | ast.USub(), operand=operand):
            yield operand
        case ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in OPERATORS:
            yield altered(node, op=OPERATORS[type(op)]())
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value) | float(value)):
            yield ast.Constant(value + 1)
        case ast.Call(func=ast.Name(id=name)) if name in CALLS:
            yield altered(node, func=ast.Name(CALLS[name], ast.Load()))


def without(node: ast.AST, values: Sequence[ast.expr], number: int) -> ast.AST:
    """Return a chain of `and` or `or` without one of its values."""
    left = [*values[:number], *values[number + 1 :]]
    return left[0] if len(left) == 1 else altered(node, values=left)


def altered(node: ast.AST, **fields: object) -> ast.AST:
    """Return a copy of ``node`` with other fields."""
    twin = copy.copy(node)
    for name, value in fields.items():
        setattr(twin, name, value)
    return twin


def short(node: ast.AST) -> str:
    """Return the first line of the code of ``node``."""
    if isinstance(node, ast.comprehension):
        ifs = "".join(f" if {ast.unparse(one)}" for one in node.ifs)
        return f"for {ast.unparse(node.target)} in {ast.unparse(node.iter)}{ifs}"
    return ast.unparse(ast.fix_missing_locations(copy.deepcopy(node))).splitlines()[0]


def code_of(code: CodeType, function: str) -> CodeType:
    """Return the code of a function of a module, by the name that it knows itself by."""
    for part in code.co_consts:
        if isinstance(part, CodeType):
            if part.co_qualname == function:
                return part
            if function.startswith(f"{part.co_qualname}."):
                return code_of(part, function)
    raise LookupError(function)
