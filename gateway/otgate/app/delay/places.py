"""Where the points of an older catalog stand in the newest one, if they may still cross."""

import numpy as np

from otgate.model import Index
from otgate.publish.coarsening import Coarser, coarser, step_between
from otgate.spool.catalog import Catalog, CatalogDevice, CatalogPoint

Meaning = tuple[object, ...]


def places(older: Catalog, newest: Catalog) -> Index | None:
    """Return the number in ``newest`` by number in ``older``, -1 for what may not cross any more.

    None where all numbers are the same. A point whose kind, type, unit or states changed is
    another one: an older value would be told as what it was not.
    """
    if older.devices == newest.devices:
        return None
    standing: dict[str, tuple[int, CatalogDevice]] = {}
    first = 0
    for device in newest.devices:
        standing[device.id] = first, device
        first += device.count
    found = [numbers(device, standing.get(device.id)) for device in older.devices]
    return np.concatenate([np.empty(0, np.int32), *found])


def rounding(older: Catalog, newest: Catalog) -> Coarser | None:
    """Return what rounds values, numbered as in ``older``, to steps that are coarser since."""
    if older.devices == newest.devices:
        return None
    standing = {device.id: device for device in newest.devices}
    return coarser(
        [step for device in older.devices for step in steps(device, standing.get(device.id))]
    )


def steps(older: CatalogDevice, newest: CatalogDevice | None) -> list[float]:
    """Return the steps that values of one device still need."""
    if newest is None or newest.packed == older.packed:
        return [0.0] * older.count
    now = {point.id: point for point in newest.points()}
    return [step_between(point, now.get(point.id)) for point in older.points()]


def numbers(older: CatalogDevice, newest: tuple[int, CatalogDevice] | None) -> Index:
    """Return the same for the points of one device."""
    if newest is None:
        return np.full(older.count, -1, np.int32)
    first, device = newest
    if device.packed == older.packed:
        return np.arange(first, first + device.count, dtype=np.int32)
    now = {meaning(point): at for at, point in enumerate(device.points(), first)}
    return np.array([now.get(meaning(point), -1) for point in older.points()], np.int32)


def meaning(point: CatalogPoint) -> Meaning:
    """Return what of a point its values mean nothing without."""
    states = tuple(sorted(point.states.items()))
    return point.id, point.kind, point.value_type, point.unit, point.flags, states
