"""What the entries of `calc:` become: definitions, labels, units and names."""

from pathlib import Path

import pytest

from otgate.calc.calculation import Calculations, Formula, Window
from otgate.config.calc_labels import strictest
from otgate.config.diagnostic import Diagnostics
from otgate.config.policy import read_policy_text
from otgate.config.site import Loaded, load_site
from otgate.config.source import Source
from otgate.driver import installed
from otgate.model import Device, Kind, Point, Sensitivity, ValueType
from otgate.policy.language import Policy

SITE = """\
config_version: 1
site: {id: sub7, gateway: gw1}
devices:
  - id: f1
    driver: modbus
    zone: bay
    points: points.csv
    modbus: {url: "tcp://10.0.0.5"}
  - id: m1
    driver: modbus
    zone: station
    points: points.csv
    modbus: {url: "tcp://10.0.0.6"}
defaults: {sensitivity: internal, owner: grid}
policy: policy.yaml
calc:
  - device: c
    points:
"""
POINTS = """\
id,name,kind,address,type,unit,states,tags,sensitivity,bay
p,Power,measurement,hr 0,i16,kW,,feeder,,F1
q,,measurement,hr 1,f32,kvar,,feeder,restricted,F1
e,,counter,hr 3,u32,kWh,,revenue,,F2
n,,measurement,hr 5,u64,,,,,F1
cb,,status,hr 9,u16,,1=open|2=closed,protection,,F1
set,,setting,hr 10,u16,A,,,,F1
on,,status,di 0,bool,,,,,F1
"""
POLICY = """\
config_version: 1
policy: {name: egress, version: 1}
vocabulary: {tags: [feeder, revenue, protection]}
zones: {bay: {purdue: 1}, station: {purdue: 2}, it: {purdue: 4}}
conduits:
  analytics: {from: [bay, station], to: it, ceiling: internal}
  metering: {from: [station], to: it, ceiling: internal}
rules:
  - {name: all, effect: allow, match: {kind: [measurement, counter, status]}, why: a test}
"""


def load(folder: Path, *entries: str, policy: str = POLICY) -> Loaded:
    (folder / "points.csv").write_text(POINTS)
    (folder / "policy.yaml").write_text(policy)
    (folder / "site.yaml").write_text(SITE + "".join(f"      - {{{entry}}}\n" for entry in entries))
    return load_site(folder / "site.yaml", installed())


def device(folder: Path, *entries: str) -> Device:
    loaded = load(folder, *entries)
    assert loaded.site is not None, loaded.diagnostics
    return loaded.site.devices[-1]


def one(folder: Path, entry: str) -> Point:
    (point,) = device(folder, entry).points
    return point


def test_labels_are_the_join_of_those_of_all_inputs(tmp_path: Path) -> None:
    point = one(
        tmp_path, "id: x, formula: \"if(f1/cb == 'open', f1/p, m1/q)\"".replace("m1/q", "0")
    )
    assert point.tags == {"feeder", "protection"}
    assert point.sensitivity is Sensitivity.INTERNAL
    assert (point.zone, point.owner, point.kind) == ("bay", "grid", Kind.MEASUREMENT)
    assert point.place == ("", "", "F1", "", "")


def test_sensitivity_is_the_strictest_and_can_be_made_stricter(tmp_path: Path) -> None:
    assert one(tmp_path, "id: x, formula: f1/q * 2").sensitivity is Sensitivity.RESTRICTED
    stricter = one(tmp_path, "id: x, formula: f1/q * 2, sensitivity: bcsi, tags: [revenue]")
    assert stricter.sensitivity is Sensitivity.BCSI
    assert stricter.tags == {"feeder", "revenue"}


def test_what_an_input_is_not_read_for_counts_too(tmp_path: Path) -> None:
    assert one(tmp_path, "id: x, formula: valid(f1/cb)").tags == {"protection"}


def test_a_formula_over_formulas_inherits_through_them(tmp_path: Path) -> None:
    last = device(tmp_path, "id: x, formula: c/y * 2", "id: y, formula: f1/q").points[0]
    assert (last.id, last.sensitivity, last.tags) == ("x", Sensitivity.RESTRICTED, {"feeder"})


def test_the_zone_of_two_is_the_stricter(tmp_path: Path) -> None:
    assert one(tmp_path, "id: x, formula: f1/p + m1/p").zone == "bay"
    assert one(tmp_path, "id: x, formula: m1/p").zone == "station"


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        ("id: x, formula: f1/e", Kind.MEASUREMENT),
        ("id: x, formula: f1/e + m1/e, kind: counter", Kind.COUNTER),
        ("id: x, of: f1/e, aggregates: [last], every_s: 60", Kind.COUNTER),
        ("id: x, of: f1/e, aggregates: [mean], every_s: 60", Kind.MEASUREMENT),
        ("id: x, of: f1/cb, aggregates: [last], every_s: 60", Kind.STATUS),
        ("id: x, of: f1/on, aggregates: [mean], every_s: 60", Kind.MEASUREMENT),
        ("id: x, formula: f1/p > 5", Kind.STATUS),
        ("id: x, formula: f1/p > 5, kind: event", Kind.EVENT),
        ("id: x, formula: f1/set + 1", Kind.SETTING),
        ("id: x, formula: f1/set > 1", Kind.SETTING),
        ("id: x, of: f1/set, aggregates: [count], every_s: 60", Kind.SETTING),
    ],
)
def test_a_kind_follows_from_type_and_inputs(tmp_path: Path, entry: str, kind: Kind) -> None:
    assert one(tmp_path, entry).kind is kind


