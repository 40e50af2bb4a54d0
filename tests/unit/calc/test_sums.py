"""Sums of many points share tables; what does anything besides is calculated as before."""

from collections.abc import Sequence

import pytest

from calculating import F64, I64, Little, known
from otgate.calc.meaning import meaning
from otgate.calc.parse import parse
from otgate.calc.sums import MOST_FILLED, summands, tables


def of(text: str) -> Sequence[str] | None:
    return summands(meaning(parse(text), known(a=F64, b=F64, c=F64, i=I64)).term)


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("d/a + d/b", ["d/a", "d/b"]),
        ("d/a + d/b + d/a + d/c", ["d/a", "d/b", "d/a", "d/c"]),
        ("sum(d/a, d/b, d/c)", ["d/a", "d/b", "d/c"]),
        ("sum(d/a, d/b) + d/c", ["d/a", "d/b", "d/c"]),
    ],
)
def test_points_that_are_added_up_from_the_left_are_a_sum(text: str, points: list[str]) -> None:
    assert list(of(text) or ()) == points


@pytest.mark.parametrize(
    "text",
    [
        "d/a", "d/a + 1", "d/a - d/b", "d/a + d/b * d/c", "d/a + (d/b + d/c)", "-d/a + d/b",
        "d/i + d/i", "d/a + d/i", "d/i + d/i + d/a", "mean(d/a, d/b)",
    ],
)  # fmt: skip
def test_whatever_else_is_in_a_formula_is_calculated_as_it_stands(text: str) -> None:
    assert of(text) is None


def test_formulas_of_about_as_many_points_share_a_table() -> None:
    sums = {f"f{count}": ["p"] * count for count in (100, 99, 98, 97)}
    assert [len(one) for one in tables(sums)] == [4]


def test_few_long_ones_do_not_fill_up_many_short_ones() -> None:
    sums = {f"pair{number}": ["p"] * 2 for number in range(500)} | {"long": ["p"] * 900}
    found = [*tables(sums)]
    assert sorted(path for one in found for path in one) == sorted(sums)
    for one in found:
        places = len(one) * max(len(sums[path]) for path in one)
        assert places <= max(MOST_FILLED, 2 * sum(len(sums[path]) for path in one))


def test_sums_of_different_lengths_each_have_their_own() -> None:
    points = {f"d/p{number}": F64 for number in range(4)}
    little = Little(points, {"two": "d/p0 + d/p1", "four": "d/p0 + d/p1 + d/p2 + d/p3"})
    little.read(1, p0=1.0, p1=2.0, p2=3.0, p3=4.0)
    assert (little.last("two")[0], little.last("four")[0]) == (3.0, 10.0)
    little.read(2, p3=5.0)
    assert little.last("four")[0] == 11.0
    assert len(little.got["two"]) == 1


def test_a_sum_of_sums_follows_them() -> None:
    little = Little({"d/a": F64, "d/b": F64}, {"x": "d/a + d/b", "y": "c/x + d/a"})
    little.read(1, a=1.0, b=2.0)
    assert little.last("y")[0] == 4.0
