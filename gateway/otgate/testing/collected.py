"""An outlet for tests: keeps what is emitted and lets nobody modify it afterwards."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from otgate.model import Batch, Device, ValueType


class Durable:
    """The receipt of a batch that nobody has to wait for."""

    async def durable(self, limit_s: float = 5.0) -> None:
        """Return at once."""


DURABLE = Durable()


class Collected:
    """Every batch that was emitted, in order; callable as `otgate.driver.Emit`."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []

    def __call__(self, batch: Batch) -> Durable:
        """Keep ``batch`` and make its columns read-only: emitted columns never change."""
        for column in (batch.index, batch.values, batch.quality):
            column.flags.writeable = False
        self.batches.append(batch)
        return DURABLE

    def clear(self) -> None:
        """Forget what was emitted so far."""
        self.batches.clear()

    def samples(self, device: Device) -> dict[str, tuple[Any, int]]:
        """Return the newest value and quality of each point that was emitted, by point id."""
        return {
            device.points[point].id: (value, quality)
            for batch in self.batches
            for point, value, quality in zip(
                batch.index.tolist(), batch.values.tolist(), batch.quality.tolist(), strict=True
            )
        }


def flaws(batch: Batch, device: Device, value_types: Sequence[ValueType]) -> list[str]:
    """Say what is wrong with the form of ``batch``, by `otgate.model.Batch`; empty is sound.

    ``value_types`` runs parallel to the device's points.
    """
    columns = {"values": batch.values, "quality": batch.quality}
    if batch.source_ns is not None:
        columns["source_ns"] = batch.source_ns
    wanted = {"quality": np.dtype(np.uint32), "source_ns": np.dtype(np.int64)}
    wanted["values"] = batch.value_type.dtype
    found = [
        f"{name} is {column.dtype}, not {wanted[name]}"
        for name, column in columns.items()
        if column.dtype != wanted[name]
    ]
    found += [
        f"{name} has {len(column)} rows, index has {len(batch)}"
        for name, column in columns.items()
        if len(column) != len(batch)
    ]
    if batch.index.dtype != np.int32:
        found.append(f"index is {batch.index.dtype}, not int32")
    if batch.device != device.id:
        found.append(f"device is {batch.device!r}, not {device.id!r}")
    if type(batch.received_ns) is not int or batch.received_ns <= 0:
        found.append("received_ns is not a plain int after 1970")
    found += [
        f"point {device.points[point].id} is {batch.value_type.name}, planned as {planned.name}"
        for point in batch.index.tolist()
        if (planned := value_types[point]) is not batch.value_type
    ]
    return found
