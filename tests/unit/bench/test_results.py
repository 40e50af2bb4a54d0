"""Figures of benchmarks end up beside one another in one file."""

import json
from collections.abc import Callable
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest

BENCH = Path(__file__).parents[2] / "bench"
META = {"python", "machine", "cpu", "cpus", "load", "date", "commit"}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "build" / "bench.json"
    monkeypatch.setenv("BENCH_JSON", str(path))
    return path


@pytest.fixture
def record() -> Callable[..., None]:
    found: Any = run_path(str(BENCH / "results.py"))["record"]
    return found


def test_a_section_is_replaced_and_the_others_stay(file: Path, record: Callable[..., None]) -> None:
    record("one", {"old": 1})
    record("two", {"b": 2})
    record("one", {"a": 1})
    found = json.loads(file.read_text())
    assert found.pop("meta").keys() == META
    assert found == {"one": {"a": 1}, "two": {"b": 2}}
    assert list(file.parent.iterdir()) == [file]


def test_a_file_cut_short_is_begun_anew(file: Path, record: Callable[..., None]) -> None:
    file.parent.mkdir()
    file.write_text('{"meta": ')
    record("one", {"a": 1})
    assert json.loads(file.read_text())["one"] == {"a": 1}
