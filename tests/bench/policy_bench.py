"""Measure the policy: a gate's cost per sample, and the time to compile 50,000 points.

Run it: python tests/bench/policy_bench.py
"""

import time
from collections.abc import Callable, Sequence

import numpy as np

from otgate.model import Batch, Device, Kind, Origin, Point, Sensitivity, ValueType
from otgate.policy.checks import findings
from otgate.policy.gate import compile_gates
from otgate.policy.language import Conduit, Effect, Limits, Match, Policy, Rule, Zone

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
    """Return the shortest of ``times`` runs, each told its number."""
    shortest = float("inf")
    for number in range(times):
        begun = time.perf_counter()
        run(number)
        shortest = min(shortest, time.perf_counter() - begun)
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


def main() -> None:
    """Print the figures."""
    for count in (1000, 100, 10):
        for name, limits in LIMITED:
            print(f"{count:>6} samples, {name:<28}{ns_per_sample(limits, count):8.1f} ns/sample")
    devices = [device_of(f"d{number}", 500) for number in range(100)]
    types = {device.id: [ValueType.F64] * 500 for device in devices}
    policy = policy_of(rules_of(100), ["a", "b", "c"])
    compiled_s = best_s(lambda _: compile_gates(policy, devices, types), 3)
    checked_s = best_s(lambda _: findings(policy, devices, types), 3)
    print(f"50,000 points, 3 conduits, 100 rules: compile {compiled_s:.2f} s", end=", ")
    print(f"check {checked_s:.2f} s")


if __name__ == "__main__":
    main()
