import time
from dataclasses import replace
from typing import Any

import pytest

from modbus_peers import device, point
from otgate.errors import Mistake, Mistakes
from otgate.model import Device, Point, ValueType
from otgate_modbus.planner import halves, plan
from otgate_modbus.reading import read_point
from otgate_modbus.settings import Settings


def texts(*points: Point, **settings: Any) -> list[str]:
    """The requests of the only scan, without their unit."""
    (scan,) = plan(device(*points, **settings))
    return [request.text.removeprefix("unit 1, ") for request in scan.requests]


def mistakes(*points: Point, **settings: Any) -> list[Mistake]:
    with pytest.raises(Mistakes) as raised:
        plan(device(*points, **settings))
    return list(raised.value.mistakes)


def test_neighbours_share_a_request() -> None:
    assert texts(point("a", "hr 100"), point("b", "hr 101", "u32")) == [
        "function 3: 3 registers, hr 100 to hr 102"
    ]


def test_a_gap_is_bridged_up_to_its_limit() -> None:
    assert len(texts(point("a", "hr 0"), point("b", "hr 17"))) == 1
    assert len(texts(point("a", "hr 0"), point("b", "hr 18"))) == 2
    assert len(texts(point("a", "hr 0"), point("b", "hr 2"), gap=0)) == 2


def test_bits_may_bridge_sixteen_times_as_many() -> None:
    assert len(texts(point("a", "co 0"), point("b", "co 257"))) == 1
    assert len(texts(point("a", "co 0"), point("b", "co 258"))) == 2


def test_tables_are_read_apart() -> None:
    points = [point(table, f"{table} 0") for table in ("hr", "ir", "co", "di")]
    assert [text[:10] for text in texts(*points)] == [f"function {code}" for code in (1, 2, 3, 4)]


def test_no_request_exceeds_the_devices_limit() -> None:
    points = [point(f"p{at}", f"hr {at}") for at in range(130)]
    assert len(texts(*points)) == 2
    assert len(texts(*points, max_registers=10)) == 13


def test_five_hundred_two_register_points_take_nine_requests() -> None:
    points = [point(f"p{at}", f"hr {2 * at}", "f32") for at in range(500)]
    assert len(texts(*points)) <= 9


def test_what_is_forbidden_is_not_bridged() -> None:
    points = (point("a", "hr 0"), point("b", "hr 2"))
    assert len(texts(*points, forbidden=("hr 1",))) == 2
    assert len(texts(*points, forbidden=("ir 1",))) == 1


def test_reads_stay_inside_the_readable_ranges() -> None:
    points = (point("a", "hr 9"), point("b", "hr 11"))
    assert len(texts(*points, readable=("hr 0-9", "hr 11-20"))) == 2
    assert len(texts(*points, readable=("hr 0-20",))) == 1
    assert len(texts(*points, readable=("ir 0-20",))) == 1


def test_a_request_counts_what_it_uses_wastes_and_sends() -> None:
    (scan,) = plan(device(point("a", "hr 0"), point("b", "hr 4", "u32")))
    (request,) = scan.requests
    assert (request.used, request.wasted, request.wire_bytes) == (3, 3, 12 + 9 + 12)


def test_points_of_one_register_are_used_once() -> None:
    (scan,) = plan(device(point("a", "hr 0.1"), point("b", "hr 0.2"), point("c", "hr 0")))
    assert [(request.used, request.wasted) for request in scan.requests] == [(1, 0)]


def test_requests_are_told_in_the_notation_of_the_map() -> None:
    assert texts(point("a", "40101"), base=40001) == ["function 3: 1 register, 40101"]


def test_each_scan_class_is_planned_apart() -> None:
    points = (point("a", "hr 0", scan="fast"), point("b", "hr 1", scan="slow"), point("c", "hr 2"))
    scans = plan(device(*points, scans={"fast": 0.5, "normal": 2.0, "slow": 60.0}))
    assert [(scan.name, scan.period_s, scan.points) for scan in scans] == [
        ("fast", 0.5, (0,)),
        ("normal", 2.0, (2,)),
        ("slow", 60.0, (1,)),
    ]


def test_a_point_without_scan_takes_the_first_where_none_is_normal() -> None:
    (scan,) = plan(device(point("a", "hr 0"), scans={"quick": 1.0, "slow": 60.0}))
    assert scan.name == "quick"


@pytest.mark.parametrize(
    ("cells", "value_type"),
    [
        ({"type_": "u16"}, ValueType.U64),
        ({"type_": "i32"}, ValueType.I64),
        ({"type_": "u16", "scale": 0.1}, ValueType.F64),
        ({"type_": "u16", "raw_lo": 0.0, "raw_hi": 9.0}, ValueType.U64),
        ({"type_": "f32"}, ValueType.F64),
        ({"type_": "string(4)"}, ValueType.TEXT),
        ({"type_": "enum"}, ValueType.I64),
        ({"type_": ""}, ValueType.U64),
        ({"type_": "", "states": {0: "off"}}, ValueType.I64),
    ],
)
def test_the_value_type_follows_from_type_and_scale(
    cells: dict[str, Any], value_type: ValueType
) -> None:
    (scan,) = plan(device(point("a", "hr 0", **cells)))
    assert scan.value_types == (value_type,)


