import pytest

from otgate.model import Kind, Sensitivity
from otgate.policy.globs import Part, Term
from otgate.policy.language import Match
from otgate.policy.region import Region, Space, words
from policies import conduit

SPACE = Space(["bay", "station", "bay"], ["a", "b"])
EVERY = SPACE.everything
NAMED = frozenset({Term(Part.DEVICE, ("f*",), wanted=True)})
NARROWER = [
    EVERY._replace(kinds=1),
    EVERY._replace(zones=1),
    EVERY._replace(levels=1),
    EVERY._replace(on=1),
    EVERY._replace(off=1),
    EVERY._replace(names=NAMED),
]


@pytest.mark.parametrize("narrow", NARROWER)
def test_a_region_is_within_a_wider_one_and_not_the_other_way_round(narrow: Region) -> None:
    assert narrow.within(EVERY)
    assert not EVERY.within(narrow)
    assert narrow.within(narrow)
    assert narrow.meet(EVERY) == EVERY.meet(narrow) == narrow


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (EVERY._replace(kinds=1), EVERY._replace(kinds=2)),
        (EVERY._replace(zones=1), EVERY._replace(zones=2)),
        (EVERY._replace(levels=1), EVERY._replace(levels=2)),
        (EVERY._replace(on=1), EVERY._replace(off=3)),
        (EVERY._replace(off=2), EVERY._replace(on=3)),
    ],
)
def test_regions_apart_do_not_meet(one: Region, other: Region) -> None:
    assert one.meet(other) is None
    assert other.meet(one) is None


@pytest.mark.parametrize(
    "match",
    [
        Match(kind=frozenset({Kind.TEXT, Kind.EVENT})),
        Match(zone=frozenset({"bay"})),
        Match(sensitivity=frozenset({Sensitivity.BCSI})),
        Match(tags_all=frozenset({"a"})),
        Match(tags_any=frozenset({"a"})),
        Match(tags_none=frozenset({"b"})),
    ],
)
def test_what_a_match_holds_for_and_what_it_does_not_share_nothing(match: Match) -> None:
    [inside], [outside] = SPACE.matched(match), SPACE.unmatched(match)
    assert inside.meet(outside) is None
    assert (inside.kinds | outside.kinds, inside.zones | outside.zones) == EVERY[:2]
    assert inside.levels | outside.levels == EVERY.levels
    assert (inside.on, inside.off) == (outside.off, outside.on)


def test_names_are_demanded_inside_and_refused_outside() -> None:
    match = Match(device=("f*",), point=("*/ia", "*/ib"))
    [inside] = SPACE.matched(match)
    assert inside.names == {
        Term(Part.DEVICE, ("f*",), wanted=True),
        Term(Part.PATH, ("*/ia", "*/ib"), wanted=True),
    }
    outside = SPACE.unmatched(match)
    assert [region.names for region in outside] == [
        {Term(Part.DEVICE, ("f*",), wanted=False)},
        {Term(Part.PATH, ("*/ia", "*/ib"), wanted=False)},
    ]


def test_any_of_several_tags_is_a_region_each_and_none_of_them_one() -> None:
    match = Match(tags_any=frozenset({"a", "b"}))
    assert [region.on for region in SPACE.matched(match)] == [1, 2]
    assert [region.off for region in SPACE.unmatched(match)] == [3]


def test_a_match_of_everything_leaves_nothing_outside() -> None:
    assert SPACE.matched(Match()) == [EVERY]
    assert SPACE.unmatched(Match()) == []


@pytest.mark.parametrize(
    "match",
    [
        Match(kind=frozenset()),
        Match(zone=frozenset({"enterprise"})),
        Match(tags_any=frozenset()),
        Match(tags_all=frozenset({"a"}), tags_none=frozenset({"a"})),
    ],
)
def test_a_match_of_nothing_leaves_nothing_inside(match: Match) -> None:
    assert SPACE.matched(match) == []
    assert SPACE.unmatched(match)


def test_guards_let_pass_what_they_do_not_stop() -> None:
    way = conduit(from_zones=frozenset({"station"}))
    inside = SPACE.admitted(way)
    assert words(SPACE.zones, inside.zones) == ["station"]
    assert words(list(Kind), inside.kinds) == [k for k in Kind if k not in {"setting", "control"}]
    assert words([level.name for level in Sensitivity], inside.levels) == ["PUBLIC", "INTERNAL"]
    stopped = SPACE.stopped(way)
    assert [region.meet(inside) for region in stopped] == [None] * 3
    zones = [words(SPACE.zones, region.zones) for region in stopped]
    assert zones == [["bay"], ["bay", "station"], ["bay", "station"]]


def test_guards_that_stop_nothing_of_an_attribute_have_no_region_for_it() -> None:
    open_ = conduit(ceiling=Sensitivity.BCSI)
    assert [region.kinds for region in SPACE.stopped(open_)] == [
        EVERY.kinds & ~SPACE.admitted(open_).kinds
    ]
