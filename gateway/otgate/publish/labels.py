"""What a catalog says, as publishing needs it: point ids as a column, meta per device.

Meta is built from the catalog when it is sent; only its hash is kept.
"""

import hashlib
from collections.abc import Iterator
from functools import cached_property

import msgspec
import numpy as np
from numpy.typing import NDArray

from otgate.model import ValueType
from otgate.publish.cells import Cells
from otgate.publish.payload import DeviceMeta, PointMeta, TypeName
from otgate.spool.catalog import Catalog, CatalogDevice, CatalogPoint

COPIED = (
    "unit",
    "name",
    "description",
    "substation",
    "voltage_level",
    "bay",
    "equipment",
    "phase",
    "owner",
    "external_id",
)
"""Fields of a catalog point that a meta message repeats."""

TYPE_NAMES: dict[ValueType, TypeName] = {
    ValueType.F64: "f64",
    ValueType.I64: "i64",
    ValueType.U64: "u64",
    ValueType.BOOL: "bool",
    ValueType.TEXT: "text",
}

BETWEEN = b"},"
"""What separates samples in a message."""


class Labels:
    """One catalog: ``ids`` by catalog number and the meta hash of each device.

    ``openings`` are, by catalog number, what a sample begins with in a message.
    """

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.ids = catalog.ids
        self.openings = openings(self.ids)
        self.hashes = {meta.device: meta.meta for meta in self.metas()}

    @cached_property
    def cells(self) -> Cells:
        """How samples are laid out that need no object each."""
        return Cells(self.openings, len(BETWEEN))

    def metas(self) -> Iterator[DeviceMeta]:
        """Yield the meta message of every device, one at a time: they are large together."""
        for device in self.catalog.devices:
            yield self._meta(device)

    def meta(self, device: str) -> DeviceMeta:
        """Return the meta message of ``device``."""
        return next(self._meta(known) for known in self.catalog.devices if known.id == device)

    def _meta(self, device: CatalogDevice) -> DeviceMeta:
        plain = DeviceMeta(
            site=self.catalog.site,
            gateway=self.catalog.gateway,
            conduit=self.catalog.conduit,
            device=device.id,
            driver=device.driver,
            site_name=self.catalog.site_name,
            points=[_point(point) for point in device.points()],
        )
        digest = hashlib.sha256(msgspec.json.encode(plain)).hexdigest()[:8]
        return msgspec.structs.replace(plain, meta=digest)


def openings(ids: NDArray[np.object_]) -> NDArray[np.object_]:
    """Return the end of a sample and the beginning of the next, up to its value, per id."""
    spelled = {
        point: b'%b{"id":%b,"v":' % (BETWEEN, msgspec.json.encode(point))
        for point in dict.fromkeys(ids.tolist())
    }
    return np.array([spelled[point] for point in ids.tolist()], dtype=object)


def _point(point: CatalogPoint) -> PointMeta:
    labels = {str(code): label for code, label in point.states.items()}
    return PointMeta(
        id=point.id,
        kind=point.kind,
        type=TYPE_NAMES[ValueType(point.value_type)],
        max_age_s=point.max_age_s or None,
        states={} if point.flags else labels,
        bits=labels if point.flags else {},
        **{field: getattr(point, field) for field in COPIED},
    )
