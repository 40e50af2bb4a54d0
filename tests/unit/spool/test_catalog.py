import zlib

import msgspec
import pytest

from otgate.spool.catalog import Catalog, CatalogDevice, CatalogPoint
from otgate.spool.segment import Damaged, pack_catalog, unpack_catalog

IA = CatalogPoint("ia", "measurement", 0, unit="A", name="Current", max_age_s=30.0)
CB = CatalogPoint("cb", "status", 1, states={0: "open", 1: "closed"})
F3 = CatalogDevice.of("f3", [IA, CB], "modbus")
F4 = CatalogDevice.of("f4", [IA])
CATALOG = Catalog("sub7", "gw1", "analytics", (F3, F4))


def packed_points(text: bytes, count: int) -> Catalog:
    device = CatalogDevice("f3", count, zlib.compress(text))
    return msgspec.structs.replace(CATALOG, devices=(device,))


def test_a_devices_points_are_its_own_and_as_they_were() -> None:
    f3, f4 = unpack_catalog(pack_catalog(CATALOG)).devices
    assert f3.points() == [IA, CB]
    assert f4.points() == [IA]
    assert (f3.driver, f4.driver) == ("modbus", "")


def test_points_are_numbered_device_after_device() -> None:
    assert CATALOG.ids.tolist() == ["ia", "cb", "ia"]


def test_points_of_one_name_share_it_in_memory() -> None:
    first, _, third = unpack_catalog(pack_catalog(CATALOG)).ids
    assert first is third


def test_a_catalog_survives_a_header() -> None:
    assert unpack_catalog(pack_catalog(CATALOG)) == CATALOG


@pytest.mark.parametrize(
    "other",
    [
        msgspec.structs.replace(CATALOG, site_name="Substation 7"),
        msgspec.structs.replace(CATALOG, devices=(F4, F3)),
        msgspec.structs.replace(CATALOG, devices=(CatalogDevice.of("f3", [CB, IA], "modbus"), F4)),
    ],
)
def test_the_hash_tells_catalogs_apart(other: Catalog) -> None:
    assert other.hash != CATALOG.hash
    assert unpack_catalog(pack_catalog(other)).hash == other.hash


@pytest.mark.parametrize(
    ("text", "count"),
    [(b"[]", 1), (b"{}", 0), (b'[{"id":"ia"}]', 1), (b'[{"id":"ia"', 1), (b"", 0)],
)
def test_a_device_whose_points_cannot_be_read_spoils_its_catalog(text: bytes, count: int) -> None:
    with pytest.raises(Damaged):
        unpack_catalog(pack_catalog(packed_points(text, count)))


def test_points_that_are_not_compressed_spoil_their_catalog() -> None:
    device = CatalogDevice("f3", 0, b"[]")
    with pytest.raises(Damaged):
        unpack_catalog(pack_catalog(msgspec.structs.replace(CATALOG, devices=(device,))))
