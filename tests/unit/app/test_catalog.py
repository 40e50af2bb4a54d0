"""Devices that are alike, described once."""

from collections.abc import Iterable, Sequence

from otgate.app.catalog import Described
from otgate.model import Device, Kind, Point, ValueType
from otgate.policy.language import Strip
from otgate.spool.catalog import CatalogDevice

POINTS = [Point(name, Kind.MEASUREMENT, name=f"current {name}") for name in ("ia", "ib")]
NAME = frozenset({Strip.NAME})
NOTHING: frozenset[Strip] = frozenset()
TYPES = {"f3": [ValueType.F64] * 2, "f4": [ValueType.F64] * 2, "f5": [ValueType.I64] * 2}


def described(
    made: Described,
    name: str,
    points: Sequence[Point] = POINTS,
    crossing: Iterable[tuple[int, frozenset[Strip]]] = ((0, NOTHING), (1, NOTHING)),
    step: float = 0.0,
) -> CatalogDevice:
    device = Device(name, "modbus", "bay", points, {}, None)
    return made.device(device, [((7, number), strip, step) for number, strip in crossing])


def test_devices_with_the_same_points_are_packed_once_under_names_of_their_own() -> None:
    made = Described(TYPES)
    one, other = described(made, "f3"), described(made, "f4")
    assert one.packed is other.packed
    assert [(each.id, each.driver, each.count) for each in (one, other)] == [
        ("f3", "modbus", 2),
        ("f4", "modbus", 2),
    ]


def test_what_is_stripped_or_denied_of_one_device_is_not_told_by_another() -> None:
    made = Described(TYPES)
    described(made, "f3")
    stripped = described(made, "f4", crossing=[(0, NAME), (1, NOTHING)]).points()
    assert [point.name for point in stripped] == ["", "current ib"]
    assert [point.id for point in described(made, "f4", crossing=[(1, NAME)]).points()] == ["ib"]


def test_other_types_and_other_points_are_described_anew() -> None:
    made = Described(TYPES)
    described(made, "f3")
    assert {point.value_type for point in described(made, "f5").points()} == {int(ValueType.I64)}
    others = [Point(name, Kind.MEASUREMENT) for name in ("n", "u")]
    assert [point.id for point in described(made, "f4", others).points()] == ["n", "u"]


def test_devices_with_other_steps_are_described_apart() -> None:
    made = Described(TYPES)
    assert {point.step for point in described(made, "f3").points()} == {0.0}
    assert {point.step for point in described(made, "f4", step=0.5).points()} == {0.5}
