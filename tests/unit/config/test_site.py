import time
from pathlib import Path

import pytest

from otgate.config.site import Site, load_site
from otgate.model import Deadband, Kind, Sensitivity
from sites import FAKE, POINTS, POLICY, SITE, codes, loaded, written

HEADER = "id,kind,address"


def site_of(directory: Path, **files: str) -> Site:
    outcome = loaded(directory, **files)
    assert outcome.site is not None, outcome.diagnostics
    return outcome.site


def test_a_site_carries_what_its_files_say(tmp_path: Path) -> None:
    site = site_of(tmp_path)
    assert (site.id, site.name, site.gateway) == ("sub7", "Substation 7", "gw1")
    assert site.spool.directory == tmp_path / "spool"
    assert site.state_directory == tmp_path / "state"
    assert site.control_directory == tmp_path / "run"
    assert list(site.policy.conduits) == ["analytics"]
    assert [scan.name for scan in site.plans["f3"]] == ["normal"]


def test_a_point_takes_from_its_cells_then_from_the_defaults(tmp_path: Path) -> None:
    points = (
        f"{HEADER},sensitivity,tags,scan,deadband,eu_lo,eu_hi,bay,phase\n"
        "ia,measurement,1,public,protection,fast,1%,0,600,F3,A\n"
        "ib,measurement,2,,,,,,,,\n"
    )
    ia, ib = site_of(tmp_path, points=points).devices[0].points
    assert (ia.kind, ia.sensitivity) == (Kind.MEASUREMENT, Sensitivity.PUBLIC)
    assert (ia.tags, ia.scan) == (frozenset({"protection"}), "fast")
    assert (ia.deadband, ia.eu_hi) == (Deadband(1.0, percent=True), 600.0)
    assert ia.place == ("", "", "F3", "", "A")
    assert (ib.sensitivity, ib.tags) == (Sensitivity.INTERNAL, frozenset({"feeder"}))
    assert (ib.scan, ib.zone, ib.deadband) == ("normal", "bay", None)


def test_what_nobody_classified_is_bcsi(tmp_path: Path) -> None:
    site = site_of(tmp_path, site=SITE.replace("sensitivity: internal, ", ""))
    assert site.devices[0].points[0].sensitivity is Sensitivity.BCSI


def test_semicolons_bring_decimal_commas(tmp_path: Path) -> None:
    points = "id;kind;address;scale;deadband\nia;measurement;1;0,1;2,5%\n"
    points = points.replace("scale", "scale;eu_lo;eu_hi").replace("0,1;", "0,1;-0,5;1.5;")
    point = site_of(tmp_path, points=points).devices[0].points[0]
    assert (point.scale, point.eu_lo, point.eu_hi) == (0.1, -0.5, 1.5)
    assert point.deadband == Deadband(2.5, percent=True)


def test_points_share_what_they_have_in_common(tmp_path: Path) -> None:
    points = f"{HEADER},tags,states,bay\n" + "".join(
        f"p{n},status,{n},feeder protection,0=a|1=b,F3\n" for n in range(3)
    )
    first, *rest = site_of(tmp_path, points=points).devices[0].points
    for point in rest:
        assert point.tags is first.tags
        assert point.states is first.states
        assert point.place is first.place


def test_devices_with_one_map_share_their_points(tmp_path: Path) -> None:
    device = SITE[SITE.index("  - id: f3") : SITE.index("defaults:")]
    two = SITE.replace("defaults:", device.replace("id: f3", "id: f4") + "defaults:")
    one, other = site_of(tmp_path, site=two).devices
    assert one.points is other.points


def test_a_device_reports_as_itself_or_as_the_defaults_say(tmp_path: Path) -> None:
    text = SITE.replace("tags: [feeder]", "tags: [feeder], reporting: {refresh_s: 60}")
    assert site_of(tmp_path, site=text).devices[0].reporting.refresh_s == 60
    own = text.replace("    zone:", "    reporting: {min_interval_s: 5}\n    zone:")
    reporting = site_of(tmp_path, site=own).devices[0].reporting
    assert (reporting.min_interval_s, reporting.refresh_s) == (5, 0)


def test_maintenance_is_switched_by_a_word(tmp_path: Path) -> None:
    on = SITE.replace("    zone:", "    maintenance: on\n    zone:")
    assert site_of(tmp_path, site=on).devices[0].maintenance is True
    assert codes(loaded(tmp_path, site=on.replace(": on", ": true"))) == ["wrong-value"]


def test_overrides_replace_keys_of_the_drivers_block(tmp_path: Path) -> None:
    path = written(tmp_path, site=SITE.replace("{url: here}", "{url: here, size: 4}"))
    outcome = load_site(path, FAKE, overrides={"f3": {"url": "elsewhere"}, "f9": {"url": "x"}})
    assert outcome.site is not None
    settings = outcome.site.devices[0].settings
    assert (settings.url, settings.size) == ("elsewhere", 4)


