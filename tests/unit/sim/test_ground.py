"""The lab's copy of a site."""

from pathlib import Path

import pytest

from otgate.config.bus import load_bus
from otgate.errors import Refused
from otgate_sim.lab.ground import buses, conduit_of, copied, own_site, point_at

URL = "mqtt://127.0.0.1:18830"


def test_the_lab_site_is_found_and_has_its_files() -> None:
    site = own_site()
    assert (site / "policy.yaml").is_file()
    assert [bus.stem for bus in buses(site / "site.yaml")] == ["analytics", "operations"]


def test_a_copy_leaves_what_a_running_gateway_wrote_behind(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in ("spool/analytics", "state", "run", "points"):
        (source / name).mkdir(parents=True)
    (source / "site.yaml").write_text("config_version: 1\n")
    copy = copied(source, tmp_path)
    assert sorted(entry.name for entry in copy.parent.iterdir()) == ["points", "site.yaml"]


def test_a_site_file_may_be_named_instead_of_its_folder(tmp_path: Path) -> None:
    assert copied(own_site() / "site.yaml", tmp_path).name == "site.yaml"


def test_a_folder_without_a_site_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"holds no site\.yaml"):
        copied(tmp_path, tmp_path)


def test_a_site_without_bus_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"holds no bus"):
        buses(tmp_path / "site.yaml")


@pytest.mark.parametrize(
    "brokers", ['brokers: ["mqtt://127.0.0.1:1883"]', "brokers:\n  - mqtt://a\n  - mqtt://b:1"]
)
def test_a_bus_file_is_pointed_at_the_lab_s_broker(tmp_path: Path, brokers: str) -> None:
    bus = tmp_path / "bus" / "analytics.yaml"
    bus.parent.mkdir()
    bus.write_text(f"config_version: 1\nconduit: analytics\n{brokers}\nlast: on\n")
    point_at(bus, URL)
    loaded, diagnostics = load_bus(bus)
    assert loaded is not None, diagnostics
    assert (list(loaded.brokers), loaded.conduit, loaded.last) == ([URL], "analytics", "on")


def test_a_bus_file_without_brokers_is_refused(tmp_path: Path) -> None:
    bus = tmp_path / "x.yaml"
    bus.write_text("conduit: x\n")
    with pytest.raises(Refused, match="names no brokers"):
        point_at(bus, URL)


def test_a_wrong_bus_file_is_refused_with_its_mistake(tmp_path: Path) -> None:
    bus = tmp_path / "x.yaml"
    bus.write_text("conduit: X!\n")
    with pytest.raises(Refused, match="conduit"):
        conduit_of(bus)
