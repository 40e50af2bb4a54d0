from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import TypeVar

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from otgate.model import Batch, Device, Kind, Origin, Point, Sensitivity, ValueType
from otgate.policy.checks import findings
from otgate.policy.coverage import coverage, implies
from otgate.policy.decide import Restriction, decide
from otgate.policy.gate import compile_gates
from otgate.policy.language import Conduit, Effect, Limits, Match, Policy, Rule, Strip, Zone
from otgate.policy.miss import misses, nearest_allow

T = TypeVar("T")
TAGS, ZONES, CONDUITS = ("a", "b", "c"), ("bay", "station", "dmz"), ("x", "y")
Cross = dict[tuple[str, str, str], Restriction]
"""Conduit, device and point to joined limits, of everything that crosses."""


def some(words: Sequence[T]) -> st.SearchStrategy[frozenset[T]]:
    return st.frozensets(st.sampled_from(words))


def perhaps(strategy: st.SearchStrategy[T]) -> st.SearchStrategy[T | None]:
    return st.none() | st.none() | strategy


GLOBS = st.sampled_from(["*", "d1", "d?", "d1/*", "*/p1", "d?/p?", "d2/p0", "p1", "*1"])
NAMED = perhaps(st.lists(GLOBS, max_size=2).map(tuple))
MATCHES = st.builds(Match, device=NAMED, point=NAMED) | st.builds(
    Match,
    kind=perhaps(some(list(Kind))),
    tags_all=st.frozensets(st.sampled_from(TAGS), max_size=1),
    tags_any=perhaps(some(TAGS)),
    tags_none=st.frozensets(st.sampled_from(TAGS), max_size=1),
    zone=perhaps(some(ZONES)),
    sensitivity=perhaps(some(list(Sensitivity))),
    device=NAMED,
    point=NAMED,
)
LIMITS = st.builds(
    Limits,
    min_interval_s=st.sampled_from([0.0, 0.0, 1.0, 5.0, 60.0]),
    quantize=st.sampled_from([0.0, 0.0, 0.5, 1.0, 10.0]),
    strip=some(list(Strip)),
    kinds=st.just(Limits().kinds) | some(list(Kind)),
    delay_s=st.sampled_from([0.0, 0.0, 1.0, 60.0]),
)
RULES = st.builds(
    Rule,
    name=st.sampled_from("abcdef"),
    effect=st.sampled_from([Effect.ALLOW, Effect.ALLOW, Effect.DENY]),
    match=MATCHES,
    why=st.just("because"),
    conduits=perhaps(some(CONDUITS)),
    limits=LIMITS,
)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    conduits = {
        name: Conduit(
            name,
            draw(some(ZONES)),
            "enterprise",
            ceiling=draw(st.sampled_from(Sensitivity)),
            limits=draw(LIMITS),
        )
        for name in CONDUITS
    }
    zones = {zone: Zone(zone) for zone in (*ZONES, "enterprise")}
    rules = tuple(draw(st.lists(RULES, max_size=6)))
    return Policy("p", 1, frozenset(TAGS), zones, conduits, rules)


POINTS = st.builds(
    Point,
    id=st.just(""),
    kind=st.sampled_from(Kind),
    zone=st.sampled_from(["", "", *ZONES]),
    tags=some(TAGS),
    sensitivity=st.sampled_from(Sensitivity),
)


@st.composite
def plants(draw: st.DrawFn) -> list[Device]:
    return [
        Device(
            f"d{number}",
            "modbus",
            draw(st.sampled_from(ZONES)),
            [
                msgspec.structs.replace(point, id=f"p{place}")
                for place, point in enumerate(draw(st.lists(POINTS, min_size=1, max_size=5)))
            ],
            {},
            None,
        )
        for number in range(draw(st.integers(1, 3)))
    ]


@st.composite
def typed(draw: st.DrawFn, devices: Sequence[Device]) -> dict[str, list[ValueType]]:
    return {
        device.id: [draw(st.sampled_from(ValueType)) for _ in device.points] for device in devices
    }


def interpreted(
    policy: Policy, devices: Sequence[Device], types: dict[str, list[ValueType]]
) -> Cross:
    return {
        (conduit.id, device.id, point.id): verdict.restriction
        for conduit in policy.conduits.values()
        for device in devices
        for point, value_type in zip(device.points, types[device.id], strict=True)
        if (verdict := decide(policy, conduit, device, point, value_type)).crosses
    }


def floats(devices: Sequence[Device]) -> dict[str, list[ValueType]]:
    return {device.id: [ValueType.F64] * len(device.points) for device in devices}


