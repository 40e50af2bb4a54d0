"""What the spool verbs say of each sample: a row, and a row for each gap."""

import math
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import numpy as np

from otgate.model import Clock, Mask, ValueType
from otgate.publish.payload import EXACT_LIMIT
from otgate.quality import Quality, names
from otgate.spool.catalog import Catalog
from otgate.spool.epoch import epoch_text
from otgate.spool.items import Frame, Gap

MS = 1000
GOOD = names(0)


class Row(NamedTuple):
    """One sample, or the ``samples`` that a gap stands for; times are µs, UTC."""

    lane: str
    epoch: str
    seq: int
    samples: int
    """1, but of a gap."""
    device: str | None
    point: str | None
    type: str | None
    v: Any
    """None where there is no value."""
    q: tuple[str, ...] | None
    origin: str | None
    t_us: int | None
    """The sample's time; of a gap, when it began."""
    clock: str | None
    """Whose time that is."""
    received_us: int | None
    spooled_us: int
    gap: str | None
    """Why the samples are not there."""


class Picked:
    """Which points are wanted: all where no pattern is given."""

    def __init__(self, patterns: list[str]) -> None:
        self.patterns = patterns
        self._masks: dict[str, Mask] = {}
        self.met = False
        """Whether any catalog had such a point."""

    def of(self, catalog: Catalog) -> Mask | None:
        """Return, by catalog number, which points are wanted; None means all."""
        if not self.patterns:
            return None
        mask = self._masks.get(catalog.hash)
        if mask is None:
            mask = np.array([self._wants(path) for path in paths_of(catalog)], np.bool_)
            self._masks[catalog.hash] = mask
            self.met = self.met or bool(mask.any())
        return mask

    def _wants(self, path: str) -> bool:
        return any(fnmatchcase(path, pattern) for pattern in self.patterns)


def paths_of(catalog: Catalog) -> list[str]:
    """Return the ``device/point`` of every point, in order."""
    devices = [device.id for device in catalog.devices for _ in range(device.count)]
    return [f"{device}/{point}" for device, point in zip(devices, catalog.ids, strict=True)]


def rows(item: Frame | Gap, picked: Picked) -> Iterator[Row]:
    """Yield the rows of an item: gaps always, since any point may have been in them."""
    if isinstance(item, Gap):
        yield of_gap(item)
    else:
        yield from of_frame(item, picked.of(item.catalog))


def of_gap(gap: Gap) -> Row:
    """Return the row of a gap."""
    place = str(gap.lane), epoch_text(gap.epoch), gap.seq, gap.count
    reason = f"{gap.reason}, at least" if gap.at_least else str(gap.reason)
    times = gap.from_ns // MS, None, None, gap.to_ns // MS
    return Row(*place, None, None, None, None, None, None, *times, reason)


def of_frame(frame: Frame, wanted: Mask | None) -> Iterator[Row]:
    """Yield the rows of a frame's samples that are ``wanted``."""
    batch = frame.batch
    chosen = range(len(batch)) if wanted is None else np.flatnonzero(wanted[batch.index]).tolist()
    if not chosen:
        return
    points, values = batch.index.tolist(), batch.values.tolist()
    quality = batch.quality.tolist()
    times = None if batch.source_ns is None else batch.source_ns.tolist()
    by_device = times is not None and batch.clock is Clock.DEVICE
    lane, epoch, clock = (
        str(frame.lane),
        epoch_text(frame.epoch),
        "device" if by_device else "gateway",
    )
    kind, origin = batch.value_type.name.lower(), batch.origin.name.lower()
    received_us, spooled_us = batch.received_ns // MS, frame.spooled_ns // MS
    for n in chosen:
        yield Row(
            lane,
            epoch,
            frame.seq + n,
            1,
            batch.device,
            frame.catalog.ids[points[n]],
            kind,
            None if quality[n] & Quality.NO_VALUE else values[n],
            names(quality[n]),
            origin,
            received_us if times is None else times[n] // MS,
            clock,
            received_us,
            spooled_us,
            None,
        )


def as_json(row: Row) -> dict[str, Any]:
    """Return a row for a JSON line, without what is empty; values are as payloads have them."""
    told = {key: value for key, value in row._asdict().items() if value is not None}
    if row.gap is None:
        told["v"] = plain(row.v)
        if row.q == GOOD:
            del told["q"]
        del told["samples"]
    return told


def spelled(value: Any) -> str:
    """Return a value as text: truth as JSON has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def plain(value: Any) -> Any:
    """Return a value as JSON holds it: an integer beyond 2^53 as text, no NaN and no infinity."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int) and abs(value) > EXACT_LIMIT:
        return str(value)
    return value


VALUE_TYPES = tuple(kind.name.lower() for kind in ValueType)
