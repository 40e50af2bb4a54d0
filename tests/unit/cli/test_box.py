"""What verbs look for on a box, where each part has a place of its own."""

from pathlib import Path

import pytest

from otgate.cli import box
from otgate.cli.box import (
    bus_files,
    cursor_place,
    side_socket,
    socket_directories,
    spool_place,
)
from otgate.cli.places import sides
from otgate.errors import Refused


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


def test_the_sockets_of_a_box_are_found_by_its_site_or_without_any(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart = [root / "run/otgate-bus-analytics", root / "run/otgate-field"]
    assert socket_directories(root / "etc/otgate/field", None) == apart
    monkeypatch.chdir(root / "etc")
    assert socket_directories(Path(), None) == apart
    assert [path.name for path in sides(apart)] == ["bus-analytics.sock", "field.sock"]


def test_what_is_named_or_here_is_meant_and_not_the_box(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = made(root / "home/site.yaml").parent
    monkeypatch.chdir(site)
    assert socket_directories(Path(), None) == [Path("run")]
    assert socket_directories(root / "nowhere", None) == [root / "run"]
    assert socket_directories(Path(), root / "elsewhere") == [root / "elsewhere"]


def test_a_directory_that_was_removed_under_our_feet_is_no_traceback(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = root / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert socket_directories(Path(), root / "elsewhere") == [root / "elsewhere"]
    assert [path.name for path in socket_directories(Path(), None)] == [
        "otgate-bus-analytics",
        "otgate-field",
    ]


def test_a_box_where_nothing_runs_says_so(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(box, "RUN", root / "empty")
    site = root / "etc/otgate/field"
    with pytest.raises(Refused, match=f"nothing runs: there is no socket in {site / 'run'}"):
        sides(socket_directories(site, None))
