import fnmatch
from contextlib import suppress
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otgate.policy import globs
from otgate.policy.globs import MAX_ID, Part, Tangled, Term, named

IDS = ["".join(letters) for size in (1, 2, 3) for letters in product("abx", repeat=size)]
NAMES = [f"{device}/{point}" for device in IDS for point in IDS if len(device) + len(point) < 5]


def path(*patterns: str, wanted: bool = True) -> Term:
    return Term(Part.PATH, patterns, wanted)


def device(*patterns: str, wanted: bool = True) -> Term:
    return Term(Part.DEVICE, patterns, wanted)


def fits(name: str, terms: frozenset[Term]) -> bool:
    return all(
        any(
            fnmatch.fnmatchcase(name if term.part is Part.PATH else name.partition("/")[0], pattern)
            for pattern in term.globs
        )
        is term.wanted
        for term in terms
    )


PATTERNS = st.text("ab*?/", max_size=5)
TERMS = st.builds(
    Term, st.sampled_from(Part), st.lists(PATTERNS, max_size=2).map(tuple), st.booleans()
)


@given(st.frozensets(TERMS, max_size=4))
def test_a_name_is_found_exactly_where_there_is_one(terms: frozenset[Term]) -> None:
    found = named(terms)
    if found is None:
        assert not any(fits(name, terms) for name in NAMES)
    else:
        assert fits(found, terms)
        assert [0 < len(part) <= MAX_ID for part in found.split("/")] == [True, True]


@given(st.frozensets(TERMS, max_size=4))
def test_no_name_is_shorter_than_the_one_found(terms: frozenset[Term]) -> None:
    found = named(terms)
    shorter = [name for name in NAMES if found is not None and len(name) < len(found)]
    assert not any(fits(name, terms) for name in shorter)


@pytest.mark.parametrize(
    "terms",
    [
        [path("f1/*"), path("f1/*", wanted=False)],
        [path("f1/ia"), path("*/i?", wanted=False)],
        [path("*protection*"), path("*tect*", wanted=False)],
        [path("*_x"), path("*_y")],
        [device("f1"), path("f2/*")],
        [device("f?"), device("f*", wanted=False)],
        [device("_gateway")],
        [device("f/1")],
        [path("no-slash")],
        [path("/ia")],
        [path("f1/")],
        [path("a/b/c")],
        [path()],
        [path("*/Ia")],
        [path("a*", wanted=False), path("*", wanted=False)],
        [device("a" * (MAX_ID + 1))],
        [path("x/" + "?" * (MAX_ID + 1))],
    ],
    ids=repr,
)
def test_no_name_is_made_up_where_there_is_none(terms: list[Term]) -> None:
    assert named(frozenset(terms)) is None


@pytest.mark.parametrize(
    ("terms", "name"),
    [
        ([], "x/x"),
        ([path("f1/*")], "f1/x"),
        ([path("*x*", wanted=False)], "a/a"),
        ([path("*/fw"), path("f1/*")], "f1/fw"),
        ([path("*b"), path("a*")], "a/b"),
        ([path("a?b")], "a/b"),
        ([path(wanted=False)], "x/x"),
        ([path("*b", "", wanted=False)], "x/x"),
        ([device("a" * MAX_ID)], "a" * MAX_ID + "/x"),
        ([device("**b")], "b/x"),
        ([device("_gateway?")], "_gatewayx/x"),
        ([device("_g*y")], "_gy/x"),
    ],
    ids=repr,
)
def test_the_shortest_name_is_shown(terms: list[Term], name: str) -> None:
    assert named(frozenset(terms)) == name


def test_an_id_is_kept_short_where_the_shortest_name_would_have_it_too_long() -> None:
    long = "?" * (MAX_ID + 1)
    shortest = path(f"{long}/x", f"a/{'?' * MAX_ID}", f"{'?' * MAX_ID}/??{'?' * 10}")
    found = named(frozenset({shortest, path("a/*", wanted=False)}))
    assert found is not None
    assert [len(part) for part in found.split("/")] == [MAX_ID, 12]


def searched(terms: list[Term]) -> int:
    """Return how many states it takes to answer."""
    for states in range(200):
        with pytest.MonkeyPatch.context() as patch, suppress(Tangled):
            patch.setattr(globs, "MAX_STATES", states)
            named.__wrapped__(frozenset(terms))
            return states
    pytest.fail("too many")


def test_states_are_counted() -> None:
    assert searched([path("f1/*")]) == len({"", "f", "f1", "f1/", "f1/x"})


def test_what_surely_matches_a_refused_glob_is_not_followed() -> None:
    onward = path(f"x/a*{'?' * 6}b*c{'?' * 6}")
    assert searched([onward, path("*/a*", wanted=False)]) == len({"", "x", "x/"})


def test_globs_about_the_device_are_left_where_the_point_begins() -> None:
    assert searched([device("*a?b*"), path("*/bbbb")]) == 15


def test_globs_that_are_too_tangled_are_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(globs, "MAX_STATES", 2_000)
    far_back = [path(f"*{letter}{'?' * 14}*") for letter in "ab"]
    with pytest.raises(Tangled) as tangled:
        named(frozenset({*far_back, path("*a*", wanted=False)}))
    assert str(tangled.value) == "globs too tangled to be decided"
    assert set(far_back[0].globs) < set(tangled.value.globs)
