"""What `make mutation` breaks."""

from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

SHOWN = '''"""A module."""

LIMIT = 3


class Held:
    """A class."""

    many: int = 2

    def more(self, given: int = 4) -> bool:
        """Return whether there are more."""
        return self.many > given and (
            given != LIMIT
        )


def told(words: list[str]) -> list[str]:
    """Return the words."""
    found: list[str | None] = []
    for word in words:
        if not word:
            continue
        found.append(word + "" * 2)
    return [word for (word,) in zip(found, strict=True) if word]
'''

HEAD = "shown.told: for (word,) in zip(found, strict=True)"


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[3] / "tools"))
    return import_module("mutants")


@pytest.fixture
def found(tool: ModuleType, tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "shown.py"
    path.write_text(SHOWN, encoding="utf-8")
    return {mutant.name: mutant for mutant in tool.mutants(path)}


def broken(tool: ModuleType, mutant: Any) -> Any:
    return FunctionType(tool.code_of(mutant.code, mutant.function), {"LIMIT": 3})


def test_all_that_functions_run_is_broken_and_nothing_else(found: dict[str, Any]) -> None:
    assert list(found) == [
        "shown.Held.more: return self.many > given and given != LIMIT -> return None",
        "shown.Held.more: self.many > given and given != LIMIT -> given != LIMIT",
        "shown.Held.more: self.many > given and given != LIMIT -> self.many > given",
        "shown.Held.more: self.many > given -> self.many >= given",
        "shown.Held.more: given != LIMIT -> given == LIMIT",
        "shown.told: not word -> word",
        "shown.told: continue -> break",
        "shown.told: found.append(word + '' * 2) -> pass",
        "shown.told: word + '' * 2 -> word - '' * 2",
        "shown.told: '' * 2 -> '' + 2",
        "shown.told: 2 -> 3",
        "shown.told: return [word for word, in zip(found, strict=True) if word] -> return None",
        HEAD + " if word -> " + HEAD.removeprefix("shown.told: "),
    ]


def test_a_mutant_runs_broken(tool: ModuleType, found: dict[str, Any]) -> None:
    told = broken(tool, found["shown.told: continue -> break"])
    assert told(["a", "", "b"]) == ["a"]
    told = broken(tool, found["shown.told: not word -> word"])
    assert told(["a", "", "b"]) == []


def test_a_mutant_knows_the_lines_of_its_statement(found: dict[str, Any]) -> None:
    lines = {name.partition(": ")[2]: mutant.lines for name, mutant in found.items()}
    assert lines["given != LIMIT -> given == LIMIT"] == range(13, 16)
    assert lines["not word -> word"] == range(22, 23)


def test_two_that_look_alike_are_told_apart(tool: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "alike.py"
    path.write_text("def f(a, b):\n    return [a + 1, b + 1]\n", encoding="utf-8")
    names = [mutant.name for mutant in tool.mutants(path)]
    assert [name for name in names if ": 1 ->" in name] == [
        "alike.f: 1 -> 2",
        "alike.f: 1 -> 2 (2)",
    ]
    assert len(set(names)) == len(names) == 5
