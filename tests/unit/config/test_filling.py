from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otgate.config.diagnostic import Diagnostics
from otgate.config.filling import (
    MAX_TEXT,
    Unfilled,
    as_text,
    escaped,
    filled,
    names_in,
    unescaped,
)
from otgate.config.point_map import Ground, read_points
from otgate.config.source import Source
from otgate.config.written import point_map
from otgate.model import Kind, Point

VALUES = {"unit": 7, "rated": 0.5, "on": True, "host": "10.0.0.5", "two": 2.0}


@pytest.mark.parametrize(("text", "value"), [("${unit}", 7), ("${rated}", 0.5), ("${on}", True)])
def test_a_text_that_is_one_value_keeps_its_type(text: str, value: Any) -> None:
    assert filled(text, VALUES) == value
    assert type(filled(text, VALUES)) is type(value)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("tcp://${host}:502", "tcp://10.0.0.5:502"),
        ("${unit}${unit}", "77"),
        (" ${on}", " yes"),
        ("${two}/5", "2/5"),
        ("$${unit}", "${unit}"),
        ("a $${unit} ${unit}", "a ${unit} 7"),
        ("$ {unit} $5 {}", "$ {unit} $5 {}"),
    ],
)
def test_within_other_text_a_value_is_written_out(text: str, meant: str) -> None:
    assert filled(text, VALUES) == meant


@pytest.mark.parametrize("text", ["${hots}", "a${}b", "${unit", "${ unit }", "${unit${unit}}"])
def test_what_nobody_gives_is_not_guessed(text: str) -> None:
    with pytest.raises(Unfilled):
        filled(text, VALUES)


def test_what_was_filled_in_is_not_filled_again() -> None:
    assert filled("${a}", {"a": "${b}", "b": "no"}) == "${b}"


def test_a_text_does_not_grow_beyond_measure() -> None:
    with pytest.raises(Unfilled, match="characters"):
        filled("${a}" * 1000, {"a": "x" * 100})
    assert len(filled("${a}", {"a": "x" * (MAX_TEXT - 4)})) == MAX_TEXT - 4


def test_names_are_those_that_are_asked_for() -> None:
    assert names_in("${a} $${b} ${c}") == {"a", "c"}
    assert names_in("a") == frozenset()


def test_a_switch_is_written_as_a_map_has_it() -> None:
    assert [as_text(value) for value in (True, False, 1e-3, 400, "x")] == [
        *("yes", "no", "0.001", "400", "x")
    ]


@given(st.text(alphabet="${}a", max_size=12))
def test_an_escaped_text_is_what_it_was(text: str) -> None:
    assert filled(escaped(text), {}) == text
    assert unescaped(escaped(text)) == text


def test_a_point_map_that_is_written_asks_for_nothing() -> None:
    point = Point("p", Kind.TEXT, name="costs ${n}", address="hr 1")
    found = Diagnostics()
    read = read_points(Source("p.csv", point_map([point])), Ground("", {"normal": 2.0}), found)
    assert read is not None
    assert [one.name for one in read.points] == ["costs ${n}"]
