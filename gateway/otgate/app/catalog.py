"""Build a conduit's catalog from its gate: crossing points, less what limits strip."""

from collections.abc import Mapping, Sequence

from otgate.config.site import Site
from otgate.model import Point, ValueType
from otgate.policy.gate import Gate
from otgate.policy.language import Strip
from otgate.spool.catalog import Catalog, CatalogDevice, CatalogPoint


def catalog(
    site: Site, conduit: str, gate: Gate, types: Mapping[str, Sequence[ValueType]]
) -> Catalog:
    """Describe every point that crosses ``conduit``, numbered as the gate numbers them."""
    devices = sorted({device for device, _ in gate.crossing})
    numbers = {device: number for number, device in enumerate(devices)}
    return Catalog(
        site=site.id,
        site_name=site.name,
        gateway=site.gateway,
        conduit=conduit,
        policy_hash=site.policy_hash,
        map_hash=site.map_hash,
        devices=tuple(
            CatalogDevice(id=site.devices[device].id, driver=site.devices[device].driver)
            for device in devices
        ),
        points=tuple(
            described(
                site.devices[device].points[point],
                numbers[device],
                types[site.devices[device].id][point],
                strip,
            )
            for (device, point), strip in zip(gate.crossing, gate.strips, strict=True)
        ),
    )


def described(
    point: Point, device: int, value_type: ValueType, strip: frozenset[Strip]
) -> CatalogPoint:
    """Describe one crossing point without what ``strip`` names."""
    place = ("",) * 5 if Strip.PLACE in strip else point.place
    return CatalogPoint(
        id=point.id,
        device=device,
        kind=str(point.kind),
        value_type=int(value_type),
        unit=point.unit,
        name="" if Strip.NAME in strip else point.name,
        description="" if Strip.DESCRIPTION in strip else point.description,
        states=dict(point.states),
        substation=place[0],
        voltage_level=place[1],
        bay=place[2],
        equipment=place[3],
        phase=place[4],
        owner="" if Strip.OWNER in strip else point.owner,
        external_id="" if Strip.EXTERNAL_ID in strip else point.external_id,
        max_age_s=point.max_age_s,
    )
