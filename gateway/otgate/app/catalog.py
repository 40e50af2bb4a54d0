"""Build a conduit's catalog from its gate: crossing points, less what limits strip."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

import msgspec

from otgate.config.site import Site
from otgate.model import Device, Point, ValueType
from otgate.policy.gate import Gate
from otgate.policy.language import Strip
from otgate.spool.catalog import Catalog, CatalogDevice, CatalogPoint

Crossing = tuple[tuple[int, int], frozenset[Strip], float]
"""The numbers of a crossing point's device and of itself, what stays behind, and its step."""


def catalog(
    site: Site, conduit: str, gate: Gate, types: Mapping[str, Sequence[ValueType]]
) -> Catalog:
    """Describe every point that crosses ``conduit``, numbered as the gate numbers them."""
    places = gate.crossing
    crossing = zip(places, places.strips(), places.steps(), strict=True)
    described = Described(types)
    return Catalog(
        site=site.id,
        site_name=site.name,
        gateway=site.gateway,
        conduit=conduit,
        policy_hash=site.policy_hash,
        map_hash=site.map_hash,
        devices=tuple(
            described.device(site.devices[number], group)
            for number, group in groupby(crossing, key=lambda crossed: crossed[0][0])
        ),
    )


class Described:
    """Devices with their points that cross, described and packed once for all that are alike."""

    def __init__(self, types: Mapping[str, Sequence[ValueType]]) -> None:
        self._types = types
        self._met: dict[tuple[object, ...], CatalogDevice] = {}

    def device(self, device: Device, crossing: Iterable[Crossing]) -> CatalogDevice:
        """Describe a device. Its site is there all the while, and with it every map of points."""
        told = tuple((point, strip, step) for (_, point), strip, step in crossing)
        types = self._types[device.id]
        key = id(device.points), tuple(types), told
        alike = self._met.get(key)
        if alike is None:
            points = [
                described(device.points[point], types[point], strip, step)
                for point, strip, step in told
            ]
            alike = self._met[key] = CatalogDevice.of(device.id, points)
        return msgspec.structs.replace(alike, id=device.id, driver=device.driver)


def described(
    point: Point, value_type: ValueType, strip: frozenset[Strip], step: float
) -> CatalogPoint:
    """Describe one crossing point without what ``strip`` names."""
    place = ("",) * 5 if Strip.PLACE in strip else point.place
    return CatalogPoint(
        id=point.id,
        kind=str(point.kind),
        value_type=int(value_type),
        unit=point.unit,
        name="" if Strip.NAME in strip else point.name,
        description="" if Strip.DESCRIPTION in strip else point.description,
        states=dict(point.states),
        flags=point.has_flags,
        substation=place[0],
        voltage_level=place[1],
        bay=place[2],
        equipment=place[3],
        phase=place[4],
        owner="" if Strip.OWNER in strip else point.owner,
        external_id="" if Strip.EXTERNAL_ID in strip else point.external_id,
        max_age_s=point.max_age_s,
        step=step,
    )