def tighter(one: Restriction, other: Restriction) -> bool:
    return (
        one.min_interval_s >= other.min_interval_s
        and one.quantize >= other.quantize
        and one.strip >= other.strip
        and one.delay_s >= other.delay_s
    )


@given(st.data(), policies(), plants())
@settings(max_examples=200)
def test_the_compiled_gates_let_cross_what_the_interpreter_does(
    data: st.DataObject, policy: Policy, devices: list[Device]
) -> None:
    types = data.draw(typed(devices))
    gates = compile_gates(policy, devices, types)
    compiled = {
        (name, devices[device].id, devices[device].points[point].id): strips
        for name, gate in gates.items()
        for (device, point), strips in zip(gate.crossing, gate.crossing.strips(), strict=True)
    }
    wanted = interpreted(policy, devices, types)
    assert compiled == {place: restriction.strip for place, restriction in wanted.items()}


@given(policies(), plants())
def test_what_a_gate_emits_is_what_crosses_limited_as_the_interpreter_says(
    policy: Policy, devices: list[Device]
) -> None:
    wanted = interpreted(policy, devices, floats(devices))
    for name, gate in compile_gates(policy, devices, floats(devices)).items():
        for device in devices:
            first = samples(device, 7.3)
            out = [one for _, one in gate.pass_(first, 0)]
            seen = {gate.crossing[number][1] for one in out for number in one.index}
            crossing = {
                p for p, point in enumerate(device.points) if (name, device.id, point.id) in wanted
            }
            assert seen == crossing
            for one in out:
                for number, value in zip(one.index, one.values, strict=True):
                    point = device.points[gate.crossing[number][1]]
                    step = wanted[name, device.id, point.id].quantize
                    assert value == (round(7.3 / step) * step if step else 7.3)


@given(policies(), plants())
def test_a_gate_keeps_the_interval_that_the_interpreter_says(
    policy: Policy, devices: list[Device]
) -> None:
    wanted = interpreted(policy, devices, floats(devices))
    for name, gate in compile_gates(policy, devices, floats(devices)).items():
        for device in devices:
            last = {
                number: -1e9
                for number, point in enumerate(device.points)
                if (name, device.id, point.id) in wanted
            }
            for second in (0, 0.9, 4.9, 5.0, 9.9, 10.1, 61.0):
                out = gate.pass_(samples(device, second), round(second * 1e9))
                through = {gate.crossing[n][1] for _, one in out for n in one.index}
                due = {
                    number
                    for number, then in last.items()
                    if second - then
                    >= wanted[name, device.id, device.points[number].id].min_interval_s
                }
                assert through == due
                last.update(dict.fromkeys(due, second))


def samples(device: Device, value: float) -> Batch:
    count = len(device.points)
    return Batch(
        device.id,
        ValueType.F64,
        Origin.POLL,
        np.arange(count, dtype=np.int32),
        np.full(count, value),
        np.zeros(count, np.uint32),
        1,
    )


@given(st.randoms(use_true_random=False), policies(), plants())
def test_the_order_of_rules_means_nothing(
    random: Random, policy: Policy, devices: list[Device]
) -> None:
    rules = list(policy.rules)
    random.shuffle(rules)
    shuffled = replace(policy, rules=tuple(rules))
    assert interpreted(shuffled, devices, floats(devices)) == interpreted(
        policy, devices, floats(devices)
    )


@given(policies(), plants(), RULES)
def test_another_deny_never_lets_more_cross(
    policy: Policy, devices: list[Device], rule: Rule
) -> None:
    denying = replace(policy, rules=(replace(rule, effect=Effect.DENY), *policy.rules))
    before = interpreted(policy, devices, floats(devices))
    after = interpreted(denying, devices, floats(devices))
    assert after.items() <= before.items()


@given(policies(), plants(), LIMITS)
def test_another_limit_only_restricts(
    policy: Policy, devices: list[Device], limits: Limits
) -> None:
    before = interpreted(policy, devices, floats(devices))
    rules = tuple(replace(r, limits=stricter(r.limits, limits)) for r in policy.rules)
    conduits = {
        c.id: replace(c, limits=stricter(c.limits, limits)) for c in policy.conduits.values()
    }
    for limited in (replace(policy, rules=rules), replace(policy, conduits=conduits)):
        after = interpreted(limited, devices, floats(devices))
        assert after.keys() == before.keys()
        assert all(tighter(after[place], before[place]) for place in after)


