import json
from collections.abc import Sequence

import pytest

from otgate.config.diagnostic import Diagnostic, Severity
from otgate.config.render import Colour, Form, rendered

LINES = {"site.yaml": ["devices:"] * 8 + ["        dedband: 0.5"]}
WRONG = Diagnostic(
    "unknown-key",
    Severity.ERROR,
    "site.yaml",
    9,
    9,
    16,
    "unknown key `dedband`",
    "did you mean `deadband`?",
)


def lines(name: str) -> Sequence[str]:
    return LINES.get(name, [])


def shown(line: str, column: int, end_column: int) -> list[str]:
    one = Diagnostic("x", Severity.ERROR, "f", 1, column, end_column, "m")
    return rendered([one], lines=lambda _: [line]).splitlines()[3:5]


def test_the_full_form_shows_the_line_and_what_to_write() -> None:
    assert rendered([WRONG], lines=lines) == (
        "error[unknown-key]: unknown key `dedband`\n"
        "  --> site.yaml:9:9\n"
        "   |\n"
        " 9 |         dedband: 0.5\n"
        "   |         ^^^^^^^\n"
        " help: did you mean `deadband`?\n"
        "\n"
        "1 error in 1 file"
    )


def test_a_line_that_is_gone_is_not_shown() -> None:
    assert "|" not in rendered([WRONG], lines=lambda _: [])


def test_the_concise_form_is_a_line() -> None:
    assert rendered([WRONG], Form.CONCISE) == (
        "site.yaml:9:9: error[unknown-key] unknown key `dedband` (did you mean `deadband`?)"
    )


def test_the_json_form_is_a_list_of_what_is_known() -> None:
    (one,) = json.loads(rendered([WRONG], Form.JSON))
    assert list(one) == [
        "code",
        "severity",
        "file",
        "line",
        "column",
        "end_column",
        "message",
        "help",
        "uses",
    ]
    assert (one["severity"], one["line"]) == ("error", 9)
    assert json.loads(rendered([], Form.JSON)) == []


def test_the_github_form_escapes_what_commands_are_made_of() -> None:
    one = Diagnostic("x", Severity.WARNING, "a,b:c.yaml", 1, 2, 3, "100 % wrong", "next\nline")
    assert rendered([one], Form.GITHUB) == (
        "::warning file=a%2Cb%3Ac.yaml,line=1,endLine=1,col=2,endColumn=3,title=x"
        "::100 %25 wrong%0Anext%0Aline"
    )


def test_counts_are_in_words() -> None:
    warning = Diagnostic("x", Severity.WARNING, "b.csv", 1, 1, 2, "m")
    said = [WRONG, WRONG, warning]
    assert rendered(said, lines=lines).endswith("\n2 errors, 1 warning in 2 files")


def test_nothing_said_is_nothing_printed() -> None:
    assert [rendered([], form) for form in (Form.FULL, Form.CONCISE, Form.GITHUB)] == [""] * 3


def test_a_terminal_is_never_commanded() -> None:
    evil = "\x1b]0;x\x07\u202e\x9b"
    one = Diagnostic(evil, Severity.ERROR, f"f{evil}", 1, 1, 3, evil, evil)
    for form in (Form.CONCISE, Form.FULL):
        text = rendered([one], form, lines=lambda _: [evil])
        assert text.replace("\n", "").isprintable()


def test_colours_are_the_only_escapes_and_only_when_asked_for() -> None:
    assert "\x1b" in rendered([WRONG], colour=Colour.ON, lines=lines)
    assert "\x1b" not in rendered([WRONG], colour=Colour.OFF, lines=lines)


@pytest.mark.parametrize(
    ("line", "column", "end", "caret"),
    [
        ("\tx: y", 2, 3, " ^"),
        ("電流,x", 4, 5, "     ^"),
        ("a\x1bb", 3, 4, "     ^"),
        ("abc", 4, 5, "   ^"),
    ],
)
def test_the_caret_stands_below_what_is_meant(line: str, column: int, end: int, caret: str) -> None:
    assert shown(line, column, end)[1] == f"   | {caret}"


def test_a_long_line_is_cut_around_the_place() -> None:
    text, caret = shown("x" * 5000 + "HERE" + "y" * 5000, 5001, 5005)
    assert len(text) < 140
    assert text[caret.index("^") : caret.rindex("^") + 1] == "HERE"


@pytest.mark.parametrize(
    "line",
    [
        "password: hunter2",
        "login: {user: a, pasword: hunter2, x: 1}",
        "brokers: [mqtt://gw:hunter2@broker]",
        "client_secret = hunter2",
    ],
)
def test_what_looks_like_a_secret_is_not_repeated(line: str) -> None:
    text, _ = shown(line, 1, 3)
    assert "hunter2" not in text
    assert "•" in text
    assert len(text) == len(f" 1 | {line}")


def test_the_name_of_a_credential_is_no_secret() -> None:
    line = "password: {credential: broker}"
    assert shown(line, 1, 3)[0] == f" 1 | {line}"
