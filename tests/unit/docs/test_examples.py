"""Every command that pages and help texts show can be given; every link leads somewhere."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from otgate.cli import BUILT_IN, main, parser_for, wanted

ROOT = Path(__file__).parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
VERBS = [*BUILT_IN, "sim", "lab"]
LINE = re.compile(r"^\s*(?:\$ )?(otgate [a-z].*)$", re.MULTILINE)
FENCED = re.compile(r"^```(?:sh|console|shell|bash)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(otgate [a-z][^`]*)`")
TARGET = re.compile(r"`?make ([a-z][a-z-]*)")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
PLACEHOLDER = re.compile(r"[A-Z]{2,}|…|\.\.\.|[|<\[{]")


def shown(page: Path) -> Iterator[str]:
    """Yield the page's commands, without comments and redirections."""
    for block in FENCED.findall(page.read_text()):
        for line in LINE.findall(block):
            command = re.split(r"\s+#|\s+[>|&]", line)[0].strip()
            if not PLACEHOLDER.search(command):
                yield command


def help_of(verb: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    return capsys.readouterr().out


def assert_understood(line: str) -> None:
    arguments = shlex.split(line)[1:]
    parser_for(wanted(arguments)).parse_args(arguments)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_a_page_is_understood(page: Path) -> None:
    for line in shown(page):
        assert_understood(line)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_verb_that_a_page_speaks_of_exists(page: Path) -> None:
    for mention in INLINE.findall(page.read_text()):
        assert mention.split()[1] in VERBS, mention


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_teaches_by_an_example_that_is_understood(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = help_of(verb, capsys)
    examples = [line for line in LINE.findall(text) if not PLACEHOLDER.search(line)]
    assert examples, f"no example in otgate {verb} --help"
    for line in examples:
        assert_understood(line)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_to_a_file(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_of_a_page_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = "\n".join(
        re.findall(r"^```.*?^```|`[^`\n]+`", page.read_text(), re.MULTILINE | re.DOTALL)
    )
    assert set(TARGET.findall(text)) <= targets


@pytest.mark.parametrize(
    "line",
    [
        "check config/lab",
        "check config/lab --format json",
        "plan config/lab",
        "plan config/lab --requests",
        "plan config/lab --format json",
        "policy explain config/lab f1/ia",
        "policy explain config/lab f1/ia --conduit analytics --format json",
        "explain unknown-key",
        "explain",
        "schema site",
    ],
)
def test_what_the_readme_shows_works_on_the_lab_site(
    line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(line.split()) == 0
    assert capsys.readouterr().out.strip()