def stricter(one: Limits, other: Limits) -> Limits:
    return Limits(
        max(one.min_interval_s, other.min_interval_s),
        max(one.quantize, other.quantize),
        one.strip | other.strip,
        one.kinds | other.kinds,
        max(one.delay_s, other.delay_s),
    )


@given(policies(), plants(), RULES)
def test_another_allow_never_loosens_the_limits_of_what_crossed(
    policy: Policy, devices: list[Device], rule: Rule
) -> None:
    before = interpreted(policy, devices, floats(devices))
    allowing = replace(policy, rules=(*policy.rules, replace(rule, effect=Effect.ALLOW)))
    after = interpreted(allowing, devices, floats(devices))
    assert all(tighter(after[place], before[place]) for place in before)


@given(policies(), plants())
def test_no_rule_lifts_a_guard(policy: Policy, devices: list[Device]) -> None:
    points = {(d.id, p.id): (d, p) for d in devices for p in d.points}
    for conduit, device, point in interpreted(policy, devices, floats(devices)):
        where, what = points[device, point]
        way = policy.conduits[conduit]
        assert (what.zone or where.zone) in way.from_zones
        assert what.kind not in {Kind.CONTROL, Kind.SETTING}
        assert what.sensitivity <= way.ceiling


@given(policies(), plants())
def test_what_nobody_classified_leaves_only_where_bcsi_does(
    policy: Policy, devices: list[Device]
) -> None:
    unclassified = [
        replace(d, points=[Point(p.id, p.kind, zone=p.zone, tags=p.tags) for p in d.points])
        for d in devices
    ]
    for conduit, _, _ in interpreted(policy, unclassified, floats(unclassified)):
        assert policy.conduits[conduit].ceiling is Sensitivity.BCSI


@given(policies(), plants())
def test_the_checks_never_stumble_and_call_no_living_rule_dead(
    policy: Policy, devices: list[Device]
) -> None:
    found = findings(policy, devices, floats(devices))
    dead = {f.where[1] for f in found if f.code in {"dead-rule", "impossible-match"}}
    for number in dead:
        assert isinstance(number, int)
        without = tuple(r for n, r in enumerate(policy.rules) if n != number)
        assert undelayed(replace(policy, rules=without), devices) == undelayed(policy, devices)


def undelayed(policy: Policy, devices: list[Device]) -> Cross:
    """Judge all points but for delays, which a rule asks for whatever it matches."""
    found = interpreted(policy, devices, floats(devices))
    return {place: replace(each, delay_s=0) for place, each in found.items()}


@given(policies(), plants())
def test_a_rule_misses_something_exactly_where_it_does_not_speak(
    policy: Policy, plant: list[Device]
) -> None:
    for device in plant:
        for conduit in policy.conduits.values():
            verdict = decide(policy, conduit, device, device.points[0])
            near = nearest_allow(policy, conduit, device, device.points[0])
            assert near is None or not verdict.allows
            for rule in policy.rules:
                if rule.conduits is None or conduit.id in rule.conduits:
                    speaks = rule in (*verdict.allows, *verdict.denies)
                    assert speaks is not any(misses(rule.match, device, device.points[0]))


@given(policies(), plants())
def test_a_rule_that_could_be_taken_out_changes_nothing_when_it_is(
    policy: Policy, plant: list[Device]
) -> None:
    for idle in coverage(policy, plant).rules[:1]:
        at = next(at for at, rule in enumerate(policy.rules) if rule.name == idle.rule)
        if sum(rule.name == idle.rule for rule in policy.rules) == 1:
            without = replace(policy, rules=(*policy.rules[:at], *policy.rules[at + 1 :]))
            types = floats(plant)
            assert interpreted(without, plant, types) == interpreted(policy, plant, types)


@given(policies(), plants())
def test_a_point_is_unmatched_exactly_where_no_rule_speaks(
    policy: Policy, plant: list[Device]
) -> None:
    anywhere = [replace(rule, conduits=None) for rule in policy.rules]
    policy = replace(policy, rules=tuple(anywhere))
    conduit = next(iter(policy.conduits.values()))
    silent = [
        f"{device.id}/{point.id}"
        for device in plant
        for point in device.points
        if not (verdict := decide(policy, conduit, device, point)).allows and not verdict.denies
    ]
    assert list(coverage(policy, plant).unmatched) == silent


@given(MATCHES, MATCHES, plants())
def test_what_is_implied_matches_too(narrow: Match, wide: Match, plant: list[Device]) -> None:
    if implies(narrow, wide):
        for device in plant:
            for point in device.points:
                assert any(misses(narrow, device, point)) or not any(misses(wide, device, point))
