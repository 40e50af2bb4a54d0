import pytest
from hypothesis import given
from hypothesis import strategies as st

from otgate.model import Kind, Sensitivity
from otgate.policy.language import Assertion, Match
from otgate.policy.sentence import Unclear, read, said

WORDS = st.text("abz09_-", min_size=1, max_size=5).filter(lambda word: word not in {"on", "all"})
GLOBS = st.lists(st.text("ab*?/-", min_size=1, max_size=5), min_size=1, max_size=3).map(tuple)


def some(words: st.SearchStrategy[str]) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(words, min_size=1, max_size=3)


MATCHES = st.builds(
    Match,
    kind=st.none() | st.frozensets(st.sampled_from(Kind), min_size=1),
    tags_all=st.frozensets(WORDS, max_size=2),
    tags_any=st.none() | some(WORDS),
    tags_none=st.frozensets(WORDS, max_size=2),
    zone=st.none() | some(WORDS),
    sensitivity=st.none() | st.frozensets(st.sampled_from(Sensitivity), min_size=1),
    device=st.none() | GLOBS,
    point=st.none() | GLOBS,
)


@given(st.builds(Assertion, never=MATCHES, on=st.none() | some(WORDS)))
def test_what_is_written_reads_as_the_same(assertion: Assertion) -> None:
    assert read(said(assertion)) == assertion


@pytest.mark.parametrize(
    ("sentence", "meant"),
    [
        ("never", Assertion(Match())),
        ("never on all", Assertion(Match())),
        ("never kind=text", Assertion(Match(kind=frozenset({Kind.TEXT})))),
        (
            "  never sensitivity=bcsi,restricted\ton a, b c,",
            Assertion(
                Match(sensitivity=frozenset({Sensitivity.BCSI, Sensitivity.RESTRICTED})),
                frozenset("abc"),
            ),
        ),
        ("never point=*/fw,f?/x", Assertion(Match(point=("*/fw", "f?/x")))),
    ],
)
def test_a_sentence_says_an_assertion(sentence: str, meant: Assertion) -> None:
    assert read(sentence) == meant


def test_no_conduit_of_a_long_list_is_left_out() -> None:
    names = [f"c{number}" for number in range(2000)]
    assert read(f"never on {' '.join(names)}").on == frozenset(names)


@pytest.mark.parametrize(
    ("sentence", "message", "help_"),
    [
        ("", "begins with `never`", "write `never KEY=WORD"),
        ("always kind=text", "begins with `never`", "write `never KEY=WORD"),
        ("never tags=feeder", "no attribute `tags`", "did you mean `tags_"),
        ("never kind", "`kind` names nothing", "write `kind=WORD`"),
        ("never zone=bay,,station", "`zone=bay,,station` names nothing", "write `zone=WORD`"),
        ("never zone=a zone=b", "`zone` is given twice", "write `zone=WORD,WORD`"),
        ("never kind=meassurement", "`meassurement` is no kind", "did you mean `measurement`?"),
        ("never sensitivity=secret", "`secret` is no sensitivity", "`bcsi`, `internal`"),
        ("never device=F1", "`F1` is no glob", "write `a-z`"),
        ("never device=f\x00", "is no glob", "write `a-z`"),
        ("never kind=text on", "no conduit after `on`", "on CONDUIT"),
        ("never kind=text on ,", "no conduit after `on`", "on CONDUIT"),
    ],
)
def test_an_unclear_sentence_is_told_what_to_write(sentence: str, message: str, help_: str) -> None:
    with pytest.raises(Unclear) as unclear:
        read(sentence)
    assert str(unclear.value).endswith(message)
    assert help_ in unclear.value.help


@given(st.text(max_size=60).map("never ".__add__) | st.text(max_size=20))
def test_no_text_is_more_than_unclear(text: str) -> None:
    try:
        assertion = read(text)
    except Unclear:
        return
    assert read(said(assertion)) == assertion
