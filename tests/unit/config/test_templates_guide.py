"""The examples of docs/guide/templates.md are read as it says."""

from pathlib import Path

import pytest

from otgate.cli import main
from otgate.config.site import Site, load_site
from otgate.driver import installed
from otgate.model import Point
from test_cases import fences

GUIDE = Path(__file__).parents[3] / "docs/guide/templates.md"
POLICY = """\
config_version: 1
policy: {name: egress, version: 1}
zones: {bay: {purdue: 1}, enterprise: {purdue: 4}}
conduits:
  analytics: {from: [bay], to: enterprise, ceiling: internal}
rules:
  - {name: all, effect: allow, match: {kind: [measurement, status]}, why: to be looked at}
"""


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    files, said = fences(GUIDE.read_text("utf-8"))
    for name, content in files.items():
        if name:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(content)
    (tmp_path / "policy.yaml").write_text(POLICY)
    monkeypatch.chdir(tmp_path)
    return said


@pytest.fixture
def site(said: str, tmp_path: Path) -> Site:
    loaded = load_site(tmp_path / "site.yaml", installed())
    assert loaded.site is not None, (loaded.diagnostics, said)
    return loaded.site


def points(site: Site, device: str) -> dict[str, Point]:
    (found,) = (one for one in site.devices if one.id == device)
    return {point.id: point for point in found.points}


def test_the_guides_site_has_no_mistake(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(site.devices) == 14
    assert main(["check", "site.yaml", "--strict"]) == 0
    assert "14 devices, 124 points, 1 conduit: no errors" in capsys.readouterr().out


def test_one_entry_is_twelve_feeders(site: Site) -> None:
    assert [one.settings.url for one in site.devices[:12]] == [
        f"tcp://10.0.0.{n}:502" for n in range(11, 23)
    ]
    assert points(site, "f5")["ia"].name == "f5 current A"


def test_one_device_is_otherwise_where_its_entry_says_so(site: Site) -> None:
    t1 = points(site, "t1")
    assert (t1["ia"].name, t1["ib"].name) == ("T1 current A", "t1 current B")
    assert (t1["ia"].eu_hi, points(site, "f1")["ia"].eu_hi) == (1200, 400)
    assert (t1["ia"].ratio, points(site, "f1")["ia"].ratio) == (240, 80)
    assert "spare" not in t1
    assert site.devices[12].scans == {"fast": 0.5, "normal": 5}


def test_the_bays_of_a_block_lie_a_stride_apart(site: Site) -> None:
    bays = points(site, "rtu1")
    assert bays["b1_ia"].address == "hr 100"
    assert bays["b24_cb"].address == f"hr {104 + 23 * 40}.3"
    assert bays["b24_p"].name == "Bay 24 power"


def test_the_guides_mistake_looks_as_shown(said: str, capsys: pytest.CaptureFixture[str]) -> None:
    feeder = Path("templates/feeder.csv")
    feeder.write_text(feeder.read_text().replace("${rated}", "abc", 1))
    assert main(["check", "site.yaml"]) == 1
    assert capsys.readouterr().out.startswith(said)
