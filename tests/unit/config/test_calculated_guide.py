"""The examples of docs/guide/calculated.md load and come out as it says."""

import re
from pathlib import Path

import pytest

from calculating import F64, Little, window
from otgate.calc.meaning import FUNCTIONS
from otgate.calc.panes import Aggregate
from otgate.config.site import Site, load_site
from otgate.driver import installed
from otgate.quality import Quality, names

GUIDE = (Path(__file__).parents[3] / "docs" / "guide" / "calculated.md").read_text("utf-8")
POLICY = """\
config_version: 1
policy: {name: egress, version: 1}
vocabulary: {tags: [feeder]}
zones: {bay: {purdue: 1}, enterprise: {purdue: 4}}
conduits:
  analytics: {from: [bay], to: enterprise, ceiling: internal}
rules:
  - {name: all, effect: allow, match: {kind: [measurement, status]}, why: to be looked at}
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "points").mkdir()
    (tmp_path / "policy.yaml").write_text(POLICY)
    for _, name, body in re.findall(r"```(yaml|csv) (\S+)\n(.*?)```", GUIDE, re.DOTALL):
        (tmp_path / name).write_text(body)
    loaded = load_site(tmp_path / "site.yaml", installed())
    assert loaded.site is not None, loaded.diagnostics
    assert not loaded.diagnostics
    return loaded.site


def test_the_example_loads_without_a_warning(site: Site) -> None:
    assert [device.id for device in site.devices] == ["f1", "f2", "sums", "ten-minutes"]
    ids = [point.id for point in site.devices[-1].points]
    assert ids == ["f1_p_mean", "f1_p_max", "f2_p_mean", "f2_p_max", "hour"]
    assert site.devices[2].points[0].unit == "kW"


def test_every_function_and_aggregate_is_on_the_page() -> None:
    assert all(f"{name}" in GUIDE for name in FUNCTIONS)
    assert all(f"`{name}`" in GUIDE for name in Aggregate)


LOST = int(Quality.INVALID | Quality.COMM_LOST)


def followed(row: str) -> Little:
    """Give a window what a row of the table says."""
    aggregates = ("mean", "max", "count", "good_share")
    windows = {name: window("d/a", F64, name) for name in aggregates}
    little = Little({"d/a": F64}, windows, now_s=1000.0)
    came = re.findall(r"(\d+) at (-?[\d.]+) s|lost (at 4 s|all along)", row)
    for second in range(1001, 1021):
        little.tick(second)
        for value, at, loss in came:
            when = 1010 + (float(at) if value else {"at 4 s": 4, "all along": -2}[loss])
            if second <= when < second + 1:
                give(little, when, value)
    return little


def give(little: Little, when: float, value: str) -> None:
    if value:
        little.read(when, a=float(value))
    else:
        little.mark(when, LOST, "a")


def test_the_table_of_windows_comes_out_as_it_says() -> None:
    rows = re.findall(r"^\| ((?:\d+ at|lost).*?) \| (.*) \|$", GUIDE, re.MULTILINE)
    assert len(rows) == 4
    for came, wanted in rows:
        little = followed(came)
        said = [little.last(name)[0] for name in ("mean", "max", "count", "good_share")]
        shown = ["null" if value is None else f"{value:g}" for value in said]
        quality = ", ".join(names(little.last("mean")[1]))
        without = quality.replace(", not_yet_read", "")
        assert [*shown, without] == wanted.split(" | ")
