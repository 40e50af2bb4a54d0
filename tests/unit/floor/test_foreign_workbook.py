"""Workbooks: every sort of cell read as it was meant or said to be spoilt; bombs not unpacked."""

import struct
from collections.abc import Sequence
from contextlib import suppress
from datetime import date, datetime, time

import pytest
from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from otgate.foreign import worksheet
from otgate.foreign.sheet import Cell, Sheet, Spoilt, letters
from otgate.foreign.text import ForeignRefused
from otgate.foreign.workbook import read_workbook
from otgate.foreign.worksheet import MAX_MERGED
from workbooks import MAIN, parts, rows, saved, workbook


def read(raw: bytes, sheet: str | None = None) -> Sheet:
    return read_workbook(raw, "list.xlsx", sheet)


def cells(raw: bytes) -> list[list[Cell]]:
    return [[row.at(column) for column in range(row.width)] for row in read(raw).rows]


def cell(value: object, number_format: str | None = None) -> Cell:
    def fill(sheet: Worksheet) -> None:
        sheet.append([value])
        sheet["A1"].number_format = number_format or sheet["A1"].number_format

    ((found,),) = cells(workbook(fill))
    return found


def refusal(raw: bytes, sheet: str | None = None) -> str:
    with pytest.raises(ForeignRefused) as refused:
        read(raw, sheet)
    return str(refused.value)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("ia", "ia"), (40001, "40001"), (0.1, "0.1"), (-2.5e-7, "-2.5e-07"), (1e300, "1e+300"),
        ("007", "007"), (True, "true"), (False, "false"), ("a\nb", "a\nb"), ("=", "="),
        ("Öl °C 🌡", "Öl °C 🌡"),
        (2**53, "9007199254740992"), (123456789012345, "123456789012345"),
    ],
)  # fmt: skip
def test_a_value_is_read_as_it_is_written(value: object, wanted: str) -> None:
    assert cell(value) == wanted


@pytest.mark.parametrize(
    "value",
    [date(2026, 2, 1), datetime(2026, 2, 1, 12, 30), time(1, 2)],  # noqa: DTZ001  no zone there
)
def test_a_date_where_something_was_typed_is_no_value(value: object) -> None:
    found = cell(value)
    assert isinstance(found, Spoilt)
    assert found.why == "a date"
    assert "1-2" in found.help


@pytest.mark.parametrize("number_format", ["d. mmm", "[$-407]dd.mm.yyyy", "[h]:mm", "yyyy"])
def test_a_format_of_dates_makes_a_number_one(number_format: str) -> None:
    assert isinstance(cell(45000, number_format), Spoilt)


@pytest.mark.parametrize("number_format", ["0.00", '0.0 "days"', "0\\d", "#,##0;[Red]-#,##0"])
def test_letters_that_a_format_writes_make_no_date(number_format: str) -> None:
    assert cell(45000, number_format) == "45000"


@pytest.mark.parametrize(("value", "wanted"), [(0.01, "1%"), (0.005, "0.5%"), (0.07, "7%")])
def test_a_percentage_is_what_the_person_sees(value: float, wanted: str) -> None:
    assert cell(value, "0.00%") == cell(value, "0%") == wanted


@pytest.mark.parametrize("error", ["#REF!", "#N/A", "#DIV/0!"])
def test_a_failed_formula_is_no_value(error: str) -> None:
    found = cell(error)
    assert isinstance(found, Spoilt)
    assert (found.shown, found.why) == (error, "a failed formula")


def test_a_formula_whose_result_is_missing_is_no_value() -> None:
    found = cell("=1+1")
    assert isinstance(found, Spoilt)
    assert "save it" in found.help


def test_the_last_result_of_a_formula_is_its_value() -> None:
    data = '<sheetData><row><c t="str"><f>A&amp;B</f><v>ia</v></c><c><f>1+1</f><v>2</v></c></row>'
    assert cells(parts(data + "</sheetData>")) == [["ia", "2"]]


def test_rows_and_cells_need_no_numbers() -> None:
    data = "<sheetData><row><c><v>1</v></c></row><row><c/><c t='inlineStr'><is><t>x</t></is></c>"
    assert cells(parts(data + "</row></sheetData>")) == [["1"], ["", "x"]]


def test_a_cell_is_named_as_a_spreadsheet_names_it() -> None:
    sheet = read(rows(("id",), ("a",)))
    assert sheet.place(2, 0) == "list.xlsx, Points!A2"
    assert [letters(n) for n in (0, 25, 26, 701, 702)] == ["A", "Z", "AA", "ZZ", "AAA"]


def test_characters_that_xml_lacks_come_through() -> None:
    runs = "<r><t>a_x000D_</t></r><r><t>b_x005F_x</t></r><rPh><t>?</t></rPh>"
    shared = f'<sst xmlns="{MAIN}"><si>{runs}</si></sst>'
    rels = '<Relationships><Relationship Id="b" Type="x/worksheet" Target="worksheets/s.xml"/>'
    rels += '<Relationship Id="c" Type="x/sharedStrings" Target="/xl/t.xml"/></Relationships>'
    data = "<sheetData><row><c t='s'><v>0</v></c><c t='s'><v>7</v></c></row></sheetData>"
    (row,) = cells(parts(data, {"xl/t.xml": shared, "xl/_rels/workbook.xml.rels": rels}))
    assert row[0] == "a\rb_x"
    assert isinstance(row[1], Spoilt)


