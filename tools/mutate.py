"""Break the policy package in small ways, one at a time, and see whether a test notices.

Run it: python tools/mutate.py [MODULE…], such as `decide globs`; `make mutation` takes all modules.
Each mutant is a forked child that loads the broken module and runs the policy's tests: those of the
module first, all others only where these notice nothing. `survivors.toml` beside this file says of
mutants that nothing notices why that is right; any other survivor makes the exit code 1.
"""

import argparse
import ast
import copy
import importlib.util
import os
import resource
import signal
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pydantic
import pytest
import yaml

WARM = (msgspec, np, pydantic, yaml)
"""Loaded once, before the forks."""

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "gateway/otgate/policy"
EXPLAINED = Path(__file__).parent / "survivors.toml"
CPU_S = 60
"""A mutant that runs longer does not end: noticed."""

QUIET = ("-x", "-q", "-p", "no:cacheprovider", "-p", "no:looptime_plugin", "-m", "not slow")
OWN = {
    "assertions": ("test_assertions",),
    "crossing": ("test_gate", "test_checks"),
    "difference": ("test_changes",),
    "prover": ("test_proof", "test_gains"),
    "region": ("test_region", "test_solver", "test_proof"),
    "solver": ("test_solver", "test_proof", "test_gains"),
    "wording": ("test_proof", "test_assertions"),
}
"""Tests that notice most of what is wrong with a module; others have one of their own name."""

FAR = (
    "tests/property/test_policy.py",
    "tests/property/test_policy_prover.py",
    "tests/property/test_policy_pace.py",
    "tests/property/test_policy_rounding.py",
    "tests/unit/cli/test_policy.py",
    "tests/unit/cli/test_policy_diff.py",
    "tests/unit/cli/test_policy_prove.py",
)

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


Place = tuple[ast.AST, str, int | None]
"""A node, one of its fields, and a number where that is a list: where another node hangs."""


class Mutant(NamedTuple):
    """One way to break one module."""

    module: str
    line: int
    name: str
    """How `survivors.toml` knows it: the module, the code, and what it became."""
    tree: ast.Module


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
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            yield ast.Return(ast.Constant(None))
        case _:
            yield from swapped(node)


def swapped(node: ast.AST) -> Iterator[ast.AST]:
    """Return what an operator, a constant or a call could be instead."""
    match node:
        case ast.Compare(ops=[op]) if type(op) in COMPARISONS:
            yield altered(node, ops=[COMPARISONS[type(op)]()])
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.BinOp(op=op) if type(op) in OPERATORS:
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


