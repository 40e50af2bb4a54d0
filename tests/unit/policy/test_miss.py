from dataclasses import replace
from typing import Any

from otgate.model import Kind, Sensitivity
from otgate.policy.explain import as_json, as_text, explain
from otgate.policy.language import Rule
from otgate.policy.miss import misses, nearest_allow
from policies import allow, conduit, deny, device, point, policy

FEEDER = frozenset({"feeder"})
REVENUE = frozenset({"revenue"})


def near(*rules: Rule, **given: Any) -> list[tuple[str, list[tuple[str, str]]]]:
    asked = point(**given)
    found = nearest_allow(policy(*rules), conduit(), device(asked), asked)
    if found is None:
        return []
    return [(found.rule.name, [(one.key, one.has) for one in found.misses])]


def test_the_nearest_allow_misses_the_fewest_attributes() -> None:
    far = allow("far", tags_all=REVENUE, kind=frozenset({Kind.EVENT}))
    close = allow("close", tags_all=REVENUE)
    assert near(far, close) == [("close", [("tags_all", "feeder")])]


def test_of_two_as_near_the_first_is_named() -> None:
    rules = allow("a", tags_all=REVENUE), allow("b", kind=frozenset({Kind.EVENT}))
    assert near(*rules) == [("a", [("tags_all", "feeder")])]


def test_there_is_no_nearest_allow_where_one_matches_or_none_speaks() -> None:
    assert near(allow(), allow("far", tags_all=REVENUE)) == []
    assert near(deny(tags_all=REVENUE)) == []
    elsewhere = replace(allow("elsewhere", tags_all=REVENUE), conduits=frozenset({"vendor"}))
    assert near(elsewhere) == []


def test_each_attribute_is_told_with_what_was_asked_and_what_is_there() -> None:
    match = allow(
        "all", kind=frozenset({Kind.EVENT}), zone=frozenset({"yard"}),
        sensitivity=frozenset({Sensitivity.PUBLIC}), tags_all=FEEDER | REVENUE,
        tags_any=frozenset({"a", "b"}), tags_none=FEEDER, device=("t*",), point=("*/kwh",),
    ).match  # fmt: skip
    asked = point()
    assert [(one.key, one.asked, one.has) for one in misses(match, device(asked), asked)] == [
        ("kind", ("event",), "measurement"),
        ("zone", ("yard",), "bay"),
        ("sensitivity", ("public",), "internal"),
        ("tags_all", ("revenue",), "feeder"),
        ("tags_any", ("a", "b"), "feeder"),
        ("tags_none", ("feeder",), "feeder"),
        ("device", ("t*",), "f3"),
        ("point", ("*/kwh",), "f3/ia"),
    ]


def test_what_holds_is_not_missed() -> None:
    match = allow(
        kind=frozenset({Kind.MEASUREMENT}), zone=frozenset({"bay", "yard"}),
        sensitivity=frozenset({Sensitivity.PUBLIC, Sensitivity.INTERNAL}), tags_all=FEEDER,
        tags_any=FEEDER | REVENUE, tags_none=REVENUE, device=("f*",), point=("*/ia",),
    ).match  # fmt: skip
    assert list(misses(match, device(point()), point())) == []


def test_explain_names_it_in_words_and_as_json() -> None:
    asked = point(tags=frozenset[str]())
    explained = explain(policy(allow("loads", tags_all=FEEDER)), device(asked), asked)
    line = "  nearest allow loads misses tags_all feeder (the point has none)"
    assert as_text(explained).splitlines()[-1] == line
    told = as_json(explained)["conduits"][0]["nearest_allow"]
    missed = {"key": "tags_all", "asked": ["feeder"], "has": ""}
    assert told == {"name": "loads", "misses": [missed]}
