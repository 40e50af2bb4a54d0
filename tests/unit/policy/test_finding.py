import pytest

from otgate.policy.finding import COMPARED, SHOWN, nearest


@pytest.mark.parametrize(
    ("word", "known", "said"),
    [
        ("feder", {"feeder", "header"}, "did you mean `feeder`?"),
        ("moon", {"station", "bay"}, "declared: `bay`, `station`"),
        ("moon", set[str](), "declared: none"),
    ],
)
def test_what_was_meant_is_suggested_or_all_that_there_is(
    word: str, known: set[str], said: str
) -> None:
    assert nearest(word, known) == said


def many(count: int) -> list[str]:
    return [f"zone-{number:04}" for number in range(count)]


def test_a_long_list_is_told_by_its_beginning_and_its_length() -> None:
    listed = ", ".join(f"`{word}`" for word in many(SHOWN))
    assert nearest("moon", many(SHOWN)) == f"declared: {listed}"
    assert nearest("moon", reversed(many(SHOWN + 2000))) == f"declared: {listed} and 2,000 more"


def test_a_word_is_compared_with_a_thousand_and_no_more() -> None:
    assert nearest("zone_0007", many(COMPARED)) == "did you mean `zone-0007`?"
    assert nearest("zone_0007", many(COMPARED + 1)).startswith("declared: `zone-0000`")
