"""The examples of docs/guide/points.md are read as it says."""

import re
from fractions import Fraction
from pathlib import Path

import pytest

from otgate.config.site import Site, load_site
from otgate.driver import installed
from otgate.model import Point
from otgate.scaling import scaling_of

GUIDE = (Path(__file__).parents[3] / "docs" / "guide" / "points.md").read_text("utf-8")
POLICY = """\
config_version: 1
policy: {name: egress, version: 1}
zones: {bay: {purdue: 1}, enterprise: {purdue: 4}}
conduits:
  analytics: {from: [bay], to: enterprise, ceiling: internal}
rules:
  - {name: all, effect: allow, match: {kind: [measurement, counter, status]}, why: to be looked at}
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "points").mkdir()
    (tmp_path / "policy.yaml").write_text(POLICY)
    for _, name, body in re.findall(r"```(yaml|csv) (\S+)\n(.*?)```", GUIDE, re.DOTALL):
        (tmp_path / name).write_text(body)
    loaded = load_site(tmp_path / "site.yaml", installed())
    assert loaded.site is not None, loaded.diagnostics
    return loaded.site


def point(site: Site, device: str, name: str) -> Point:
    (found,) = (one for one in site.devices if one.id == device)
    return next(one for one in found.points if one.id == name)


def test_the_worked_example_of_ratios_comes_out_as_it_says(site: Site) -> None:
    rows = re.findall(r"^\| (m\d)/(\w+) \| (\d+) \| .*? ([\d.]+) \w+ \|$", GUIDE, re.MULTILINE)
    assert len(rows) == 4
    for device, name, raw, value in rows:
        scaling = scaling_of(point(site, device, name))
        assert (int(raw) * scaling.times + scaling.plus) / scaling.over == float(value)


def test_devices_of_one_map_have_their_own_ratios(site: Site) -> None:
    energies = [Fraction(point(site, name, "e").ratio) for name in ("m1", "m2")]
    assert energies == [8, 12]
