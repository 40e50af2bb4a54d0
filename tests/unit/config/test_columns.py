from typing import Any

import pytest

from otgate.config.columns import COLUMNS, PLACE, BadCell
from otgate.model import Deadband, Kind, Point, Sensitivity


@pytest.mark.parametrize(
    ("column", "cell", "value"),
    [
        ("scale", "0.1", 0.1),
        ("scale", "1e-3", 0.001),
        ("scale", "-.5", -0.5),
        ("deadband", "0.5", Deadband(0.5)),
        ("deadband", "1 %", Deadband(1.0, percent=True)),
        ("deadband", "0", None),
        ("states", "0=open|1=closed", {0: "open", 1: "closed"}),
        ("states", " 2 = a b ", {2: "a b"}),
        ("invert", "TRUE", True),
        ("invert", "no", False),
        ("kind", "counter", Kind.COUNTER),
        ("sensitivity", "restricted", Sensitivity.RESTRICTED),
    ],
)
def test_a_cell_means(column: str, cell: str, value: Any) -> None:
    assert COLUMNS[column].read(cell) == value


@pytest.mark.parametrize(
    ("column", "cell", "code"),
    [
        ("scale", "nan", "wrong-type"),
        ("scale", "inf", "wrong-type"),
        ("scale", "1_000", "wrong-type"),
        ("scale", "0x10", "wrong-type"),
        ("scale", "1e999", "out-of-range"),
        ("scale", "٣", "wrong-type"),
        ("deadband", "-1", "out-of-range"),
        ("deadband", "101%", "out-of-range"),
        ("max_age_s", "-1", "out-of-range"),
        ("id", "Ia", "bad-id"),
        ("id", "ia\n", "bad-id"),
        ("id", "x" * 65, "bad-id"),
        ("states", "0=", "bad-states"),
        ("states", "0=a|", "bad-states"),
        ("states", "0=a|00=b", "duplicate-state"),
        ("kind", "Measurement", "wrong-value"),
        ("sensitivity", "secret", "wrong-value"),
        ("invert", "2", "wrong-value"),
    ],
)
def test_a_cell_is_refused(column: str, cell: str, code: str) -> None:
    with pytest.raises(BadCell) as bad:
        COLUMNS[column].read(cell)
    assert bad.value.code == code


def test_the_columns_are_the_fields_of_a_point() -> None:
    assert set(COLUMNS) - set(PLACE) == set(Point.__struct_fields__) - {"place", "zone"}


@pytest.mark.parametrize("name", sorted(COLUMNS))
def test_every_example_is_right(name: str) -> None:
    COLUMNS[name].read(COLUMNS[name].example)
