import pytest
from hypothesis import given
from hypothesis import strategies as st

from otgate.config.diagnostic import Diagnostics
from otgate.config.source import Source
from otgate.config.table import Table, table_of


def table(text: str) -> Table:
    return table_of(Source("p.csv", text))


def cells(text: str) -> list[list[str]]:
    return [row.cells for row in table(text).rows(Diagnostics())]


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [
        ("id,kind", ","),
        ("id;kind", ";"),
        ("id\tkind", "\t"),
        ('"a;b;c;d",kind', ","),
        ("id", ","),
        ("sep=;\nid,x;kind", ";"),
    ],
)
def test_the_header_tells_the_delimiter(header: str, delimiter: str) -> None:
    assert table(header).delimiter == delimiter


def test_a_separator_line_is_no_header() -> None:
    assert cells("sep=;\nid;kind\nia;status\n") == [["id", "kind"], ["ia", "status"]]


def test_rows_know_their_lines_across_quoted_line_ends_and_blanks() -> None:
    rows = list(table('id,x\n\n"a\nb",1\n,\nc,2\n').rows(Diagnostics()))
    assert [(row.cells[0], row.line, row.last_line) for row in rows] == [
        ("id", 1, 1),
        ("a\nb", 3, 4),
        ("c", 6, 6),
    ]


def test_cells_are_found_behind_quotes_and_line_ends() -> None:
    text = 'id,note,kind\nia,"a, ""b""\nc",x\n'
    place = table(text).place(2, 2)
    assert (place.line, place.column, place.end_column) == (3, 4, 5)
    place = table(text).place(2, 1)
    assert (place.line, place.column, place.end_column) == (2, 4, 13)


def test_an_empty_cell_has_a_place_of_one_character() -> None:
    place = table("id,kind,x\n,,\n").place(2, 1)
    assert (place.column, place.end_column) == (2, 3)


@pytest.mark.parametrize("text", ['id\n"open\n', 'id\n"a"b\n'])
def test_broken_quoting_ends_the_table_with_a_word(text: str) -> None:
    found = Diagnostics()
    assert len(list(table(text).rows(found))) == 1
    assert [(one.code, one.line) for one in found] == [("bad-csv", 2)]


@given(
    st.lists(
        st.lists(st.text(st.sampled_from('ab,;"\n é'), max_size=4), min_size=3, max_size=3),
        min_size=1,
        max_size=5,
    )
)
def test_every_cell_is_found_where_it_was_written(rows: list[list[str]]) -> None:
    def quoted(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"'

    text = "x,y,z\n" + "".join(",".join(map(quoted, row)) + "\n" for row in rows)
    read = table(text)
    for row in list(read.rows(Diagnostics()))[1:]:
        for column, cell in enumerate(row.cells):
            place = read.place(row.line, column)
            shown = read.source.lines[place.line - 1][place.column - 1 : place.end_column - 1]
            assert shown == quoted(cell).split("\n")[0]