def places(tree: ast.Module) -> Iterator[tuple[Place, str]]:
    """Return where everything hangs that runs in a function, and the function's name."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            for number, statement in enumerate(function.body):
                yield (function, "body", number), function.name
                for parent in ast.walk(statement):
                    yield from ((place, function.name) for place in children(parent))


def children(parent: ast.AST) -> Iterator[Place]:
    """Return where the children of a node hang, but for annotations and nested functions."""
    for field, value in ast.iter_fields(parent):
        if field in {"annotation", "returns"} or isinstance(parent, ast.JoinedStr | ast.Expr):
            continue
        if isinstance(value, list):
            yield from (
                (parent, field, n) for n, one in enumerate(value) if isinstance(one, ast.AST)
            )
        elif isinstance(value, ast.AST):
            yield parent, field, None


def mutants(module: str) -> Iterator[Mutant]:
    """Return every mutant of a module."""
    tree = ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))
    seen = {(id(place[0]), *place[1:]): (place, name) for place, name in places(tree)}
    for (parent, field, number), name in seen.values():
        held = getattr(parent, field)
        node = held if number is None else held[number]
        for other in broken(node):
            put(parent, field, number, other)
            broken_tree = ast.fix_missing_locations(copy.deepcopy(tree))
            put(parent, field, number, node)
            line = getattr(node, "lineno", getattr(parent, "lineno", 0))
            said = f"{module}.{name}: {short(node)} -> {short(other)}"
            yield Mutant(module, line, said, broken_tree)


def put(parent: ast.AST, field: str, number: int | None, node: ast.AST) -> None:
    """Hang ``node`` where another hung."""
    if number is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[number] = node


def short(node: ast.AST) -> str:
    """Return the first line of the code of ``node``."""
    if isinstance(node, ast.comprehension):
        ifs = "".join(f" if {ast.unparse(one)}" for one in node.ifs)
        return f"for {ast.unparse(node.target)} in {ast.unparse(node.iter)}{ifs}"
    return ast.unparse(ast.fix_missing_locations(copy.deepcopy(node))).splitlines()[0]


class Broken:
    """Finds one module broken, and every other as it is."""

    def __init__(self, mutant: Mutant) -> None:
        self.name = f"otgate.policy.{mutant.module}"
        self.tree = mutant.tree

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        """Return how to load the broken module."""
        return importlib.util.spec_from_loader(name, self) if name == self.name else None  # type: ignore[arg-type]  # duck-typed, as importlib takes it

    def create_module(self, _: ModuleSpec) -> None:
        """Leave the module object to importlib."""

    def exec_module(self, module: object) -> None:
        """Run the broken code in ``module``."""
        exec(compile(self.tree, self.name, "exec"), vars(module))  # noqa: S102  that is the point


def begin(mutant: Mutant, later: Sequence[Sequence[str]]) -> int:
    """Fork a child that runs the tests on ``mutant``; it ends 0 if nothing notices.

    ``later`` are the tests after the module's own.
    """
    child = os.fork()
    if child:
        return child
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S + 1))
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    sys.meta_path.insert(0, Broken(mutant))  # type: ignore[arg-type]  # duck-typed
    own = [f"tests/unit/policy/{name}.py" for name in OWN.get(mutant.module, ())]
    usual = f"tests/unit/policy/test_{mutant.module}.py"
    own += [usual] if (ROOT / usual).exists() and usual not in own else []
    noticed = any(pytest.main([*QUIET, *files]) for files in (own, *later) if files)
    os._exit(int(noticed))


def survivors(
    found: Sequence[Mutant], jobs: int, later: Sequence[Sequence[str]]
) -> Iterator[Mutant]:
    """Run all mutants, some at a time, and return those that nothing noticed."""
    waiting, running = list(reversed(found)), dict[int, Mutant]()
    while waiting or running:
        while waiting and len(running) < jobs:
            mutant = waiting.pop()
            running[begin(mutant, later)] = mutant
        child, status = os.wait()
        mutant = running.pop(child)
        done = len(found) - len(waiting) - len(running)
        print(f"{done}/{len(found)}", end="\r", file=sys.stderr, flush=True)
        if os.waitstatus_to_exitcode(status) == 0:
            print(f"survived  {mutant.module}.py:{mutant.line}  {mutant.name}", flush=True)
            yield mutant


def main() -> int:
    """Break what is asked for, and say what nothing noticed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", help="all but __init__ where none is named")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--unit", action="store_true", help="leave out property and CLI tests")
    options = parser.parse_args()
    os.chdir(ROOT)
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = tempfile.mkdtemp(prefix="mutate-")
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    modules = options.modules or sorted(path.stem for path in PACKAGE.glob("[a-z]*.py"))
    found = [mutant for module in modules for mutant in mutants(module)]
    explained = tomllib.loads(EXPLAINED.read_text(encoding="utf-8"))
    later = [["tests/unit/policy"]] if options.unit else [["tests/unit/policy"], FAR]
    whole = ast.parse((PACKAGE / "finding.py").read_text(encoding="utf-8"))
    if not list(survivors([Mutant("finding", 0, "(nothing is broken)", whole)], 1, later)):
        print("the tests fail without a mutant")
        return 1
    left = list(survivors(found, options.jobs, later))
    odd = [mutant for mutant in left if mutant.name not in explained]
    print(f"{len(found)} mutants, {len(left)} survive, {len(odd)} of them unexplained")
    return 1 if odd else 0


if __name__ == "__main__":
    sys.exit(main())
