"""Point maps as tables: what was exported imports as the same points."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from otgate.cli import main
from otgate.config.diagnostic import Diagnostics
from otgate.config.guard import guarded, unguarded
from otgate.config.point_map import Ground, read_points
from otgate.config.site import load_site
from otgate.config.source import Source
from otgate.config.written import IN_FORCE, as_csv, point_map, table_of
from otgate.driver import installed
from otgate.foreign.workbook import read_workbook
from otgate.model import Device, Kind, Point, Sensitivity
from otgate.tables.workbook import workbook

CONFIG = Path(__file__).parents[3] / "config"
SITES = sorted(CONFIG.glob("*/site.yaml"))
MAPS = sorted(CONFIG.glob("templates/*/*.csv"))
CELLS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff"), max_size=12
)


def devices(site: Path) -> Sequence[Device]:
    outcome = load_site(site, installed())
    assert outcome.site is not None, outcome.diagnostics
    return outcome.site.devices


def reread(text: str, scans: dict[str, float], ground: Ground | None = None) -> list[Point]:
    found = Diagnostics()
    read = read_points(Source("p.csv", text), ground or Ground("", scans), found)
    assert list(found) == []
    assert read is not None
    return list(read.points)


def bare(points: Sequence[Point]) -> list[Point]:
    """Return points without their zone, which the device entry says."""
    return [
        Point(**{**{f: getattr(p, f) for f in p.__struct_fields__}, "zone": ""}) for p in points
    ]


def unpacked(raw: bytes) -> list[list[str]]:
    sheet = read_workbook(raw, "p.xlsx", None)
    width = sheet.rows[0].width
    return [[str(row.at(column)) for column in range(width)] for row in sheet.rows]


@pytest.mark.parametrize("site", SITES, ids=lambda path: path.parent.name)
def test_every_example_is_the_same_after_export_and_import(site: Path) -> None:
    for device in devices(site):
        rows = table_of(device.points, IN_FORCE)
        assert reread(as_csv(rows), dict(device.scans)) == bare(device.points)
        assert unpacked(workbook(rows, device.id)) == rows


@pytest.mark.parametrize("path", MAPS, ids=lambda path: path.stem)
def test_every_template_is_the_same_after_export_and_import(path: Path) -> None:
    scans = {"normal": 2.0, "fast": 0.5, "slow": 60.0}
    points = reread(path.read_text("utf-8"), scans)
    rows = table_of(points, IN_FORCE)
    assert reread(as_csv(rows), scans) == points
    assert unpacked(workbook(rows, "t")) == rows


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_the_command_line_goes_there_and_back(tmp_path: Path, form: str) -> None:
    out, back = tmp_path / "out", tmp_path / "back"
    assert main(["export", str(CONFIG / "lab"), "f2", "--format", form, "--output", str(out)]) == 0
    table = ["import", "table", str(out / f"f2.{form}"), "--driver", "modbus"]
    assert main([*table, "--url", "tcp://h", "--output", str(back)]) == 0
    device = next(one for one in devices(CONFIG / "lab" / "site.yaml") if one.id == "f2")
    text = (back / "points" / "f2.csv").read_text("utf-8")
    assert reread(text, dict(device.scans)) == bare(device.points)


@pytest.mark.parametrize("form", ["csv", "xlsx"])
@pytest.mark.parametrize("name", ["${x}", "$${x}", "=${x}", "a$b", "'=x", "$"])
def test_what_would_be_filled_in_or_computed_is_neither(
    tmp_path: Path, form: str, name: str
) -> None:
    point = Point("a", Kind.STATUS, "di 1", name=name, scan="normal")
    rows = table_of([point], IN_FORCE)
    file = tmp_path / f"f.{form}"
    file.write_bytes(workbook(rows, "f") if form == "xlsx" else as_csv(rows).encode())
    table = ["import", "table", str(file), "--driver", "modbus", "--output", str(tmp_path)]
    assert main(table) == 0
    text = (tmp_path / "points" / "f.csv").read_text("utf-8")
    assert reread(text, {"normal": 2.0}) == [point]


def test_one_device_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(CONFIG / "lab"), "m1"]) == 0
    assert capsys.readouterr().out.startswith("id,name,description")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nobody"], "no device `nobody`"),
        ([], "say where to write"),
        (["m1", "--format", "xlsx"], "say where to write"),
    ],
)
def test_what_cannot_be_exported_is_said(
    capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(["export", str(CONFIG / "lab"), *words]) == 1
    assert said in capsys.readouterr().err


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    once = ["export", str(CONFIG / "lab"), "m1", "--output", str(tmp_path)]
    assert [main(once), main(once), main([*once, "--force"])] == [0, 1, 0]


def test_the_same_points_are_the_same_bytes() -> None:
    rows = [["id"], ["a"]]
    assert workbook(rows, "x") == workbook(rows, "x")


def test_a_spreadsheet_sees_texts_alone(tmp_path: Path) -> None:
    rows = [["id", "name"], ["a", "=1+1"], ["40001", "1-2"], ["b", "-2"], ["c", "@x\ny"]]
    path = tmp_path / "t.xlsx"
    path.write_bytes(workbook(rows, "a/b:c*d?e[f]g" * 4))
    sheet = load_workbook(path).active
    assert [[cell.value for cell in row] for row in sheet.iter_rows()] == rows
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "inlineStr"}
    assert {cell.number_format for row in sheet.iter_rows() for cell in row} == {"@"}


def test_what_a_spreadsheet_saves_again_is_still_the_same(tmp_path: Path) -> None:
    rows = [["id", "name", "scale"], ["a", "=E01-Q1 °C", "1e-3"], ["b", "'", "0.1"]]
    path = tmp_path / "t.xlsx"
    path.write_bytes(workbook(rows, "t"))
    book = load_workbook(path)
    book.save(path)
    assert unpacked(path.read_bytes()) == rows


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(CELLS.map(str.strip), min_size=2, max_size=2), min_size=1, max_size=4))
def test_any_text_comes_back_from_a_workbook(rows: list[list[str]]) -> None:
    given_rows = [["h1", "h2"], *rows]
    wanted = [row for row in given_rows if any(row)]
    assert unpacked(workbook(given_rows, "t")) == wanted


@given(CELLS)
def test_a_guarded_cell_is_no_formula_and_comes_back(cell: str) -> None:
    assert unguarded(guarded(cell)) == cell
    shown = guarded(cell)
    assert shown[:1] not in tuple("=@") or not shown


@pytest.mark.parametrize("cell", ["-40", "+1e-3", "-.5"])
def test_a_number_stays_a_number(cell: str) -> None:
    assert guarded(cell) == cell


@pytest.mark.parametrize("name", ["=E01-Q1", "+S1", "-Q1", "@x", "'=x", "''+x", "'x", "="])
def test_a_designation_is_read_as_it_was_written(name: str) -> None:
    point = Point("a", Kind.STATUS, "1", name=name, place=(name, "", "", "", ""), scan="normal")
    text = point_map([point])
    assert reread(text, {"normal": 2.0}) == [point]
    cells = next(csv.reader(io.StringIO(text.splitlines()[1])))
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)


def test_what_a_sites_defaults_say_is_written_out() -> None:
    point = Point("a", Kind.STATUS, "1", scan="normal")
    ground = Ground("", {"normal": 2.0}, sensitivity=Sensitivity.PUBLIC, max_age_s=30.0)
    assert reread(as_csv(table_of([point], IN_FORCE)), {}, ground) == [point]
