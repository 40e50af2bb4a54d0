"""A restart lets no more cross than crossed before it, and stops nothing that did."""

import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings

from otgate.app.accepted import Accepted, gains, held_back, holding, key, read, written
from otgate.config.site import Site
from otgate.model import Device, Point, ValueType
from otgate.policy.changes import Side, crossings
from otgate.policy.decide import delay_of
from otgate.policy.language import Policy, UnderTest
from sites import POINTS, POLICY, loaded
from small_world import KINDS, LEVELS, SUBSETS, ZONES, policies

DEVICES = [
    Device(
        name,
        "fake",
        zone,
        [
            Point(f"p{at}", kind, tags=tags, sensitivity=level)
            for at, (kind, level, tags) in enumerate(product(KINDS, LEVELS, SUBSETS))
        ],
        {},
        None,
    )
    for name, zone in zip(("d1", "x"), ZONES, strict=True)
]
TYPES = {device.id: [ValueType.F64] * len(device.points) for device in DEVICES}


def site(folder: Path, points: str = POINTS, policy: str = POLICY) -> Site:
    found = loaded(folder, points=points, policy=policy).site
    assert found is not None
    return found


def crossing(one: Site) -> set[str]:
    types = {device.id: [ValueType.F64] * len(device.points) for device in one.devices}
    return {path for _, path in crossings(Side(one.policy, one.devices, types))}


def started(now: Site) -> set[str]:
    """Start and stop a field side; return what crossed meanwhile."""
    accepted = Accepted(now)
    held = accepted.held(now)
    accepted.keep(held)
    return crossing(held)


MORE = POINTS + "ib,measurement,3\n"
LIMITED = POLICY.replace("why: load", "limits: {min_interval_s: 60, quantize: 5}, why: load")


def test_all_crosses_at_the_first_start_and_again_at_the_next(tmp_path: Path) -> None:
    now = site(tmp_path)
    assert started(now) == started(now) == {"f3/ia", "f3/cb"}


def test_what_is_written_device_by_device_is_all_that_crosses(tmp_path: Path) -> None:
    now = site(tmp_path)
    Accepted(now).keep(now)
    told, found = json.loads((now.state_directory / "accepted.json").read_text())
    types = {device.id: [ValueType.F64] * len(device.points) for device in now.devices}
    assert told == key(now)
    assert dict(read(found)) == crossings(Side(now.policy, now.devices, types))


def test_of_the_same_files_it_is_not_read_what_crossed(tmp_path: Path) -> None:
    now = site(tmp_path)
    crossed = started(now)
    record = now.state_directory / "accepted.json"
    record.write_text(record.read_text().replace('"f3/', '"no/'))
    assert started(now) == crossed


def test_a_point_that_is_new_at_a_restart_does_not_cross_until_it_is_allowed(
    tmp_path: Path,
) -> None:
    started(site(tmp_path))
    more = site(tmp_path, MORE)
    for _ in range(2):
        assert started(more) == {"f3/ia", "f3/cb"}
    assert held_back(Accepted(more).held(more)) == 1
    Accepted(more).keep(more)  # as a reload does that was told to allow it
    assert started(more) == {"f3/ia", "f3/cb", "f3/ib"}


def test_what_crosses_no_more_is_new_when_it_comes_back(tmp_path: Path) -> None:
    started(site(tmp_path, MORE))
    assert started(site(tmp_path)) == {"f3/ia", "f3/cb"}
    assert started(site(tmp_path, MORE)) == {"f3/ia", "f3/cb"}


def test_limits_that_were_loosened_go_on_to_hold(tmp_path: Path) -> None:
    started(site(tmp_path, policy=LIMITED))
    loose = site(tmp_path)
    held = Accepted(loose).held(loose)
    types = {"f3": [ValueType.F64, ValueType.F64]}
    found = crossings(Side(held.policy, held.devices, types))
    limits = found["analytics", "f3/ia"].restriction
    assert (limits.min_interval_s, limits.quantize) == (60, 5)


def test_a_delay_that_is_shorter_at_a_restart_is_not_yet(tmp_path: Path) -> None:
    late = POLICY.replace("why: load", "limits: {delay_s: 3600}, why: load")
    started(site(tmp_path, policy=late))
    soon = site(tmp_path, policy=late.replace("3600", "5"))
    held = Accepted(soon).held(soon)
    assert delay_of(held.policy, held.policy.conduits["analytics"]).seconds == 3600


def test_what_cannot_be_read_lets_nothing_cross(tmp_path: Path) -> None:
    now = site(tmp_path)
    started(now)
    (now.state_directory / "accepted.json").write_text("[")
    assert started(now) == set()


def test_what_cannot_be_written_leaves_what_was(tmp_path: Path) -> None:
    started(site(tmp_path))
    more = site(tmp_path, MORE)
    for name in ("accepted.json", "accepted.spare"):
        (more.state_directory / name).chmod(0o400)
    kept = (more.state_directory / "accepted.json").read_bytes()
    (more.state_directory / "accepted.spare").unlink()
    (more.state_directory / "accepted.spare").mkdir()
    Accepted(more).keep(more)
    assert (more.state_directory / "accepted.json").read_bytes() == kept


@settings(max_examples=40, deadline=None)
@given(policies(), policies())
def test_nothing_gains_and_what_crosses_both_crosses(old: Policy, new: Policy) -> None:
    before = dict(read(list(written(crossings(Side(old, DEVICES, TYPES))))))
    assert before == dict(crossings(Side(old, DEVICES, TYPES)))
    after = crossings(Side(new, DEVICES, TYPES))
    held = crossings(Side(holding(Side(new, DEVICES, TYPES), before), DEVICES, TYPES))
    assert not any(gains(before.get(place), one) for place, one in held.items())
    assert held.keys() <= before.keys() & after.keys()
    unchanged = {place for place, one in after.items() if before.get(place) == one}
    delayed = {conduit.id for conduit in new.conduits.values() if conduit.test is UnderTest.DROP}
    assert {place for place in unchanged if place[0] in delayed} <= held.keys()


@pytest.mark.parametrize("names", [{"other"}, {"analytics", "other"}])
def test_a_conduit_that_is_new_carries_nothing(tmp_path: Path, names: set[str]) -> None:
    now = site(tmp_path)
    started(now)
    conduits = {name: replace(now.policy.conduits["analytics"], id=name) for name in names}
    wide = replace(now, policy=replace(now.policy, conduits=conduits), policy_hash="another")
    held = Accepted(wide).held(wide)
    types = {"f3": [ValueType.F64, ValueType.F64]}
    found = crossings(Side(held.policy, held.devices, types))
    assert {conduit for conduit, _ in found} == names - {"other"}
