"""Measure the policy: a gate's cost per sample, compiling 50,000 points, proving and comparing.

Run it: python tests/bench/policy_bench.py [--quick]
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from results import record

from otgate.model import Batch, Device, Kind, Origin, Point, Sensitivity, ValueType
from otgate.policy.assertions import unproved
from otgate.policy.checks import findings
from otgate.policy.gains import gains
from otgate.policy.gate import compile_gates
from otgate.policy.globs import named
from otgate.policy.language import Assertion, Conduit, Effect, Limits, Match, Policy, Rule, Zone

SECOND = 1_000_000_000
TAGS = ("feeder", "revenue", "protection", "transformer", "asset-health")
LIMITED = (
    ("no limits", Limits()),
    ("quantize", Limits(quantize=0.5)),
    ("min_interval_s, most held", Limits(min_interval_s=60)),
    ("both, most held", Limits(min_interval_s=60, quantize=0.5)),
    ("both, all released", Limits(min_interval_s=0.5, quantize=0.5)),
)


def best_s(run: Callable[[int], object], times: int) -> float:
    """Return CPU of the shortest of ``times`` runs, each told its number."""
    shortest = float("inf")
    for number in range(times):
        begun = time.process_time()
        run(number)
        shortest = min(shortest, time.process_time() - begun)
    return shortest


def policy_of(rules: Sequence[Rule], conduits: Sequence[str]) -> Policy:
    """Return a policy of ``rules`` over open conduits."""
    return Policy(
        "bench",
        1,
        frozenset(TAGS),
        {zone: Zone(zone) for zone in ("bay", "enterprise")},
        {
            name: Conduit(name, frozenset({"bay"}), "enterprise", ceiling=Sensitivity.INTERNAL)
            for name in conduits
        },
        rules,
    )


def device_of(name: str, count: int) -> Device:
    """Return a device of internal measurements, tagged in turns."""
    tags = [frozenset({tag}) for tag in TAGS]
    points = [
        Point(
            f"p{number}",
            Kind.MEASUREMENT,
            tags=tags[number % len(tags)],
            sensitivity=Sensitivity.INTERNAL,
        )
        for number in range(count)
    ]
    return Device(name, "modbus", "bay", points, {}, None)


def ns_per_sample(limits: Limits, count: int) -> float:
    """Return what one sample of a batch of ``count`` costs at a gate, in nanoseconds."""
    rule = Rule("all", Effect.ALLOW, Match(), "bench", limits=limits)
    device = device_of("f3", count)
    types = {"f3": [ValueType.F64] * count}
    gate = compile_gates(policy_of([rule], ["c"]), [device], types)["c"]
    values = np.random.default_rng(1).random(count) * 400
    index, quality = np.arange(count, dtype=np.int32), np.zeros(count, np.uint32)

    def run(number: int) -> None:
        now_ns = number * SECOND
        gate.pass_(Batch("f3", ValueType.F64, Origin.POLL, index, values, quality, now_ns), now_ns)
        gate.release(now_ns)

    return best_s(run, 500) / count * 1e9


def rules_of(count: int) -> list[Rule]:
    """Return rules of which every fifth denies and half name points by globs."""
    return [
        Rule(
            f"r{number}",
            Effect.DENY if number % 5 == 4 else Effect.ALLOW,
            Match(point=(f"d{number}*/p?{number % 10}*",))
            if number % 2
            else Match(tags_all=frozenset({TAGS[number % 4]})),
            "bench",
            limits=Limits(min_interval_s=number % 5 and 5),
        )
        for number in range(count)
    ]


def asserting(rules: int) -> Policy:
    """Return a policy that asserts ten things, half of them by globs; five hold."""
    said = [
        Match(kind=frozenset({Kind.SETTING, Kind.CONTROL})),
        Match(sensitivity=frozenset({Sensitivity.BCSI})),
        Match(tags_all=frozenset({"protection"})),
        Match(tags_any=frozenset({"protection"}), device=("f*",)),
        Match(device=("q*",), tags_none=frozenset(TAGS)),
        Match(tags_none=frozenset(TAGS)),
        Match(device=("d4*",), point=("*/pa4*",)),
        Match(device=("d9*",), point=("*/pa9*",)),
        Match(point=("d19*/px9*", "*fw_version")),
        Match(tags_all=frozenset({"feeder", "revenue"})),
    ]
    policy = policy_of(rules_of(rules), ["a", "b", "c"])
    return replace(policy, assertions=[Assertion(match) for match in said])


def prove(policy: Policy) -> object:
    """Prove what a policy asserts, remembering no globs from before."""
    named.cache_clear()
    return list(unproved(policy))


def compare(policy: Policy) -> object:
    """Compare a policy with one that denies nothing and limits less."""
    named.cache_clear()
    open_ = [replace(r, limits=Limits()) for r in policy.rules if r.effect is Effect.ALLOW]
    return gains(policy, replace(policy, rules=open_))


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few samples, few points")
    quick = parser.parse_args().quick
    costs = {
        f"{name}, {count}": round(ns_per_sample(limits, count), 1)
        for count in ((10,) if quick else (1000, 100, 10))
        for name, limits in LIMITED
    }
    points = 100 if quick else 50_000
    devices = [device_of(f"d{number}", points // 100) for number in range(100)]
    types = {device.id: [ValueType.F64] * len(device.points) for device in devices}
    policy = policy_of(rules_of(100), ["a", "b", "c"])
    result = {
        "gate_ns_per_sample": costs,
        "points": points,
        "compile_cpu_s": round(best_s(lambda _: compile_gates(policy, devices, types), 3), 3),
        "prove_cpu_s": round(best_s(lambda _: prove(asserting(100)), 3), 3),
        "gains_cpu_s": round(best_s(lambda _: compare(policy), 3), 3),
        "check_cpu_s": round(best_s(lambda _: findings(policy, devices, types), 3), 3),
    }
    record("policy", result)
    for name, value in [*costs.items(), *list(result.items())[1:]]:
        print(f"{name:<40}{value}")


if __name__ == "__main__":
    main()
