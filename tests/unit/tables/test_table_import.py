"""Somebody's tables as point maps: by a mapping, with a word on every cell that is lost."""

from pathlib import Path

import pytest
import yaml

from foreign_files import FOLDER, checked, report
from otgate.cli import main
from otgate.config.diagnostic import Severity
from otgate.config.site import check_sites
from otgate.driver import installed
from workbooks import rows

MAPPING = """\
config_version: 1
driver: modbus
settings: {url: "tcp://10.0.0.5"}
columns: {id: Tag, address: "hr {Reg}", kind: {value: measurement}, scale: Factor}
"""


class Bench:
    """A table and a mapping in a folder, and what an import of them says and writes."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.capsys = capsys

    def run(self, table: str | bytes, mapping: str | None = MAPPING, *words: str) -> int:
        file = self.folder / ("list.xlsx" if isinstance(table, bytes) else "list.csv")
        file.write_bytes(table if isinstance(table, bytes) else table.encode())
        options = [] if mapping is None else ["--mapping", str(self.mapped(mapping))]
        output = ["--output", str(self.folder / "out"), "--force"]
        return main(["import", "table", str(file), *options, *output, *words])

    def mapped(self, mapping: str) -> Path:
        path = self.folder / "mapping.yaml"
        path.write_text(mapping, "utf-8")
        return path

    def points(self, device: str = "list") -> list[str]:
        return (self.folder / "out" / "points" / f"{device}.csv").read_text("utf-8").splitlines()

    @property
    def said(self) -> str:
        return self.capsys.readouterr().err

    def lost(self, table: str | bytes, mapping: str = MAPPING) -> str:
        assert self.run(table, mapping) == 0
        assert not (self.folder / "out").exists()
        return self.said


@pytest.fixture
def bench(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Bench:
    return Bench(tmp_path, capsys)


def test_everything_written_and_said_is_as_it_was_read_by_a_person(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["table", str(FOLDER / "list.csv"), "--mapping", str(FOLDER / "list.yaml")]
    checked(report(tmp_path, capsys, *words), "list.expected")


def test_a_starting_site_passes_the_check(tmp_path: Path) -> None:
    words = ["table", str(FOLDER / "list.csv"), "--mapping", str(FOLDER / "list.yaml")]
    assert main(["import", *words, "--output", str(tmp_path), "--site", "lab"]) == 0
    (outcome,) = check_sites([tmp_path / "site.yaml"], installed())
    assert [one for one in outcome.diagnostics if one.severity is Severity.ERROR] == []


def test_what_is_guessed_is_printed_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["import", "table", str(FOLDER / "list.csv"), "--guess", "--driver", "modbus"]
    assert main([*words, "--output", str(tmp_path)]) == 0
    assert list(tmp_path.iterdir()) == []
    text = capsys.readouterr().out
    path = FOLDER / "list.guess.yaml"
    assert text == path.read_text("utf-8")


def test_a_guess_is_a_mapping_that_can_be_used(bench: Bench) -> None:
    guess = (FOLDER / "list.guess.yaml").read_text("utf-8")
    assert bench.run((FOLDER / "list.csv").read_text("utf-8"), guess) == 0
    assert "`modbus` of the device entry is an example's" in bench.said


def test_nothing_is_guessed_silently(bench: Bench) -> None:
    assert bench.run("Tag,Reg\nia,1\n", None) == 1
    assert "--guess" in bench.said


@pytest.mark.parametrize("name", ["Tag", "tag", "#A"])
def test_a_column_is_named_in_any_case_or_by_letter(bench: Bench, name: str) -> None:
    assert bench.run("Tag,Reg,Factor\nia,1,0.1\n", MAPPING.replace("Tag", f'"{name}"')) == 0
    assert bench.points()[1] == "ia,,measurement,hr 1,0.1,normal"


def test_a_column_that_is_not_there_is_asked_for(bench: Bench) -> None:
    assert bench.run("Tagg,Reg,Factor\nia,1,0.1\n") == 1
    assert "list.csv:1:1: the header has no column `Tag`; did you mean `Tagg`?" in bench.said


def test_two_columns_of_one_name_are_told_apart_by_letter(bench: Bench) -> None:
    assert bench.run("Tag,Reg,Reg,Factor\nia,1,2,0.1\n") == 1
    assert "write `#B` and `#C` instead" in bench.said
    assert bench.run("Tag,Reg,Reg,Factor\nia,1,2,1\n", MAPPING.replace("{Reg}", "{#C}")) == 0
    assert "hr 2" in bench.points()[1]


def test_every_mistake_of_a_mapping_is_said_with_its_place(bench: Bench) -> None:
    mapping = MAPPING.replace("id: Tag", "ident: Tag").replace("driver", "drver")
    assert bench.run("Tag,Reg,Factor\n", mapping) == 1
    said = bench.said
    assert "mapping.yaml:2:1" in said
    assert "a point map has no column `ident`" in said


def test_a_driver_that_is_not_installed_is_refused(bench: Bench) -> None:
    assert bench.run("Tag,Reg,Factor\n", MAPPING.replace("modbus", "profibus")) == 1
    assert "no driver `profibus` is installed" in bench.said


@pytest.mark.parametrize(
    ("mapped", "cells", "wanted"),
    [
        ("cells: {Reg: {add: -40001}}", "ia,40101,1", "hr 100"),
        ("cells: {Reg: {words: {first: 7}}}", "ia,FIRST,1", "hr 7"),
        ("cells: {Factor: {inverse: true}}", "ia,1,8", "0.125"),
        ("cells: {Factor: {inverse: true}}\ndecimal: ','", 'ia,1,"0,5"', "2.0"),
        ("decimal: ','", 'ia,1,"0,25"', "0.25"),
    ],
)
def test_cells_are_read_as_the_mapping_says(
    bench: Bench, mapped: str, cells: str, wanted: str
) -> None:
    assert bench.run(f"Tag,Reg,Factor\n{cells}\n", f"{MAPPING}{mapped}\n") == 0
    assert wanted in bench.points()[1].split(",")


def test_rows_that_are_no_points_are_skipped_by_their_words(bench: Bench) -> None:
    table = "Tag,Reg,Factor,Use\nia,1,1,yes\nib,2,1,Spare\n"
    assert bench.run(table, MAPPING + "skip: {Use: [spare]}\n") == 0
    assert len(bench.points()) == 2


def test_each_device_gets_its_own_map(bench: Bench) -> None:
    table = "Tag,Reg,Factor,RTU\nia,1,1,RTU 1\nia,1,1,RTU 2\nib,2,1,RTU 1\n"
    assert bench.run(table, MAPPING + "device: RTU\n") == 0
    assert [len(bench.points(name)) for name in ("rtu_1", "rtu_2")] == [3, 2]


def test_a_devices_rows_say_where_it_is(bench: Bench) -> None:
    table = "Tag,Reg,Factor,RTU,IP,No\nia,1,1,r1,10.0.0.7,4\nia,1,1,r2,10.0.0.8,5\nib,2,1,r2,,6\n"
    mapping = MAPPING.replace('settings: {url: "tcp://10.0.0.5"}\n', "")
    own = 'device: RTU\neach: {unit: No, url: "tcp://{IP}:503"}\n'
    assert bench.run(table, mapping + own) == 0
    blocks = []
    for name in ("r1", "r2"):
        text = (bench.folder / "out" / "devices" / f"{name}.yaml").read_text("utf-8")
        blocks.append(yaml.safe_load(text)[0]["modbus"])
    assert blocks == [
        {"unit": 4, "url": "tcp://10.0.0.7:503"},
        {"unit": 5, "url": "tcp://10.0.0.8:503"},
    ]
    assert "list.csv:4: unit is `6` here, but `5`, as above, was written" in bench.said


def test_an_id_is_made_of_any_name_and_the_name_is_kept(bench: Bench) -> None:
    assert bench.run("Tag,Reg,Factor\n=E01-Q1 Öl °C,1,1\n") == 0
    (row,) = bench.points()[1:]
    assert row == "e01-q1_oel_c,'=E01-Q1 Öl °C,measurement,hr 1,normal,'=E01-Q1 Öl °C"


def test_an_id_that_stands_twice_is_numbered_and_said(bench: Bench) -> None:
    assert bench.run("Tag,Reg,Factor\nia,1,1\nia,2,1\n") == 0
    assert [line.split(",")[0] for line in bench.points()] == ["id", "ia", "ia_2"]
    assert "list.csv:3: `ia` stands in row 2 too: here it became `ia_2`" in bench.said


def test_names_that_become_the_same_id_are_said(bench: Bench) -> None:
    assert bench.run("Tag,Reg,Factor\nI A,1,1\ni_a,2,1\n") == 0
    assert "list.csv:3: `i_a` stands in row 2 too: here it became `i_a_2`" in bench.said


@pytest.mark.parametrize(
    ("cells", "place", "why"),
    [
        ("ia,01. Feb,1", "column B", "a date, `01. Feb`"),
        ("ia,1.2.2024,1", "column B", "a date"),
        ("ia,Feb-24,1", "column B", "a date"),
        ("ia,2024-02-01,1", "column B", "a date"),
        ("ia,4.00001E+05,1", "column B", "an exponent"),
        ("ia,#REF!,1", "column B", "a failed formula"),
        ("ia,1,#DIV/0!", "column C", "a failed formula"),
        ("ia,1,=A1*2", "column C", "expected a number, found `=A1*2`"),
        ("ia,1,0.1 A", "column C", "units have a column of their own"),
        ("ia,,1", "list.csv:2", "it says no address"),
        ("ia,70000,1", "column B", "outside the addresses"),
        ("ia,x y,1", "column B", "no Modbus address"),
    ],
)
def test_a_cell_that_cannot_be_right_is_said_where_it_stands(
    bench: Bench, cells: str, place: str, why: str
) -> None:
    said = bench.lost(f"Tag,Reg,Factor\n{cells}\n")
    assert why in said
    assert place in said


def test_text_that_a_spreadsheet_spoilt_costs_no_point(bench: Bench) -> None:
    mapping = MAPPING.replace("scale: Factor", "name: Label")
    assert bench.run("Tag,Reg,Label\nia,1,#NAME?\n", mapping) == 0
    assert len(bench.points()) == 2
    assert "column C: a failed formula" in bench.said


def test_a_cell_of_a_workbook_is_named_as_people_name_it(bench: Bench) -> None:
    from datetime import date  # noqa: PLC0415  for this one cell

    said = bench.lost(rows(("Tag", "Reg", "Factor"), ("ia", date(2026, 2, 1), 1)))
    assert "list.xlsx, Points!B2: a date, `2026-02-01`" in said


def test_bit_1_and_bit_10_are_not_mixed_up(bench: Bench) -> None:
    said = bench.lost(rows(("Tag", "Reg", "Factor"), ("ia", 100.1, 1)))
    assert "Points!B2: bit 1 or bit 10" in said
    assert bench.run(rows(("Tag", "Reg", "Factor"), ("ia", "100.10", None))) == 0
    assert "hr 100.10" in bench.points()[1]


def test_a_percentage_of_a_workbook_is_a_deadband_in_percent(bench: Bench) -> None:
    from openpyxl import load_workbook  # noqa: PLC0415  for this one cell

    file = bench.folder / "band.xlsx"
    file.write_bytes(rows(("Tag", "Reg", "Band", "Max"), ("ia", 1, 0.005, 600)))
    book = load_workbook(file)
    book.active["C2"].number_format = "0.0%"
    book.save(file)
    mapping = MAPPING.replace("scale: Factor", "deadband: Band, eu_lo: {value: 0}, eu_hi: Max")
    assert bench.run(file.read_bytes(), mapping) == 0
    assert "0.5%" in bench.points()[1]


def test_a_classification_in_the_table_outlives_a_sites_default(bench: Bench) -> None:
    table = "id,kind,address,sensitivity\nia,measurement,hr 1,bcsi\nib,measurement,hr 2,\n"
    assert bench.run(table, None, "--driver", "modbus", "--url", "tcp://h") == 0
    assert [line.split(",")[-1] for line in bench.points()] == ["sensitivity", "bcsi", ""]


def test_a_table_with_the_columns_of_a_point_map_needs_no_mapping(bench: Bench) -> None:
    assert bench.run("kind,id,address\nstatus,cb,di 1\n", None, "--driver", "modbus") == 0
    assert bench.points() == ["id,name,kind,address,scan", "cb,,status,di 1,normal"]


def test_scan_classes_that_rows_name_are_written_with_a_word(bench: Bench) -> None:
    mapping = MAPPING.replace("scale: Factor", "scan: Rate")
    assert bench.run("Tag,Reg,Rate\nia,1,Fast Poll\n", mapping) == 0
    assert "2 s was written: `Fast Poll`" in bench.said
    text = (bench.folder / "out" / "devices" / "list.yaml").read_text("utf-8")
    (entry,) = yaml.safe_load(text)
    assert entry["scans"] == {"normal": 2.0, "fast_poll": 2.0}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_ragged_rows_and_quoted_line_ends_are_read(bench: Bench, delimiter: str) -> None:
    table = 'Tag,Reg,Factor\n"i\na",1\nib,2,1,,,\n\n'.replace(",", delimiter)
    assert bench.run(table) == 0
    assert [line.split(",")[0] for line in bench.points()] == ["id", "i_a", "ib"]


def test_a_mapping_may_put_the_header_further_down(bench: Bench) -> None:
    assert bench.run("Point list\n\nTag,Reg,Factor\nia,1,1\n", MAPPING + "header: 3\n") == 0
    assert bench.run("Point list\n", MAPPING + "header: 9\n") == 1


@pytest.mark.parametrize("table", ["", "\n\n", '"', "a" * 200_000, b"PK\x03\x04nonsense"])
def test_what_is_no_table_is_refused(bench: Bench, table: str | bytes) -> None:
    assert bench.run(table) == 1
    assert bench.said.startswith("otgate: list.")


def test_no_name_commands_a_terminal(bench: Bench) -> None:
    assert bench.run("Tag,Reg,Factor\nia\x1b[31m,\x1b[2J,1\n") == 0
    assert "\x1b" not in bench.said
