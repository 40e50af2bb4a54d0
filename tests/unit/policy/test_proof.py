from typing import Any

import pytest

from otgate.model import Kind
from otgate.policy import globs
from otgate.policy.globs import Part, Term
from otgate.policy.language import Assertion, Match, Policy, Rule
from otgate.policy.proof import Judgement, as_json, as_text, judged
from otgate.policy.prover import example, space_of
from otgate.policy.sentence import read
from policies import allow, conduit, deny, policy

PROTECTION = frozenset({"protection"})
BY_TAG = deny("by-tag", tags_any=PROTECTION)
BY_NAME = deny("by-name", point=("*prot*",))


def ask(sentence: str, *rules: Rule) -> Judgement:
    [found] = judged(policy(*rules), [read(sentence)])
    return found


def ground(sentence: str, *rules: Rule) -> str:
    found = ask(sentence, *rules)
    assert found.outcome == "proved"
    return found.proofs[0].ground


def test_a_proof_says_which_deny_it_rests_on() -> None:
    said = ground("never tags_all=protection", allow(), BY_NAME, BY_TAG)
    assert said == "it rests on deny by-tag"


def test_a_proof_that_takes_several_denies_names_each() -> None:
    with_name = deny("with-name", tags_all=PROTECTION, point=("*prot*",))
    without = deny("without", tags_all=PROTECTION, point=("*p*", "*o*", "?*"))
    other = deny("other", kind=frozenset({Kind.STATUS}))
    rest = deny("rest", kind=frozenset(Kind) - {Kind.STATUS})
    assert ground("never", allow(), other, rest) == "it rests on deny other, rest"
    assert ground("never tags_all=protection", allow(), with_name, without).endswith(" without")


def test_a_proof_that_either_of_two_denies_would_give_says_so() -> None:
    said = ground("never tags_all=protection device=prot", allow(), BY_NAME, BY_TAG)
    assert said == "several denies stop each of them"


def test_a_proof_by_the_guards_needs_no_rule() -> None:
    assert ground("never kind=setting", allow()) == "the guards stop every such point"
    assert ground("never sensitivity=bcsi", allow()) == "the guards stop every such point"


def test_a_proof_by_default_says_that_nothing_allows_it() -> None:
    assert ground("never kind=text", allow(kind=frozenset({Kind.STATUS})), BY_TAG) == (
        "no rule allows such a point"
    )
    assert ground("never") == "no rule allows such a point"


def test_one_conduit_that_leaks_refutes_the_assertion() -> None:
    held = policy(
        Rule("a", BY_TAG.effect, BY_TAG.match, "why", frozenset({"analytics"})),
        allow(),
        conduits=[conduit(), conduit("operations")],
    )
    [found] = judged(held, [read("never tags_any=protection")])
    assert found.outcome == "refuted"
    assert [proof.ground for proof in found.proofs] == ["it rests on deny a", ""]
    assert [proof.outcome for proof in found.proofs] == ["proved", "refuted"]


def test_a_tag_that_no_point_may_have_is_not_what_a_proof_rests_on() -> None:
    said = ground("never tags_any=moonlight,protection", allow(), BY_TAG)
    assert said == "it rests on deny by-tag"
    assert ground("never tags_any=moonlight", allow()) == "the guards stop every such point"


def test_an_assertion_about_no_conduit_holds() -> None:
    [found] = judged(policy(allow()), [Assertion(Match(), frozenset())])
    assert (found.outcome, found.proofs) == ("proved", [])


def leaking() -> list[Judgement]:
    rules = (
        allow("loads", tags_any=frozenset({"feeder"}), kind=frozenset({Kind.COUNTER, Kind.STATUS})),
        deny(tags_any=frozenset({"revenue"})),
        deny("names", device=("r?", "q*")),
    )
    asked = [read("never tags_all=protection point=*/ia on analytics"), read("never kind=setting")]
    return judged(policy(*rules), asked)


def test_a_refutation_shows_all_such_points_and_one_of_them() -> None:
    assert as_text(leaking()) == (
        "refuted: never tags_all=protection point=*/ia on analytics\n"
        "  analytics: crosses by loads\n"
        "    all points of  kind status or counter; tags feeder, protection; without tags revenue;"
        " point `*/ia`; device not `r?` or `q*`\n"
        "    for example    x/ia  kind status, zone bay, sensitivity public, tags feeder,"
        " protection\n"
        "proved: never kind=setting on all\n"
        "  analytics: no conceivable point crosses; the guards stop every such point"
    )


def test_json_says_the_same_in_the_words_of_a_match() -> None:
    refuted, proved = as_json(leaking())
    assert (refuted["assertion"], refuted["outcome"]) == (
        "never tags_all=protection point=*/ia on analytics",
        "refuted",
    )
    witness: dict[str, Any] = refuted["conduits"][0]["witness"]
    assert witness["points"] == {
        "kind": ["status", "counter"],
        "tags_all": ["feeder", "protection"],
        "tags_none": ["revenue"],
        "device_none": [["r?", "q*"]],
        "point": [["*/ia"]],
    }
    assert witness["example"] == {
        "point": "x/ia",
        "kind": "status",
        "zone": "bay",
        "sensitivity": "public",
        "tags": ["feeder", "protection"],
    }
    assert witness["allowed_by"] == ["loads"]
    assert proved["conduits"] == [
        {
            "conduit": "analytics",
            "outcome": "proved",
            "ground": "the guards stop every such point",
        }
    ]


def test_a_witness_that_needs_a_zone_or_a_sensitivity_says_so() -> None:
    [found] = judged(policy(allow()), [read("never zone=station sensitivity=internal")])
    assert "all points of  zone station; sensitivity internal\n" in as_text([found])
    [described] = as_json([found])
    assert described["conduits"][0]["witness"]["points"] == {
        "zone": ["station"],
        "sensitivity": ["internal"],
    }


def test_a_witness_that_needs_nothing_is_any_point() -> None:
    [found] = judged(policy(allow()), [read("never")])
    assert "all points of  any kind, any name" in as_text([found])
    assert as_text([found]).endswith("sensitivity public, tags none")
    assert as_json([found])[0]["conduits"][0]["witness"]["points"] == {}


@pytest.fixture
def tangled(monkeypatch: pytest.MonkeyPatch) -> tuple[Policy, Assertion]:
    monkeypatch.setattr(globs, "MAX_STATES", 1_000)
    return policy(allow()), read(f"never point=*a{'?' * 13}b")


def test_what_nobody_can_tell_is_neither(tangled: tuple[Policy, Assertion]) -> None:
    held, assertion = tangled
    [found] = judged(held, [assertion])
    assert found.outcome == "undecided"
    assert "analytics: cannot be told, the globs `*a?????????????b` are too" in as_text([found])
    assert as_json([found])[0]["conduits"] == [
        {"conduit": "analytics", "outcome": "undecided", "globs": ["*a?????????????b"]}
    ]


def test_a_region_without_a_name_has_no_example() -> None:
    space = space_of(policy())
    nameless = frozenset({Term(Part.PATH, (), wanted=True)})
    with pytest.raises(ValueError, match="without points"):
        example(space, space.everything._replace(names=nameless))
