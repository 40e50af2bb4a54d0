import pytest

from otgate.policy import solver
from otgate.policy.globs import Part, Term
from otgate.policy.region import Region, Space
from otgate.policy.solver import Intricate, Search, common

SPACE = Space(["bay", "station"], ["a", "b", "c"])
EVERY = SPACE.everything
A, B, C = (EVERY._replace(on=SPACE.tag_bits[tag]) for tag in "abc")
NOT_A, NOT_B, NOT_C = (SPACE.tagless([tag]) for tag in "abc")
F1, F2 = (
    EVERY._replace(names=frozenset({Term(Part.DEVICE, (glob,), wanted=True)}))
    for glob in ("f1", "f2")
)


def both(*regions: Region) -> Region:
    found = EVERY
    for region in regions:
        met = found.meet(region)
        assert met is not None
        found = met
    return found


@pytest.fixture
def untried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solver, "MAX_TRIES", 0)


def test_what_has_one_choice_left_is_taken_without_trying(untried: None) -> None:
    assert common(EVERY, [[NOT_A, NOT_B], [A], [B, NOT_C]]) == both(A, NOT_B, NOT_C)
    assert common(EVERY, [[A, B], [NOT_A], [NOT_B]]) is None
    assert common(EVERY, [[F1], [A]]) == both(F1, A)


def test_what_holds_already_is_no_choice(untried: None) -> None:
    assert common(EVERY, [[A], [B, A, C]]) == A


def test_nothing_more_is_taken_than_has_to_be() -> None:
    assert common(EVERY, [[EVERY], [A, EVERY]]) == EVERY


def test_a_choice_that_leads_nowhere_is_taken_back() -> None:
    found = common(EVERY, [[A, B], [NOT_A, C], [NOT_A, NOT_C], [NOT_B, C]])
    assert found == both(NOT_A, B, C)


def test_names_that_fit_no_name_together_are_no_choice() -> None:
    assert common(EVERY, [[F1, A], [F2, A]]) in {both(F1, A), A, both(F2, A)}
    assert common(EVERY, [[F1, A], [F2, A], [B, C]]) == both(F1, A, B)
    assert common(EVERY, [[F1], [F2]]) is None
    assert common(EVERY, [[F1, NOT_A], [F2, NOT_B], [A], [B]]) is None


def test_nothing_is_in_common_with_nothing() -> None:
    nowhere = EVERY._replace(zones=0)
    assert common(nowhere, []) is None
    assert common(EVERY, [[]]) is None
    assert common(EVERY, []) == EVERY


def test_tries_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [[A, B], [C, NOT_A], [NOT_C, NOT_A]]
    monkeypatch.setattr(solver, "MAX_TRIES", 3)
    assert common(EVERY, asked) == both(NOT_A, B, C)
    monkeypatch.setattr(solver, "MAX_TRIES", 2)
    with pytest.raises(Intricate):
        common(EVERY, asked)


def test_a_search_may_be_given_less_and_tells_what_it_took() -> None:
    asked = [[A, B], [C, NOT_A], [NOT_C, NOT_A]]
    search = Search(3)
    assert common(EVERY, asked, search) == both(NOT_A, B, C)
    assert search.tries == 3
    with pytest.raises(Intricate):
        common(EVERY, asked, Search(2))
