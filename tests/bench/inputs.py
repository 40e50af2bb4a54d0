"""What the stages are fed with: values that change as asked, batches, a catalog, a device."""

import time
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from otgate.model import (
    Batch,
    Deadband,
    Device,
    Kind,
    Origin,
    Point,
    Reporting,
    Sensitivity,
    Values,
    ValueType,
)
from otgate.spool.catalog import Catalog, CatalogDevice, CatalogPoint

STEPS = 16
POINTS = 10_000
"""Points of the device whose batches meet gate, spool and bus side."""


def walk(first: Values, changed: int) -> list[Values]:
    """Return a cycle of columns, each ``changed`` percent unlike the one before.

    Where that is less than one point, the same array stands still for as many polls as it takes.
    """
    rng = np.random.default_rng(1)
    each = len(first) * changed / 100
    if not each:
        return [first, first]
    columns = [first]
    for _ in range(STEPS):
        column = columns[-1].copy()
        column[rng.choice(len(column), max(1, round(each)), replace=False)] += 1
        columns.append(column)
    back = columns[-2:0:-1]
    return [column for column in columns + back for _ in range(max(1, round(1 / each)))]


@cache
def device(count: int) -> Device:
    """Return a device of measurements with a deadband."""
    points = [
        Point(
            f"ia{number}",
            Kind.MEASUREMENT,
            type="u16",
            scale=0.1,
            address=f"hr {number}",
            deadband=Deadband(0.5),
            tags=frozenset({"feeder"}),
            sensitivity=Sensitivity.INTERNAL,
        )
        for number in range(count)
    ]
    reporting = Reporting(refresh_s=600)
    return Device("f3", "modbus", "bay", points, {"normal": 1.0}, None, reporting)


def index(count: int, changed: int) -> Values:
    """Return which points a reported batch is about: neighbours, or one in ten here and there."""
    if changed == 100:
        return np.arange(count, dtype=np.int32)
    rng = np.random.default_rng(1)
    chosen = rng.choice(min(POINTS, 10 * count), count, replace=False)
    return np.sort(chosen).astype(np.int32)


def batches(index: Values, columns: Sequence[Values], **other: Any) -> list[Batch]:
    """Return a batch of these points for each column of values."""
    quality = np.zeros(len(index), np.uint32)
    now_ns = time.time_ns()
    fields: dict[str, Any] = {
        "device": "f3",
        "value_type": ValueType.F64,
        "origin": Origin.POLL,
        "index": index,
        "quality": quality,
        "received_ns": now_ns,
    }
    return [Batch(**fields | {"values": values} | other) for values in columns]


def reported(count: int, changed: int) -> list[Batch]:
    """Return batches as report by exception leaves them."""
    rng = np.random.default_rng(1)
    columns = [np.round(rng.random(count) * 400, 1) for _ in range(STEPS)]
    return batches(index(count, changed), columns)


@cache
def catalog() -> Catalog:
    """Return the catalog of that device."""
    points = [CatalogPoint(f"ia{number}", "measurement", 0, unit="A") for number in range(POINTS)]
    return Catalog("sub7", "gw1", "analytics", (CatalogDevice.of("f3", points, "modbus"),))
