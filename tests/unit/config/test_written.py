"""What is written for a site is read as it was meant."""

from types import MappingProxyType

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from otgate.config.diagnostic import Diagnostics
from otgate.config.point_map import Ground, read_points
from otgate.config.source import UNWANTED, Source
from otgate.config.written import device_entry, point_map, written
from otgate.config.yaml_text import read_yaml
from otgate.model import Deadband, Kind, Point, Sensitivity

IDS = st.from_regex(r"[a-z0-9_-]{1,12}", fullmatch=True)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32)
TEXTS = st.text(max_size=20).map(lambda text: " ".join(UNWANTED.sub("", text).split()))
LABELS = st.lists(st.from_regex("[a-z]{1,8}", fullmatch=True), min_size=1, max_size=4, unique=True)
PROSE = TEXTS.filter(lambda text: not text.startswith("#"))


def point_of(id_: str, kind: Kind, texts: list[str], number: float, labels: list[str]) -> Point:
    numeric = kind in {Kind.MEASUREMENT, Kind.COUNTER}
    return Point(
        id_,
        kind,
        address="A/B.c [ST]",
        name=texts[0],
        description=texts[1],
        unit=texts[2],
        scale=number,
        offset=number,
        eu_lo=number,
        invert=bool(labels[1:]),
        states=MappingProxyType(dict(enumerate(labels))),
        deadband=Deadband(0.5) if numeric else None,
        scan="normal",
        tags=frozenset(labels),
        sensitivity=Sensitivity.INTERNAL,
        place=(texts[2], "", texts[1], "", "A"),
    )


POINTS = st.builds(
    point_of,
    IDS,
    st.sampled_from(list(Kind)),
    st.lists(PROSE, min_size=3, max_size=3),
    NUMBERS,
    LABELS,
)


@given(st.lists(POINTS, min_size=1, max_size=4, unique_by=lambda point: point.id))
def test_a_point_map_reads_as_it_was_written(points: list[Point]) -> None:
    found = Diagnostics()
    read = read_points(Source("p.csv", point_map(points)), Ground("", {"normal": 2.0}), found)
    assert list(found) == []
    assert read is not None
    assert list(read.points) == points


def test_columns_that_say_nothing_are_left_out() -> None:
    assert point_map([Point("a", Kind.TEXT, address="x")]) == "id,name,kind,address\na,,text,x\n"


VALUES = st.recursive(
    st.sampled_from(["00000001", "1E05", "0x10", "on", "null", "~", "1.2.3", "a: b", "#", ""])
    | st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=20)
    | st.integers(-(10**9), 10**9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(IDS.map("k{}".format), inner, max_size=3)
    ),
)


@given(VALUES)
def test_a_value_reads_as_it_was_written(value: object) -> None:
    found = Diagnostics()
    tree = read_yaml(Source("x.yaml", written({"v": value})), found)
    assert list(found) == []
    assert tree is not None
    assert tree.value == {"v": value}


@pytest.mark.parametrize("value", [{"a": [1, {"b": "c"}]}, {"a": {"b": {"c": "01"}}}])
def test_an_entry_is_pasted_below_devices(value: object) -> None:
    text = "devices:\n" + device_entry({"id": "x", "block": value}, "From a file.")
    assert yaml.safe_load(text) == {"devices": [{"id": "x", "block": value}]}


@pytest.mark.parametrize("name", ["a\rb", "a\nb", "a\r\nb", 'a"b', "a,b", "=a\rb"])
def test_a_cell_that_looks_like_more_is_one(name: str) -> None:
    point = Point("a", Kind.STATUS, "1", name=name, scan="normal")
    found = Diagnostics()
    read = read_points(Source("p.csv", point_map([point])), Ground("", {"normal": 2.0}), found)
    assert read is not None
    assert [one.name for one in read.points] == [name]
