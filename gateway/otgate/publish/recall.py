"""What the newest catalog withholds of samples that were spooled under an older one.

Its points and texts govern: a point that it lacks is revoked, and so is a text that it has empty.
Values are rounded where it has a coarser step.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import msgspec
import numpy as np

from otgate.model import Batch, Index, Mask
from otgate.publish.coarsening import Coarser, coarser, step_between
from otgate.publish.labels import COPIED
from otgate.spool.catalog import Catalog, CatalogDevice, CatalogPoint
from otgate.spool.frame import sliced
from otgate.spool.items import Frame, Gap, GapReason

STRIPPABLE = tuple(field for field in COPIED if field != "unit")
"""Texts that a limit can keep from crossing."""


class Governed(NamedTuple):
    """An older catalog less what is revoked."""

    catalog: Catalog
    places: Index | None
    """Number in ``catalog`` by number in the older one, -1 for a revoked point; None: the same."""
    coarser: Coarser | None = None
    """What rounds values, by the older numbers."""

    @property
    def is_whole(self) -> bool:
        """Whether all is left as it was."""
        return self.places is None and self.coarser is None


def governed(older: Catalog, newest: Catalog) -> Governed:
    """Return what remains of ``older`` under ``newest``; itself where nothing is revoked."""
    places = np.full(len(older.ids), -1, np.int32)
    devices: list[CatalogDevice] = []
    steps: list[float] = []
    first = kept = 0
    for device in older.devices:
        points = device.points()
        known = known_points(newest, device.id)
        steps += [step_between(point, known.get(point.id)) for point in points]
        left = list(remaining(points, known))
        numbers = [first + number for number, _ in left]
        places[numbers] = np.arange(kept, kept + len(left))
        first, kept = first + len(points), kept + len(left)
        if left:
            devices.append(CatalogDevice.of(device.id, [one for _, one in left], device.driver))
    if kept == first and same_points(devices, older.devices):
        return Governed(older, None, coarser(steps))
    less = msgspec.structs.replace(older, devices=tuple(devices))
    return Governed(less, places, coarser(steps))


def known_points(catalog: Catalog, device: str) -> dict[str, CatalogPoint]:
    """Return the points of a device by id; none where the catalog lacks it."""
    found = (one for one in catalog.devices if one.id == device)
    return {point.id: point for one in found for point in one.points()}


def remaining(
    points: list[CatalogPoint], newest: dict[str, CatalogPoint]
) -> Iterator[tuple[int, CatalogPoint]]:
    """Yield those of ``points`` that ``newest`` has, with their numbers, less revoked texts."""
    for number, point in enumerate(points):
        now = newest.get(point.id)
        if now is not None:
            gone = {field: "" for field in STRIPPABLE if not getattr(now, field)}
            yield number, msgspec.structs.replace(point, **gone)


def same_points(left: list[CatalogDevice], before: tuple[CatalogDevice, ...]) -> bool:
    """Tell whether every point is left as it was."""
    return all(one.points() == other.points() for one, other in zip(left, before, strict=True))


def parts(frame: Frame, remains: Governed) -> Iterator[Frame | Gap]:
    """Yield the samples of ``frame`` that remain, in order, and gaps where some are revoked."""
    if remains.coarser is not None:
        frame = with_batch(frame, remains.coarser.rounded(frame.batch))
    if remains.places is None:
        yield frame
        return
    numbers = remains.places.take(frame.batch.index)
    for start, stop in runs(numbers >= 0):
        first, after = frame.seq + start, frame.seq + stop
        if numbers[start] < 0:
            at_ns = frame.batch.received_ns
            yield Gap(
                frame.lane, frame.epoch, first, after - first, at_ns, at_ns, GapReason.RECALLED
            )
        else:
            yield renumbered(sliced(frame, first, after), remains.catalog, numbers[start:stop])


def runs(mask: Mask) -> Iterator[tuple[int, int]]:
    """Yield where equal values of ``mask`` begin and end."""
    edges = [0, *(np.flatnonzero(mask[1:] != mask[:-1]) + 1).tolist(), len(mask)]
    yield from pairwise(edges) if len(mask) else ()


def renumbered(frame: Frame, catalog: Catalog, index: Index) -> Frame:
    """Return ``frame`` with its points numbered as ``catalog`` does."""
    batch = frame.batch.renumbered(index)
    return Frame(frame.lane, frame.epoch, frame.seq, catalog, batch, frame.spooled_ns)


def with_batch(frame: Frame, batch: Batch) -> Frame:
    """Return ``frame`` with other samples in it."""
    return Frame(frame.lane, frame.epoch, frame.seq, frame.catalog, batch, frame.spooled_ns)