def test_windows_are_a_point_for_each_aggregate_of_each_point(tmp_path: Path) -> None:
    made = device(tmp_path, 'of: "*/p", aggregates: [mean, count], every_s: 600, over_s: 1200')
    assert [point.id for point in made.points] == [
        "f1_p_mean", "f1_p_count", "m1_p_mean", "m1_p_count"
    ]  # fmt: skip
    mean, count, *_ = made.points
    assert (mean.unit, count.unit) == ("kW", "")
    assert mean.name == "Power, mean of 20 min"
    assert mean.address == "mean of f1/p each 600 s over 1200 s"
    assert isinstance(made.settings, Calculations)
    (first, *_) = made.settings.definitions
    assert isinstance(first, Window)
    assert (first.span.every_ns, first.span.over_ns) == (600 * 10**9, 1200 * 10**9)


def test_an_id_names_one_window_and_begins_those_of_several(tmp_path: Path) -> None:
    points = device(
        tmp_path,
        "id: high, of: f1/p, aggregates: [max], every_s: 60",
        "id: q, of: f1/q, aggregates: [min, max], every_s: 60",
    ).points
    assert [point.id for point in points] == ["high", "q_min", "q_max"]


def test_a_unit_is_that_of_the_inputs_where_they_have_one(tmp_path: Path) -> None:
    assert one(tmp_path, "id: x, formula: f1/p + m1/p").unit == "kW"
    assert one(tmp_path, "id: x, formula: f1/p * 1000").unit == ""
    assert one(tmp_path, "id: x, formula: f1/p * 1000, unit: W").unit == "W"
    assert one(tmp_path, "id: x, formula: f1/n + 1, unit: bags").unit == "bags"


def test_values_are_typed_by_the_plan_of_the_driver(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        "id: real, formula: f1/q + 1",
        "id: whole, formula: f1/n + 1",
        "id: truth, formula: f1/on",
        "id: code, of: f1/cb, aggregates: [last], every_s: 60",
    )
    assert loaded.site is not None
    (plan,) = loaded.site.plans["c"]
    assert list(plan.value_types) == [ValueType.F64, ValueType.I64, ValueType.BOOL, ValueType.I64]
    assert loaded.site.devices[-1].points[3].states == {1: "open", 2: "closed"}
    assert [device.id for device in loaded.site.wired] == ["f1", "m1"]


def test_the_same_files_make_equal_devices(tmp_path: Path) -> None:
    entry = "id: x, formula: f1/p + m1/p"
    assert device(tmp_path, entry) == device(tmp_path, entry)
    assert device(tmp_path, entry) != device(tmp_path, "id: x, formula: f1/p - m1/p")
    (made,) = device(tmp_path, entry).settings.definitions
    assert isinstance(made, Formula)


def test_a_device_that_could_not_be_read_is_not_blamed_on_its_readers(tmp_path: Path) -> None:
    load(tmp_path, "id: x, formula: f1/p + m1/p")
    site = tmp_path / "site.yaml"
    site.write_text(site.read_text().replace("tcp://10.0.0.5", "10.0.0.5"))
    said = load_site(site, installed()).diagnostics
    assert [one.line for one in said] == [8]


def zones(policy: str, *names: str) -> str | None:
    found = Diagnostics()
    reading = read_policy_text(Source("policy.yaml", policy), found)
    assert reading is not None
    assert isinstance(reading.policy, Policy), list(found)
    return strictest(names, reading.policy)


@pytest.mark.parametrize(
    ("conduits", "rule", "zone"),
    [
        ("[bay, station]", "", "bay"),
        ("[station]", "", "bay"),
        ("[bay]", "", "station"),
        ("[bay, station]", "effect: allow, match: {zone: [station]}", "bay"),
        ("[bay, station]", "effect: deny, match: {zone: [station]}", "station"),
        ("[bay]", "effect: allow, match: {zone: [station]}", None),
        ("[station]", "effect: deny, match: {zone: [station]}", None),
    ],
)
def test_the_strictest_zone_lets_nothing_cross_that_another_stops(
    conduits: str, rule: str, zone: str | None
) -> None:
    policy = POLICY.replace("  metering: {from: [station], to: it, ceiling: internal}\n", "")
    policy = policy.replace("[bay, station]", conduits)
    if rule:
        policy += f"  - {{name: other, {rule}, why: a test}}\n"
    assert zones(policy, "bay", "station") == zone
