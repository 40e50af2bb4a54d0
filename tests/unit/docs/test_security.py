"""SECURITY.md: every line of the threat model is shown by tests that there are."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(tests/[a-z0-9_/]+\.py)::(test_[a-z0-9_]+)`")
ROWS = [
    row
    for table in re.findall(r"shown by \|\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE)
    for row in table.splitlines()
]


@pytest.mark.parametrize(("path", "name"), sorted(set(NAMED.findall(PAGE))))
def test_a_test_that_is_named_exists(path: str, name: str) -> None:
    assert re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(), re.MULTILINE)


def test_every_line_of_a_threat_names_a_test_or_says_that_none_shows_it() -> None:
    assert len(ROWS) > 25
    for row in ROWS:
        _, _, stops, shown, _ = row.split("|")
        assert stops.strip()
        assert NAMED.search(shown) or shown.strip() == "none", row


def test_every_attacker_of_the_model_has_a_table() -> None:
    for who in ("hostile device", "taken-over bus side", "hostile broker", "careless insider"):
        assert re.search(rf"^## .*{who}.*\n\|", PAGE, re.MULTILINE), who


def test_what_is_not_defended_is_said() -> None:
    assert len(PAGE.partition("## What is not defended")[2].strip().splitlines()) >= 6