@pytest.mark.parametrize(
    ("bad", "code", "field"),
    [
        (point("a", "zz 1"), "bad-address", "address"),
        (point("a", "hr 65535", "u32"), "address-out-of-range", "address"),
        (point("a", "hr 0", "u8"), "unknown-type", "type"),
        (point("a", "hr 0", "bool"), "unknown-type", "type"),
        (point("a", "co 0", "u16"), "unknown-type", "type"),
        (point("a", "hr 0.3-5", "bool"), "unknown-type", "type"),
        (point("a", "hr 0.3-5", "enum na"), "unknown-type", "type"),
        (point("a", "hr 0", order="XY"), "bad-order", "order"),
        (point("a", "hr 0", "string(20)"), "point-too-wide", "type"),
        (point("a", "hr 5"), "address-not-readable", "address"),
        (point("a", "hr 0", "enum", scale=0.1), "bad-scale", "scale"),
        (point("a", "hr 0", scale=0.0), "bad-scale", "scale"),
        (point("a", "hr 0", invert=True), "bad-scale", "invert"),
        (point("a", "hr 0", scan="never"), "unknown-scan", "scan"),
    ],
)
def test_a_mistake_names_its_point_and_column(bad: Point, code: str, field: str) -> None:
    (mistake,) = mistakes(bad, max_registers=8, forbidden=("hr 5",))
    assert (mistake.code, mistake.point, mistake.field) == (code, "a", field)


@pytest.mark.parametrize(
    ("address", "type_", "state", "said"),
    [
        ("hr 0", "enum", 65536, "the codes of this point run from 0 to 65535"),
        ("hr 0", "", -1, "from 0 to 65535"),
        ("hr 0", "i16", -32769, "from -32768 to 32767"),
        ("hr 0.3-4", "", 4, "the codes of this point run from 0 to 3"),
        ("hr 0.3", "", 2, "from 0 to 1"),
        ("hr 0", "flags", 16, "the bits of this point run from 0 to 15"),
        ("hr 0", "flags32", 32, "from 0 to 31"),
        ("hr 0", "f32", 1, "a point of type f32 has no states"),
        ("hr 0", "string(4)", 1, "a point of type string(4) has no states"),
    ],
)
def test_a_state_that_cannot_be_is_a_mistake(
    address: str, type_: str, state: int, said: str
) -> None:
    (mistake,) = mistakes(point("a", address, type_, states={0: "off", state: "on"}))
    assert (mistake.code, mistake.point, mistake.field) == ("bad-states", "a", "states")
    assert said in mistake.message


def test_a_value_in_engineering_units_has_no_states() -> None:
    (mistake,) = mistakes(point("a", "hr 0", "u16", scale=0.1, states={0: "off"}))
    assert mistake.message == "a value in engineering units has no states"


def test_flags_are_known_in_capitals_too() -> None:
    plan(device(point("a", "hr 0", "FLAGS16", states={15: "last"})))
    assert mistakes(point("a", "hr 0", "Flags16", states={16: "none"}))


def test_the_ends_of_a_type_may_be_states() -> None:
    plan(device(point("a", "hr 0", "flags64", states={0: "first", 63: "last"})))
    plan(device(point("a", "hr 0", "i16", states={-32768: "none", 32767: "all"})))


def test_all_mistakes_are_found_at_once() -> None:
    found = mistakes(point("a", "zz 1"), point("b", "hr 0", "u8"), point("c", "hr 0", scan="no"))
    assert [mistake.point for mistake in found] == ["a", "b", "c"]


@pytest.mark.parametrize("key", ["readable", "forbidden"])
def test_a_bad_range_is_a_mistake_of_the_settings(key: str) -> None:
    (mistake,) = mistakes(point("a", "hr 0"), **{key: ("hr 0-9", "hr 9-0")})
    assert (mistake.code, mistake.point, mistake.field) == ("bad-setting", None, f"modbus.{key}.1")


@pytest.mark.parametrize(
    ("one", "its", "other", "others"),
    [
        ("hr 0", "u32", "hr 1", "u16"),
        ("hr 0", "u32", "hr 1", "u32"),
        ("hr 0", "u32", "hr 0", "f32"),
        ("hr 0", "f32", "hr 0.3", "bool"),
        ("hr 0", "string(8)", "hr 3", "u16"),
    ],
)
def test_two_types_in_the_same_registers_are_a_mistake(
    one: str, its: str, other: str, others: str
) -> None:
    (mistake,) = mistakes(point("a", one, its), point("b", other, others))
    assert (mistake.code, mistake.point) == ("overlapping-address", "b")
    assert "`a`" in mistake.message


