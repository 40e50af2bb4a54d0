import math
import time
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from otgate.config import yaml_text
from otgate.config.diagnostic import Diagnostics
from otgate.config.source import Source
from otgate.config.yaml_text import Tree, read_yaml, resolve


def read(text: str) -> tuple[Tree | None, list[str]]:
    found = Diagnostics()
    tree = read_yaml(Source("f.yaml", text), found)
    return tree, [one.code for one in found]


def tree_of(text: str) -> Tree:
    tree, said = read(text)
    assert tree is not None
    assert not said
    return tree


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("no", "no"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("010", 10),
        ("-7", -7),
        ("0x1F", 31),
        ("0o17", 15),
        ("0b1", "0b1"),
        ("1_000", "1_000"),
        ("12:30:00", "12:30:00"),
        ("2027-11-30", "2027-11-30"),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("-.inf", -math.inf),
        ("1.2.3", "1.2.3"),
        ("=", "="),
        ("<<", "<<"),
    ],
)
def test_a_plain_scalar_means_what_yaml_1_2_says(text: str, value: Any) -> None:
    found = resolve(text)
    assert found == value
    assert type(found) is type(value)


def test_a_thousand_digits_are_text_and_cost_nothing() -> None:
    assert resolve("9" * 5000) == "9" * 5000


def test_quoted_scalars_are_text() -> None:
    assert tree_of("""a: "1"\nb: '2'\nc: |\n  3\nd: 4""").value == {
        "a": "1",
        "b": "2",
        "c": "3\n",
        "d": 4,
    }


def test_every_key_and_value_has_its_place() -> None:
    tree = tree_of("site:\n  id: sub7\ndevices:\n  - id: f3\n")
    assert (tree.keys["site", "id"].line, tree.keys["site", "id"].column) == (2, 3)
    at = tree.values["site", "id"]
    assert (at.line, at.column, at.end_column) == (2, 7, 11)
    assert tree.at("devices", 0, "id").line == 4


def test_what_is_not_in_the_file_is_at_what_encloses_it() -> None:
    tree = tree_of("site:\n  id: sub7\n")
    assert tree.at("site", "gateway", "x") == tree.keys["site",]
    assert tree.at("nothing").line == 1


def test_columns_count_characters_not_bytes() -> None:
    tree = tree_of("{größe: 1, x: 2}")
    assert tree.keys["x",].column == 12


def test_windows_line_ends_do_not_move_lines() -> None:
    assert tree_of("a: 1\r\nb: 2\r\n").keys["b",].line == 2


def test_the_first_of_equal_keys_counts() -> None:
    tree, said = read("a: 1\na: {a: 2, a: 3}\nb: 4")
    assert tree is not None
    assert tree.value == {"a": 1, "b": 4}
    assert said == ["duplicate-key", "duplicate-key"]


def test_duplicates_inside_duplicates_do_not_nest_without_end() -> None:
    text = "{a: 1, a: " * 500 + "1" + "}" * 500
    assert read(text)[1][-1] == "too-deep"


def test_deep_nesting_ends_early() -> None:
    started = time.process_time()
    assert read("[" * 200_000)[1] == ["too-deep"]
    assert read("a:\n" + "".join(" " * n + "- \n" for n in range(1, 300)))[1] == ["too-deep"]
    assert time.process_time() - started < 2


def test_more_values_than_any_real_file_has_are_not_read() -> None:
    assert read("[" + "1," * 300_000 + "]")[1] == ["file-too-large"]


def test_billions_of_laughs_are_not_heard() -> None:
    laughs = "a0: &a0 [x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
    )
    tree, said = read(laughs)
    assert tree is None
    assert set(said) == {"yaml-alias"}


def test_the_pure_python_parser_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: [1, on, 'x']\nb: {c: 2}\n"
    fast = tree_of(text)
    monkeypatch.setattr(yaml_text, "LOADER", yaml.SafeLoader)
    slow = tree_of(text)
    assert (slow.value, slow.keys, slow.values) == (fast.value, fast.keys, fast.values)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    tree, said = read(text)
    assert (tree is None) <= bool(said)
