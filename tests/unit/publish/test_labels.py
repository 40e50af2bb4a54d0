import tracemalloc

import msgspec
import pytest

from otgate.publish.labels import Labels
from otgate.spool.catalog import Catalog, CatalogDevice, CatalogPoint
from otgate.spool.segment import pack_catalog, unpack_catalog


def catalog(devices: int, points: int) -> Catalog:
    described = (
        [
            CatalogPoint(f"p{n}", "measurement", 0, unit="A", description=f"Current {n} of {d}")
            for n in range(points)
        ]
        for d in range(devices)
    )
    made = (CatalogDevice.of(f"d{d}", each, "modbus") for d, each in enumerate(described))
    return Catalog("sub7", "gw1", "analytics", tuple(made), site_name="Substation 7")


def test_each_devices_meta_is_of_its_own_points() -> None:
    labels = Labels(catalog(devices=3, points=2))
    assert [meta.device for meta in labels.metas()] == ["d0", "d1", "d2"]
    meta = labels.meta("d1")
    assert (meta.driver, meta.site_name) == ("modbus", "Substation 7")
    assert [(point.id, point.description) for point in meta.points] == [
        ("p0", "Current 0 of 1"),
        ("p1", "Current 1 of 1"),
    ]


def test_a_device_is_announced_under_the_hash_that_its_samples_name() -> None:
    labels = Labels(catalog(devices=3, points=2))
    assert {meta.device: meta.meta for meta in labels.metas()} == labels.hashes
    assert labels.meta("d2").meta == labels.hashes["d2"]
    assert len(set(labels.hashes.values())) == 3


def test_a_device_keeps_its_hash_when_another_changes() -> None:
    before = catalog(devices=2, points=2)
    changed = (before.devices[0], CatalogDevice.of("d1", [], "modbus"))
    after = Labels(msgspec.structs.replace(before, devices=changed))
    assert after.hashes["d0"] == Labels(before).hashes["d0"]
    assert after.hashes["d1"] != Labels(before).hashes["d1"]


def test_labels_of_bits_are_told_from_labels_of_codes() -> None:
    states = {0: "trip", 3: "alarm"}
    points = [
        CatalogPoint("code", "status", 1, states=states),
        CatalogPoint("word", "status", 1, states=states, flags=True),
    ]
    made = CatalogDevice.of("d0", points, "modbus")
    code, word = Labels(Catalog("sub7", "gw1", "analytics", (made,))).meta("d0").points
    assert (code.states, code.bits) == ({"0": "trip", "3": "alarm"}, {})
    assert (word.states, word.bits) == ({}, {"0": "trip", "3": "alarm"})


@pytest.mark.slow
def test_fifty_thousand_points_are_held_in_a_few_megabytes() -> None:
    packed = pack_catalog(catalog(devices=50, points=1000))
    tracemalloc.start()
    try:
        labels = Labels(unpack_catalog(packed))
        held_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(labels.ids) == 50_000
    assert held_bytes < 5_000_000
