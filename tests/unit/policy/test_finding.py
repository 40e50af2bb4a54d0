import pytest

from otgate.policy.finding import nearest


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
