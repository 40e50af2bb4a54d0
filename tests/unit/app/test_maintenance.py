"""Switches of devices: kept, and what they make of a site."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from otgate.app.maintenance import Maintenance, Switched, now_told
from otgate.config.site import Site
from sites import loaded

ON = Switched(on=True, by="ann", why="injection", at=now_told())


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = loaded(tmp_path / "site").site
    assert site is not None
    return site


def test_a_switch_holds_over_a_restart(tmp_path: Path, site: Site) -> None:
    Maintenance(tmp_path).switch("f3", ON)
    again = Maintenance(tmp_path)
    assert again.switched == {"f3": ON}
    assert [device.maintenance for device in again.of(site).devices] == [True]
    assert again.status(again.of(site)) == {
        "f3": {"maintenance": True, "on": True, "by": "ann", "why": "injection", "at": ON.at}
    }


def test_a_device_that_was_not_switched_is_the_very_same(tmp_path: Path, site: Site) -> None:
    maintenance = Maintenance(tmp_path)
    assert maintenance.of(site).devices[0] is site.devices[0]
    maintenance.switch("f3", Switched(on=False, by="ann", why="", at=""))
    assert maintenance.of(site).devices[0] is site.devices[0]
    assert maintenance.status(site)["f3"]


def test_the_site_file_has_it_again(tmp_path: Path, site: Site) -> None:
    maintenance = Maintenance(tmp_path)
    maintenance.switch("f3", ON)
    maintenance.switch("f3", None)
    assert Maintenance(tmp_path).switched == {}
    assert maintenance.status(site) == {}


@pytest.mark.parametrize("text", ["{", "[]", '{"f3": 7}', '{"f3": {"on": true}}'])
def test_a_file_that_cannot_be_read_is_said_and_switches_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "maintenance.json").write_text(text)
    with capture_logs() as logs:
        assert Maintenance(tmp_path).switched == {}
    assert [each["event"] for each in logs] == ["maintenance_unreadable"]
