"""The catalog: what the numbers in a spool's frames stand for, for crossing points only.

Points are numbered device after device. Each device's stay compressed and are decoded when they
are asked for, so that a catalog of many costs little to hold.
"""

import hashlib
import zlib
from collections.abc import Sequence
from functools import cached_property
from typing import Self

import msgspec
import numpy as np

from otgate.model import Values

MAX_DEVICE_BYTES = 256 << 20
"""Of one device's points, decompressed."""


class CatalogPoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """A crossing point; stripped texts are empty."""

    id: str
    kind: str
    value_type: int
    unit: str = ""
    name: str = ""
    description: str = ""
    states: dict[int, str] = {}
    flags: bool = False
    """Whether the states name bits instead of codes."""
    substation: str = ""
    voltage_level: str = ""
    bay: str = ""
    equipment: str = ""
    phase: str = ""
    owner: str = ""
    external_id: str = ""
    max_age_s: float = 0.0
    step: float = 0.0
    """What its values are multiples of, by the policy; 0 where that says nothing."""


class CatalogDevice(msgspec.Struct, frozen=True, omit_defaults=True):
    """A device that has at least one crossing point, and those points."""

    id: str
    count: int
    """Of its points."""
    packed: bytes = msgspec.field(name="points")
    """Its points: a JSON array, compressed."""
    driver: str = ""

    @classmethod
    def of(cls, id_: str, points: Sequence[CatalogPoint], driver: str = "") -> Self:
        """Pack ``points`` under a device."""
        return cls(id_, len(points), zlib.compress(msgspec.json.encode(points), 6), driver)

    def points(self) -> list[CatalogPoint]:
        """Decode the points anew.

        Raises:
            zlib.error: they cannot be decompressed.
            msgspec.DecodeError: they are not points, or not as many as they should be.
        """
        text = zlib.decompressobj().decompress(self.packed, MAX_DEVICE_BYTES)
        points = msgspec.json.decode(text, type=list[CatalogPoint])
        if len(points) != self.count:
            raise msgspec.DecodeError(f"{len(points)} points where {self.count} were promised")
        return points


class Catalog(msgspec.Struct, frozen=True, omit_defaults=True, dict=True):
    """Everything static about one conduit. A frame's ``index`` counts into all points."""

    site: str
    gateway: str
    conduit: str
    devices: tuple[CatalogDevice, ...]
    site_name: str = ""
    policy_hash: str = ""
    map_hash: str = ""

    @cached_property
    def hash(self) -> str:
        """Eight hexadecimal digits over everything the catalog says."""
        return hashlib.sha256(msgspec.msgpack.encode(self)).hexdigest()[:8]

    def prepare(self) -> None:
        """Reckon the hash now, which takes a while where there are many points."""
        self.hash  # noqa: B018  it is kept

    @cached_property
    def ids(self) -> Values:
        """The id of every point, in order; points of one name share it.

        Raises:
            zlib.error: the points of a device cannot be decompressed.
            msgspec.DecodeError: they are not points, or not as many as they should be.
        """
        shared: dict[str, str] = {}
        ids = [
            shared.setdefault(point.id, point.id)
            for device in self.devices
            for point in device.points()
        ]
        return np.array(ids, dtype=object)
