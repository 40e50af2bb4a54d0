"""Foreign files as bytes and text: capped, decoded or refused with a place."""

from pathlib import Path

import pytest

from otgate.foreign.names import Ids, one_line, prose, quoted
from otgate.foreign.sheet import MAX_COLUMNS, MAX_ROWS, read_csv
from otgate.foreign.text import ForeignRefused, decoded, read_bytes, seconds


def refusal(raw: bytes, encoding: str | None = None) -> ForeignRefused:
    with pytest.raises(ForeignRefused) as refused:
        decoded(raw, "list.csv", encoding)
    return refused.value


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_marked_text_is_decoded_whatever_a_person_says(encoding: str) -> None:
    assert decoded("id;°C\n".encode(encoding), "f", "cp1252") == "id;°C\n"


def test_another_encoding_is_asked_for_at_its_place() -> None:
    refused = refusal("id\nname °C\n".encode("cp1252"))
    assert (refused.line, refused.column) == (2, 6)
    assert "--encoding cp1252" in refused.message


def test_a_file_pasted_together_is_read_line_by_line() -> None:
    mixed = "Öl\n".encode("cp1252") + "Öl\n".encode()
    assert decoded(mixed, "f", "cp1252") == "Öl\nÖl\n"


def test_a_byte_that_the_encoding_lacks_is_refused_with_its_line() -> None:
    assert "neither UTF-8 nor cp1252" in refusal(b"a\nb\x81\n", "cp1252").message


@pytest.mark.parametrize("start", [b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF", b"\x1f\x8b"])
def test_what_is_no_text_is_called_by_its_name(start: bytes) -> None:
    assert "not text" in refusal(start + b"rest").message


def test_a_large_file_is_not_read_at_all(tmp_path: Path) -> None:
    file = tmp_path / "large"
    with file.open("wb") as large:
        large.truncate(1 << 40)
    with pytest.raises(ForeignRefused, match="larger than 16 MB"):
        read_bytes(file)


@pytest.mark.parametrize("name", ["missing", ".", "a\x00b"])
def test_what_is_no_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ForeignRefused):
        read_bytes(tmp_path / name)


def test_a_device_without_an_end_is_no_file() -> None:
    with pytest.raises(ForeignRefused, match="not a file"):
        read_bytes(Path("/dev/zero"))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("10s", 10), ("1m30s", 90), ("500ms", 0.5), ("1.5h", 5400), ("", None), ("10", None)],
)
def test_spans_of_time_are_read_as_go_writes_them(text: str, wanted: float | None) -> None:
    assert seconds(text) == wanted


def test_ids_are_spelled_out_and_given_once() -> None:
    ids = Ids()
    assert ids.give("Öl-Temp. °C") == "oel-temp__c"
    assert [ids.give("x"), ids.give("X"), ids.give("?"), ids.give("x", "2")] == [
        "x", "x_2", "x_3", "x_2_2",
    ]  # fmt: skip


def test_many_equal_names_are_numbered_in_linear_time() -> None:
    ids = Ids()
    assert [ids.give("spare") for _ in range(20_000)][-1] == "spare_20000"


def test_no_foreign_text_commands_a_terminal() -> None:
    name = "a\x1b[31mb\r\n=1\u202e"
    assert one_line(name).isprintable()
    assert prose(name).isprintable()
    assert quoted(name).isprintable()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x," * 600_000, "a line of more than a million characters"),
        ("x\n" * (MAX_ROWS + 1), "more than 60,000 rows"),
        (",".join("x" * (MAX_COLUMNS + 1)), "columns"),
        ("a\n" + "b" * 200_000, "list.csv:2:1"),
    ],
)
def test_a_table_like_no_real_one_is_refused(text: str, said: str) -> None:
    with pytest.raises(ForeignRefused, match=said):
        read_csv(text.encode(), "list.csv")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_what_stands_between_cells_is_found_out(delimiter: str) -> None:
    text = 'id,"a;b",c\n1,2,3\n'.replace(",", delimiter)
    sheet = read_csv(text.encode(), "f")
    assert [row.width for row in sheet.rows] == [3, 3]
    assert read_csv(f"sep={delimiter}\nid{delimiter}b\n".encode(), "f").rows[0].number == 2
