from otgate.cli.document import Heading, Table, as_html, as_markdown, as_text

TABLE = Table(("a", "b_c"), [("x|y", "<i>"), ("crosses", "_z")], "crosses")


def test_markdown_keeps_what_a_file_says_from_being_markup() -> None:
    assert as_markdown([Heading("T*", 1), "see [this](x)", TABLE]) == (
        "# T\\*\n\nsee \\[this\\](x)\n\n"
        "| a | b_c |\n| --- | --- |\n| x\\|y | \\<i\\> |\n| crosses | \\_z |\n"
    )


def test_a_cell_stays_on_its_line() -> None:
    assert "| one two |" in as_markdown([Table(("a",), [("one\ntwo",)])])


def test_html_is_one_page_without_markup_of_others() -> None:
    page = as_html([Heading("<T>", 1), "a & b", TABLE])
    assert "<title>&lt;T&gt;</title>" in page
    assert "<p>a &amp; b</p>" in page
    assert "<td>&lt;i&gt;</td>" in page
    assert '<td class="crosses">crosses</td>' in page
    assert "<script" not in page
    assert "://" not in page


def test_an_empty_table_is_left_out() -> None:
    assert as_markdown([Table(("a",), []), "end"]) == "end\n"
    assert "<table>" not in as_html([Table(("a",), [])])


def test_text_is_aligned() -> None:
    assert as_text(Table(("a", "b"), [("long", "x")])) == "a     b\nlong  x"