@pytest.mark.parametrize(
    ("one", "its", "other", "others"),
    [
        ("hr 0", "u16", "hr 0", "i16"),
        ("hr 0", "u32", "hr 0", "u32"),
        ("hr 0", "u16", "hr 0.3", "bool"),
        ("hr 0", "flags", "hr 0.3-5", "bits"),
        ("hr 0", "u8_high", "hr 0", "u8_low"),
        ("hr 0", "u32", "ir 1", "u16"),
        ("hr 0", "string(8)", "hr 4", "u16"),
        ("di 3-4", "enum", "di 4", "bool"),
    ],
)
def test_parts_of_a_register_and_the_same_type_twice_are_none(
    one: str, its: str, other: str, others: str
) -> None:
    plan(device(point("a", one, its), point("b", other, others)))


def test_another_order_in_the_same_registers_is_a_mistake() -> None:
    points = (point("a", "hr 0", "u32"), point("b", "hr 0", "u32", order="CDAB"))
    assert [mistake.code for mistake in mistakes(*points)] == ["overlapping-address"]


def test_a_wide_point_overlaps_all_it_covers() -> None:
    covered = [point(f"p{at}", f"hr {at}", "u32") for at in (2, 4, 6)]
    found = mistakes(point("text", "hr 0", "string(20)"), *covered)
    assert [mistake.point for mistake in found] == ["p2", "p4", "p6"]


def test_halves_meet_between_points_near_the_middle() -> None:
    settings = Settings(url="tcp://h")
    cells = [("hr 0", "u32"), ("hr 2", "u16"), ("hr 2.1", "bool"), ("hr 3", "u16"), ("hr 4", "u16")]
    members = [read_point(at, point(f"p{at}", *each), settings) for at, each in enumerate(cells)]
    parts = halves(members)
    assert parts is not None
    assert [len(part) for part in parts] == [3, 2]
    assert halves(members[1:3]) is None


def test_halves_meet_at_a_gap_where_there_is_one() -> None:
    settings = Settings(url="tcp://h")
    places = (0, 1, 2, 3, 4, 5, 9, 10)
    members = [
        read_point(at, point(f"p{at}", f"hr {place}"), settings) for at, place in enumerate(places)
    ]
    parts = halves(members)
    assert parts is not None
    assert [len(part) for part in parts] == [6, 2]


def large(count: int) -> Device:
    spread = [
        point(f"p{at}", f"hr {3 * (at % 20_000)}", "u32", scale=0.1, scan=f"s{at // 20_000}")
        for at in range(count)
    ]
    return device(*spread, scans={"s0": 1.0, "s1": 2.0, "s2": 3.0})


def test_fifty_thousand_points_are_planned_in_a_second_or_two() -> None:
    before = time.process_time()
    plan(large(50_000))
    assert time.process_time() - before < 2.0


def test_devices_of_one_kind_have_one_plan_between_them() -> None:
    one, other = (plan(device(point("a", "hr 1000"), name=name))[0] for name in ("f3", "f4"))
    assert one.points is other.points
    assert one.value_types is other.value_types
    assert one.requests is other.requests


def test_devices_that_share_their_points_are_planned_once() -> None:
    one = device(point("a", "hr 1000"), name="f3")
    scans = plan(one)
    other = replace(device(name="f4", host="127.0.0.2"), points=one.points)
    assert plan(other)[0] is scans[0]
    assert plan(other) is not plan(other)


@pytest.mark.parametrize(
    "settings", [{"unit": 2}, {"gap": 0}, {"max_registers": 1}, {"reply_delay_s": 0.1}]
)
def test_devices_that_share_points_and_differ_in_a_setting_have_plans_of_their_own(
    settings: dict[str, Any],
) -> None:
    one = device(point("a", "hr 1"), point("b", "hr 3"))
    other = replace(device(**settings), points=one.points)
    fresh = device(point("a", "hr 1"), point("b", "hr 3"), **settings)
    assert plan(other) != plan(one)
    assert plan(other) == plan(fresh)


def test_scan_classes_of_another_period_are_planned_anew() -> None:
    one = device(point("a", "hr 1"))
    slower = replace(one, scans={name: 2 * period_s for name, period_s in one.scans.items()})
    assert [scan.period_s for scan in plan(slower)] == [2 * each.period_s for each in plan(one)]


def test_what_is_wrong_is_said_of_every_device() -> None:
    one = device(point("a", "hr 1"), forbidden=["hr 0-9"])
    for _ in range(2):
        with pytest.raises(Mistakes):
            plan(one)
