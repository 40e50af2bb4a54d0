"""Print percentiles of function and file sizes, and the tests' share, of this repository."""

import ast
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CODE = ("gateway", "drivers", "simulators")
MOST_FILE_LINES, MOST_FUNCTION_LINES = 500, 70
PERCENTILES = (50, 90, 99, 100)


def files(*folders: str) -> list[Path]:
    """Return the Python files below ``folders``."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def functions(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the body length in lines, without docstring, and the place of each function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body
            if ast.get_docstring(node) is not None and len(body) > 1:
                body = body[1:]
            lines = (node.end_lineno or 0) - body[0].lineno + 1
            yield lines, f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"


def length(path: Path) -> int:
    """Return a file's lines."""
    return len(path.read_text(encoding="utf-8").splitlines())


def row(name: str, sizes: Sequence[int]) -> str:
    """Format the percentiles of ``sizes``."""
    ordered = sorted(sizes) or [0]
    at = (ordered[min(len(ordered) - 1, len(ordered) * p // 100)] for p in PERCENTILES)
    return f"{name:<22}{len(sizes):>6}" + "".join(f"{size:>7}" for size in at)


def main() -> int:
    """Print the table; return 1 where a function or file is over the house limit."""
    code, tests = files(*CODE), files("tests")
    bodies = [found for path in code for found in functions(path)]
    print(f"{'lines':<22}{'count':>6}" + "".join(f"{f'p{p}':>7}" for p in PERCENTILES))
    print(row("functions", [lines for lines, _ in bodies]))
    print(row("files", [length(path) for path in code]))
    total, tested = (sum(map(length, paths)) for paths in (code, tests))
    print(f"code {total} lines, tests {tested} lines, ratio {tested / max(1, total):.2f}")
    over = [f"{place}: {lines} lines" for lines, place in bodies if lines > MOST_FUNCTION_LINES]
    over += [
        f"{path.relative_to(ROOT)}: {length(path)} lines"
        for path in code
        if length(path) > MOST_FILE_LINES
    ]
    for place in over:
        print(f"too long: {place}")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
