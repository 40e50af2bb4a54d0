"""Small policies, points and batches for the policy's tests."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from otgate.model import (
    Batch,
    Device,
    Kind,
    Origin,
    Point,
    Sensitivity,
    ValueType,
)
from otgate.policy.gate import Gate, compile_gates
from otgate.policy.language import Conduit, Effect, Limits, Match, Policy, Rule, Zone

SECOND = 1_000_000_000
START = 1_763_765_412 * SECOND


def point(name: str = "ia", kind: Kind = Kind.MEASUREMENT, **given: Any) -> Point:
    """Return a point that is internal and tagged `feeder` unless told otherwise."""
    return Point(
        name,
        kind,
        **{"tags": frozenset({"feeder"}), "sensitivity": Sensitivity.INTERNAL, **given},
    )


def device(*points: Point, name: str = "f3", zone: str = "bay") -> Device:
    """Return a device in zone `bay` that holds ``points``."""
    return Device(name, "modbus", zone, points, {"normal": 2.0}, None)


def conduit(name: str = "analytics", **given: Any) -> Conduit:
    """Return a conduit from `bay` and `station` with ceiling internal."""
    return Conduit(
        name,
        **{
            "from_zones": frozenset({"bay", "station"}),
            "to": "enterprise",
            "ceiling": Sensitivity.INTERNAL,
            **given,
        },
    )


def allow(name: str = "feeders", limits: Limits = Limits(), **match: Any) -> Rule:  # noqa: B008  frozen
    """Return a rule that allows what ``match`` says, on every conduit."""
    return Rule(name, Effect.ALLOW, Match(**match), "load forecasting", limits=limits)


def deny(name: str = "no-protection", **match: Any) -> Rule:
    """Return a rule that denies what ``match`` says, on every conduit."""
    return Rule(name, Effect.DENY, Match(**match), "relay settings are BCSI")


def policy(*rules: Rule, conduits: Sequence[Conduit] = (conduit(),)) -> Policy:
    """Return a policy of ``rules`` over three zones and three tags."""
    return Policy(
        "substation-7",
        1,
        frozenset({"feeder", "protection", "revenue"}),
        {zone: Zone(zone) for zone in ("bay", "station", "enterprise")},
        {each.id: each for each in conduits},
        rules,
    )


def gate(
    *points: Point,
    limits: Limits = Limits(),  # noqa: B008  frozen
    value_type: ValueType = ValueType.F64,
    rules: Sequence[Rule] | None = None,
    **given: Any,
) -> Gate:
    """Return the gate of one conduit for one device, allowing all it holds within ``limits``."""
    spoken = (allow(limits=limits),) if rules is None else rules
    held = policy(*spoken, conduits=[conduit(**given)])
    types = {"f3": [value_type] * len(points)}
    return compile_gates(held, [device(*points)], types)["analytics"]


def batch(
    values: Sequence[Any],
    quality: int | Sequence[int] = 0,
    *,
    index: Sequence[int] | None = None,
    value_type: ValueType = ValueType.F64,
    origin: Origin = Origin.POLL,
    received_ns: int = START,
    source_ns: Sequence[int] | None = None,
) -> Batch:
    """Return a batch of device `f3`; its points are numbered from 0 unless ``index`` says."""
    words = np.zeros(len(values), np.uint32)
    words[:] = quality
    return Batch(
        "f3",
        value_type,
        origin,
        np.arange(len(values), dtype=np.int32) if index is None else np.array(index, np.int32),
        np.array(values, value_type.dtype),
        words,
        received_ns,
        None if source_ns is None else np.array(source_ns, np.int64),
    )
