from itertools import islice

import pytest

from otgate.config.point_columns import FIELDS, PointColumns, Texts, blank_values
from otgate.model import Kind, Point

POINTS = [
    Point("ia", Kind.MEASUREMENT, "hr 0", name="Strøm", unit="A", owner="protection"),
    Point("ib", Kind.MEASUREMENT, "hr 1", name="", unit="A", scale=0.1, owner="protection"),
    Point("cb", Kind.STATUS, "di 0", name="开关", states={0: "open"}, owner="protection"),
]
VARYING = ["id", "kind", "address", "name", "unit", "scale", "states"]


def columns(points: list[Point]) -> PointColumns:
    held = PointColumns(blank_values({"owner": "protection"}), VARYING)
    for point in points:
        held.append([getattr(point, name) for name in FIELDS])
    return held


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_packed_points_are_those_that_were_added(count: int) -> None:
    held = columns(POINTS[:count])
    assert list(islice(held, 9)) == POINTS[:count]
    held.pack()
    assert len(held) == count
    assert list(islice(held, 9)) == POINTS[:count]
    assert [held[number] for number in range(count)] == POINTS[:count]


def test_points_are_counted_from_the_end_and_sliced_as_in_a_list() -> None:
    held = columns(POINTS)
    held.pack()
    assert held[-1] == POINTS[-1]
    assert held[1:] == POINTS[1:]
    with pytest.raises(IndexError):
        held[3]


def test_texts_end_to_end_stay_apart() -> None:
    given = ["", "a", "", "Überstrom", "z"]
    texts = Texts(given)
    assert list(texts) == given
    assert (texts[-2], texts[1:3], len(texts)) == ("Überstrom", ["a", ""], 5)
    with pytest.raises(IndexError):
        texts[5]
