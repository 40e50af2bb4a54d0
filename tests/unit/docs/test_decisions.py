"""Decisions: each has a number of its own."""

from collections import Counter
from pathlib import Path

FOLDER = Path(__file__).parents[3] / "docs/decisions"
PAGES = sorted(FOLDER.glob("*.md"))


def test_no_two_decisions_share_a_number() -> None:
    counted = Counter(page.name[:4] for page in PAGES)
    assert not [number for number, count in counted.items() if count > 1]


def test_a_decisions_title_has_its_number() -> None:
    for page in PAGES:
        number = page.read_text().split(maxsplit=2)[1].strip(".:")
        assert int(number) == int(page.name[:4]), page.name