def test_the_first_sheet_to_be_seen_is_read_and_a_hidden_one_is_named() -> None:
    book = Workbook()
    first, second = book.active, book.create_sheet("Real")
    assert isinstance(first, Worksheet)
    first.title, first.sheet_state = "Old", "hidden"
    second.append(["id"])
    sheet = read(saved(book))
    assert sheet.name == "Real"
    assert "`Old` is hidden" in " ".join(sheet.remarks)
    assert read(saved(book), "Old").name == "Old"
    assert "there is: `Old`, `Real`" in refusal(saved(book), "None")


def test_what_merged_cells_say_holds_for_each_row() -> None:
    def fill(sheet: Worksheet) -> None:
        for row in (("dev", "id"), ("d1", "a"), (None, "b"), (None, "c"), ("d2", "d")):
            sheet.append(row)
        sheet.merge_cells("A2:A4")

    sheet = read(workbook(fill))
    assert [row.at(0) for row in sheet.rows] == ["dev", "d1", "d1", "d1", "d2"]
    assert "merged" in sheet.remarks[0]


def test_hidden_rows_are_read_and_said() -> None:
    def fill(sheet: Worksheet) -> None:
        sheet.append(["id"])
        sheet.append(["a"])
        sheet.row_dimensions[2].hidden = True

    sheet = read(workbook(fill))
    assert len(sheet.rows) == 2
    assert sheet.remarks == ["1 rows are hidden in the sheet, and were read"]


def test_a_bomb_is_refused_by_what_it_declares() -> None:
    assert "unpacks to more than 48 MB" in refusal(parts("<sheetData/>" + " " * (49 << 20)))


def test_a_part_that_lies_about_its_size_is_damaged() -> None:
    raw = bytearray(parts("<sheetData>" + " " * 9999 + "</sheetData>"))
    at = raw.rfind(b"PK\x01\x02")  # the last part is the sheet
    raw[at + 24 : at + 28] = struct.pack("<I", 10)
    refusal(bytes(raw))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("<sheetData><row>" + "<c/>" * 101 + "</row></sheetData>", "more than 100 cells"),
        ("<sheetData><row>" + "<x:c/>" * 101 + "</row></sheetData>", "more than 100 cells"),
        ("<sheetData><row><c r='XFD1'><v>1</v></c></row></sheetData>", "columns"),
        ("<sheetData><row r='2'/><row r='1'/></sheetData>", "row 1 stands after row 2"),
        ("<sheetData>" + "<row/>" * 41 + "</sheetData>", "rows"),
        ("<x/>" * 600, "elements"),
        ("<sheetData>", "no XML"),
        (f"<mergeCells><mergeCell ref='A1:A{MAX_MERGED + 1}'/></mergeCells>", "merged"),
    ],
)  # fmt: skip
def test_a_sheet_like_no_real_one_is_refused(
    monkeypatch: pytest.MonkeyPatch, data: str, said: str
) -> None:
    monkeypatch.setattr(worksheet, "MAX_CELLS", 100)
    monkeypatch.setattr(worksheet, "MAX_ROWS", 20)
    monkeypatch.setattr(worksheet, "MAX_MARKS", 600)
    assert said in refusal(parts(data))


def test_a_declared_document_type_is_refused() -> None:
    text = '<!DOCTYPE w [<!ENTITY a "aaaa">]><worksheet>&a;</worksheet>'
    assert "document type" in refusal(parts("", {"xl/worksheets/s.xml": text}))


@pytest.mark.parametrize("at", [0, 30, 200, 500, -1, -10, -22, -40])
def test_a_workbook_cut_short_is_refused(at: int) -> None:
    refusal(rows(("id", "kind"), ("a", "status"))[:at])


def test_an_archive_of_countless_parts_is_refused() -> None:
    raw = bytearray(rows(("id",)))
    at = raw.rfind(b"PK\x05\x06")
    raw[at + 12 : at + 16] = struct.pack("<I", 1 << 30)
    assert "more parts" in refusal(bytes(raw))


def test_an_archive_of_something_else_is_no_workbook() -> None:
    raw = parts("", {"_rels/.rels": "<Relationships/>"})
    assert "no workbook" in refusal(raw)


def flipped(raw: bytes, positions: Sequence[int]) -> bytes:
    changed = bytearray(raw)
    for position in positions:
        changed[position % len(raw)] ^= 0xFF
    return bytes(changed)


@pytest.mark.parametrize("seed", range(30))
def test_a_damaged_workbook_is_read_or_refused(seed: int) -> None:
    raw = flipped(rows(("id", "kind"), ("a", 1.5), ("b", date(2026, 1, 1))), [seed * 97])
    with suppress(ForeignRefused):
        read(raw)
