"""Values of each kind become what the point map says, or say that they cannot."""

from typing import Any

import numpy as np
import pytest

from ied_served import device, point
from otgate.model import Kind, Point, ValueType
from otgate.quality import names
from otgate_iec61850.columns import Conversion
from otgate_iec61850.mms.values import Bits, Double, MmsString, Unsigned
from otgate_iec61850.reading import readings_of


def converted(made: Point, sent: Any) -> tuple[Any, tuple[str, ...]]:
    mistakes: list[Any] = []
    (reading,) = readings_of(device(made), mistakes)
    assert not mistakes
    quality = np.zeros(1, np.uint32)
    index = np.zeros(1, np.int32)
    values = Conversion([reading], 1).column(reading.value_type, index, [sent], quality)
    assert values.dtype == reading.value_type.dtype
    return values[0], names(int(quality[0]))


MX, ST = "MMXU1.TotW.mag.f [MX]", "GGIO1.Ind1.stVal [ST]"
BROKEN = ("invalid", "inconsistent", "no_value")


@pytest.mark.parametrize(
    ("type_", "kind", "sent", "got"),
    [
        ("FLOAT32", Kind.MEASUREMENT, float(np.float32(0.1)), 0.1),
        ("FLOAT64", Kind.MEASUREMENT, Double(0.1), 0.1),
        ("FLOAT32", Kind.MEASUREMENT, 7, 7.0),
        ("INT64", Kind.COUNTER, 2**60 + 1, 2**60 + 1),
        ("INT32U", Kind.COUNTER, Unsigned(4_000_000_000), 4_000_000_000),
        ("Enum", Kind.STATUS, 3, 3),
        ("Dbpos", Kind.STATUS, Bits(2, 2), 2),
        ("Tcmd", Kind.STATUS, Bits(2, 1), 1),
        ("BOOLEAN", Kind.STATUS, True, True),
        ("VisString255", Kind.TEXT, "relay", "relay"),
        ("Unicode255", Kind.TEXT, MmsString("Relé"), "Relé"),
    ],
)
def test_a_value_is_held_exactly(type_: str, kind: Kind, sent: Any, got: Any) -> None:
    assert converted(point("p", ST, type=type_, kind=kind), sent) == (got, ("good",))


@pytest.mark.parametrize(
    ("type_", "kind", "sent"),
    [
        ("FLOAT32", Kind.MEASUREMENT, True),
        ("FLOAT32", Kind.MEASUREMENT, "1.0"),
        ("INT32", Kind.COUNTER, 1.0),
        ("BOOLEAN", Kind.STATUS, 1),
        ("VisString255", Kind.TEXT, 1),
        ("Dbpos", Kind.STATUS, Bits(64, 1)),
    ],
)
def test_a_value_of_another_kind_is_inconsistent(type_: str, kind: Kind, sent: Any) -> None:
    assert converted(point("p", ST, type=type_, kind=kind), sent)[1] == BROKEN


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (float("inf"), ("invalid", "overflow", "no_value")),
        (float("nan"), ("invalid", "failure", "no_value")),
    ],
)
def test_what_is_no_number_has_no_value(sent: float, said: tuple[str, ...]) -> None:
    assert converted(point("p", MX), sent)[1] == said


def test_an_integer_without_room_overflows() -> None:
    assert converted(point("p", ST, type="INT64", kind=Kind.COUNTER), 2**63)[1] == (
        "invalid",
        "overflow",
        "no_value",
    )


def test_a_scale_divides_as_the_decimal_it_is_written_as() -> None:
    assert converted(point("p", "M.A.mag.i [MX]", scale=0.1), 372) == (37.2, ("good",))


def test_a_raw_value_outside_its_range_is_questionable() -> None:
    made = point("p", MX, raw_lo=0.0, raw_hi=10.0)
    assert converted(made, 11.0)[1] == ("questionable", "out_of_range")


def test_a_boolean_is_inverted() -> None:
    assert converted(point("p", ST, kind=Kind.STATUS, invert=True), sent=False) == (True, ("good",))


@pytest.mark.parametrize(
    ("address", "cells", "held"),
    [
        (MX, {}, ValueType.F64),
        ("M.A.mag.i [MX]", {}, ValueType.I64),
        ("M.E.actVal [ST]", {"kind": Kind.COUNTER}, ValueType.I64),
        (ST, {"kind": Kind.STATUS}, ValueType.BOOL),
        (ST, {"kind": Kind.STATUS, "states": {1: "off", 2: "on"}}, ValueType.I64),
        (ST, {"kind": Kind.TEXT}, ValueType.TEXT),
    ],
)
def test_a_point_without_a_type_holds_the_usual(
    address: str, cells: dict[str, Any], held: ValueType
) -> None:
    (reading,) = readings_of(device(point("p", address, **cells)), [])
    assert reading.value_type is held