def test_a_wrong_override_is_said_at_the_device(tmp_path: Path) -> None:
    outcome = load_site(written(tmp_path), FAKE, overrides={"f3": {"size": 0}})
    assert [(one.code, one.line) for one in outcome.diagnostics] == [("out-of-range", 9)]


def test_hashes_follow_the_files(tmp_path: Path) -> None:
    before = site_of(tmp_path)
    points = site_of(tmp_path, points=POINTS.replace("cb", "cc"))
    policy = site_of(tmp_path, policy=POLICY.replace("egress", "outward"))
    assert before.map_hash != points.map_hash
    assert before.policy_hash == points.policy_hash
    assert before.policy_hash != policy.policy_hash
    assert before.map_hash == policy.map_hash


def test_a_drivers_mistakes_stand_at_their_cells_and_keys(tmp_path: Path) -> None:
    outcome = loaded(
        tmp_path,
        site=SITE.replace("url: here", "url: hopeless"),
        points=POINTS.replace("status,2", "status,bad"),
    )
    assert outcome.site is None
    places = [(one.code, Path(one.file).name, one.line, one.column) for one in outcome.diagnostics]
    assert places == [("bad-address", "f3.csv", 3, 11), ("bad-setting", "site.yaml", 9, 17)]


def test_one_devices_mistakes_leave_the_others_checked(tmp_path: Path) -> None:
    device = SITE[SITE.index("  - id: f3") : SITE.index("defaults:")]
    two = SITE.replace("    zone: bay\n", "").replace(
        "defaults:", device.replace("id: f3", "id: f4").replace("here", "nowhere") + "defaults:"
    )
    outcome = loaded(tmp_path, site=two)
    assert codes(outcome) == ["missing-key", "wrong-value"]
    assert outcome.diagnostics[1].message == "`url`: nobody is there"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("site", SITE.replace("policy: policy.yaml", "")),
        ("policy", ""),
        ("points", ""),
        ("policy", POLICY.replace("why", "wy")),
    ],
)
def test_any_error_means_no_site(tmp_path: Path, file: str, text: str) -> None:
    assert loaded(tmp_path, **{file: text}).site is None


def test_a_warning_leaves_the_site(tmp_path: Path) -> None:
    outcome = loaded(tmp_path, policy=POLICY.replace("ceiling: internal", "ceiling: public"))
    assert outcome.site is not None
    assert codes(outcome) == ["empty-conduit"]


def test_dead_rules_are_not_said_while_points_are_missing(tmp_path: Path) -> None:
    assert codes(loaded(tmp_path, points=POINTS.replace("measurement", "mesurement"))) == [
        "wrong-value"
    ]


def test_bus_files_do_not_stop_the_field_side(tmp_path: Path) -> None:
    assert loaded(tmp_path, analytics="nonsense: [").site is not None


def test_diagnostics_come_by_file_and_line(tmp_path: Path) -> None:
    outcome = loaded(
        tmp_path,
        site=SITE.replace("zone: bay", "zone: bays").replace("tags: [feeder]", "tag: [feeder]"),
        points=f"{HEADER}\nia,measurement,bad\nIB,measurement,2\n",
        policy=POLICY.replace("version: 1}", "version: 0}"),
    )
    places = [(one.file, one.line) for one in outcome.diagnostics]
    assert places == sorted(places)
    assert len({file for file, _ in places}) == 3


@pytest.mark.parametrize(
    ("match", "said"),
    [
        ("device: [f3]", []),
        ("device: [f3, f33]", ["unknown-device"]),
        ('device: ["f9*"]', []),
        ("point: [f3/ia]", []),
        ("point: [f3/iaa]", ["unknown-point"]),
        ("point: [f4/ia]", ["unknown-device"]),
        ('point: ["f4/*"]', ["unknown-device"]),
        ('point: ["*/nothing"]', []),
    ],
)
def test_a_policy_names_what_there_is(tmp_path: Path, match: str, said: list[str]) -> None:
    rule = f"  - {{name: x, effect: deny, match: {{{match}}}, why: reasons}}\n"
    outcome = loaded(tmp_path, policy=POLICY + rule)
    assert [code for code in codes(outcome) if code.startswith("unknown")] == said


def test_forty_thousand_mistakes_in_one_list_are_told_in_seconds(tmp_path: Path) -> None:
    unknown = ", ".join(f"feeder{number}" for number in range(40_000))
    begun_s = time.process_time()
    outcome = loaded(tmp_path, policy=POLICY.replace("[feeder]}", f"[{unknown}]}}"))
    assert [one.message for one in outcome.diagnostics][-1] == (
        "39,900 more errors in this file are not shown"
    )
    assert len(outcome.diagnostics) == 101
    assert time.process_time() - begun_s < 4  # 0.5 measured; 17 where each looks for its place
