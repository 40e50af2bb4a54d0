"""What verbs look for on a box, where each part has a place of its own."""

from pathlib import Path

import pytest

from otgate.cli import box
from otgate.cli.box import bus_files, cursor_place, side_socket, spool_place


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    places = {"ETC": "etc/otgate", "RUN": "run", "CURSORS": "var/otgate-bus", "SPOOLS": "var/spool"}
    for name, place in places.items():
        monkeypatch.setattr(box, name, tmp_path / place)
    for side in ("field", "bus-analytics"):
        made(tmp_path / "run" / f"otgate-{side}" / f"{side}.sock")
    made(tmp_path / "etc/otgate/field/site.yaml")
    made(tmp_path / "etc/otgate/bus/analytics.yaml")
    return tmp_path


def made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_each_side_of_a_box_has_its_own_directory(root: Path) -> None:
    site = root / "etc/otgate/field/site.yaml"
    assert side_socket(site, None, "field") == root / "run/otgate-field/field.sock"
    found = side_socket(site, root / "run/otgate-field", "bus-analytics")
    assert found == root / "run/otgate-bus-analytics/bus-analytics.sock"


def test_a_site_of_somebody_else_never_asks_the_box(root: Path) -> None:
    site = made(root / "home/site.yaml")
    assert side_socket(site, None, "field") == root / "home/run/field.sock"


def test_sockets_that_stand_together_go_first(root: Path) -> None:
    site = root / "etc/otgate/field/site.yaml"
    together = made(root / "etc/otgate/field/run/field.sock")
    assert side_socket(site, None, "field") == together
    assert side_socket(site, root / "run/otgate-field", "field").parent.name == "otgate-field"


def test_bus_files_are_beside_the_site_or_beside_its_folder(root: Path) -> None:
    folder = root / "etc/otgate/field"
    assert bus_files(folder) == [root / "etc/otgate/bus/analytics.yaml"]
    beside = made(folder / "bus/control.yaml")
    assert bus_files(folder) == [beside]


def test_a_cursor_is_where_the_units_keep_it_unless_the_file_is_right(root: Path) -> None:
    file, told = root / "etc/otgate/bus/analytics.yaml", root / "etc/otgate/state"
    assert cursor_place(file, told, "analytics") == told
    kept = root / "var/otgate-bus/analytics"
    kept.mkdir(parents=True)
    assert cursor_place(file, told, "analytics") == kept
    assert cursor_place(root / "home/bus/analytics.yaml", told, "analytics") == told
    told.mkdir()
    assert cursor_place(file, told, "analytics") == told


def test_a_spool_is_where_the_units_read_it_unless_the_file_is_right(root: Path) -> None:
    file, told = root / "etc/otgate/bus/analytics.yaml", root / "etc/otgate/spool/analytics"
    kept = root / "var/spool/analytics"
    kept.mkdir(parents=True)
    assert spool_place(file, told, "analytics") == kept
    told.mkdir(parents=True)
    assert spool_place(file, told, "analytics") == told
