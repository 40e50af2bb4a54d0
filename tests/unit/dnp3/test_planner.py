from typing import Any

import pytest

from dnp3_devices import device, point
from otgate.errors import Mistakes
from otgate.model import Kind, Point, ValueType
from otgate_dnp3 import Dnp3
from otgate_dnp3.planner import MOST_RANGES, plan, tasks


def mistakes(*points: Point, **settings: Any) -> list[tuple[str, str | None, str | None]]:
    with pytest.raises(Mistakes) as raised:
        plan(device(*points, **settings))
    return [(each.code, each.point, each.field) for each in raised.value.mistakes]


def test_points_live_by_the_integrity_poll_and_by_events() -> None:
    scans = plan(device(point("ia", "ai 0"), point("cb", "dbi 0", kind=Kind.STATUS)))
    assert [(scan.name, scan.period_s, scan.points) for scan in scans] == [
        ("integrity", 3600.0, (0, 1)),
        ("events 1+2+3", 60.0, ()),
    ]


def test_points_of_another_scan_class_are_read_by_ranges_of_their_own() -> None:
    points = [point(f"a{at}", f"ai {at}", scan="fast") for at in (0, 1, 2, 7)]
    made = device(*points, point("b", "bi 3", scan="fast"), scans={"integrity": 60, "fast": 1})
    scans = plan(made)
    assert [scan.name for scan in scans] == ["integrity", "fast", "events 1+2+3"]
    assert [each.text for each in scans[1].requests] == ["READ bi 3, ai 0 to 2, ai 7"]
    assert tasks(made, scans)["fast"].requests == (
        bytes.fromhex("01 00 00 03 03  1e 00 00 00 02  1e 00 00 07 07"),
    )


def test_a_request_has_no_more_ranges_than_a_fragment_takes() -> None:
    points = [point(f"a{at}", f"ai {2 * at}", scan="fast") for at in range(MOST_RANGES + 1)]
    made = device(*points, scans={"integrity": 60, "fast": 1})
    requests = tasks(made, plan(made))["fast"].requests
    assert [len(each) // 5 for each in requests] == [128 + 72 * 7 // 5, 1]


def test_without_a_class_integrity_the_period_is_a_setting() -> None:
    made = device(point("ia", "ai 0"), scans={"fast": 1}, integrity_s=900)
    assert [(scan.name, scan.period_s, len(scan.points)) for scan in plan(made)][:2] == [
        ("integrity", 900.0, 0),
        ("fast", 1, 1),
    ]


def test_each_event_period_is_a_scan() -> None:
    scans = plan(device(point("ia", "ai 0"), event_poll_s=10, class1_s=1, class3_s=0))
    assert [(scan.name, scan.period_s) for scan in scans[1:]] == [("events 1", 1), ("events 2", 10)]


@pytest.mark.parametrize(
    ("address", "cells", "held"),
    [
        ("bi 0", {}, ValueType.BOOL),
        ("dbi 0", {}, ValueType.I64),
        ("bo 0", {"type": "bool"}, ValueType.BOOL),
        ("ctr 0", {}, ValueType.U64),
        ("ctr 0", {"type": "i64"}, ValueType.I64),
        ("ctr 0", {"scale": 0.001}, ValueType.F64),
        ("fctr 0", {"type": "u32"}, ValueType.U64),
        ("ai 0", {"type": "i16"}, ValueType.F64),
        ("fai 0", {}, ValueType.F64),
        ("aos 0", {"scale": 0.1}, ValueType.F64),
        ("oct 0", {"type": "string"}, ValueType.TEXT),
    ],
)
def test_each_type_is_held_its_way(address: str, cells: dict[str, Any], held: ValueType) -> None:
    assert plan(device(point("x", address, **cells)))[0].value_types == (held,)


@pytest.mark.parametrize(
    ("address", "cells", "code", "column"),
    [
        ("hr 0", {}, "bad-address", "address"),
        ("ai 70000", {}, "address-out-of-range", "address"),
        ("bi 0", {"type": "f32"}, "unknown-type", "type"),
        ("ai 0", {"type": "bool"}, "unknown-type", "type"),
        ("bi 0", {"scale": 0.1}, "bad-scale", "scale"),
        ("dbi 0", {"invert": True}, "bad-scale", "invert"),
        ("ai 0", {"scale": 0.0}, "bad-scale", "scale"),
        ("ai 0", {"scan": "fats"}, "unknown-scan", "scan"),
    ],
)
def test_a_mistake_names_its_column(
    address: str, cells: dict[str, Any], code: str, column: str
) -> None:
    assert mistakes(point("x", address, **cells)) == [(code, "x", column)]


def test_every_mistake_is_said_at_once() -> None:
    wrong = (point("a", "ai 1"), point("b", "ai 1"), point("c", "xx 1"))
    assert mistakes(*wrong) == [
        ("bad-address", "c", "address"),
        ("overlapping-address", "b", "address"),
    ]


def test_the_period_of_the_integrity_poll_is_given_once() -> None:
    wrong = mistakes(point("a", "ai 1"), scans={"integrity": 60}, integrity_s=60)
    assert wrong == [("bad-setting", None, "dnp3.integrity_s")]


def test_devices_on_one_channel_have_addresses_of_their_own() -> None:
    driver = Dnp3()
    one, two, three = (
        device(point("a", "ai 0"), name=name, outstation=address)
        for name, address in (("a", 10), ("b", 11), ("c", 10))
    )
    assert driver.link_key(one) == driver.link_key(two) == driver.link_key(three)
    wrong = driver.sharing([one, two, three])
    assert list(wrong) == ["c"]
    assert "device `a`" in wrong["c"][0].message
