"""The catalog: what the numbers in a spool's frames stand for, for crossing points only."""

import hashlib
from functools import cached_property

import msgspec


class CatalogDevice(msgspec.Struct, frozen=True, omit_defaults=True):
    """A device that has at least one crossing point."""

    id: str
    driver: str = ""


class CatalogPoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """A crossing point. ``device`` numbers the catalog's devices; stripped texts are empty."""

    id: str
    device: int
    kind: str
    value_type: int
    unit: str = ""
    name: str = ""
    description: str = ""
    states: dict[int, str] = {}
    substation: str = ""
    voltage_level: str = ""
    bay: str = ""
    equipment: str = ""
    phase: str = ""
    owner: str = ""
    external_id: str = ""
    max_age_s: float = 0.0


class Catalog(msgspec.Struct, frozen=True, omit_defaults=True, dict=True):
    """Everything static about one conduit. A frame's ``index`` counts into ``points``."""

    site: str
    gateway: str
    conduit: str
    devices: tuple[CatalogDevice, ...]
    points: tuple[CatalogPoint, ...]
    site_name: str = ""
    policy_hash: str = ""
    map_hash: str = ""

    @cached_property
    def hash(self) -> str:
        """Eight hexadecimal digits over everything the catalog says."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:8]
