"""Every point of the lab site, read by the driver, is what the plant says: two codecs agree."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import simulated
from otgate.config.site import Site, load_site
from otgate.driver import Link, Receipt, installed
from otgate.model import Batch, Device, Kind, Point
from otgate.quality import Quality
from otgate_sim.simulation import Simulation
from simulated import Ticking

LAB = Path(__file__).parents[2] / "config" / "lab" / "site.yaml"
FINEST = 1e-4


class NoReceipt:
    async def durable(self, limit_s: float = 5.0) -> None:
        return


class Memory:
    def get(self, key: str) -> Any:
        return None

    def put(self, key: str, value: Any) -> None:
        return


class Collected:
    def __init__(self) -> None:
        self.values: dict[int, Any] = {}
        self.quality: dict[int, int] = {}

    def __call__(self, batch: Batch) -> Receipt:
        self.values |= zip(batch.index.tolist(), batch.values.tolist(), strict=True)
        self.quality |= zip(batch.index.tolist(), batch.quality.tolist(), strict=True)
        return NoReceipt()


@pytest.fixture
async def simulation() -> AsyncIterator[Simulation]:
    loaded = load_site(LAB, installed())
    assert loaded.site is not None, loaded.diagnostics
    running = Simulation(loaded.site.devices, clock=Ticking())
    async with running.serving():
        yield running


def pointed(urls: Mapping[str, str]) -> Site:
    overrides = {device: {"url": url} for device, url in urls.items()}
    site = load_site(LAB, installed(), overrides=overrides).site
    assert site is not None
    return site


async def scanned(site: Site, device: Device) -> Collected:
    found = Collected()
    driver = installed()[device.driver]
    link = Link([device], {device.id: site.plans[device.id]}, {device.id: Memory()})
    async with driver.connect(link) as sessions:
        for scan in site.plans[device.id]:
            await sessions[device.id].scan(scan, found)
    return found


def step(point: Point) -> float:
    """Return the change in engineering units that one raw count makes."""
    ends = (point.raw_lo, point.raw_hi, point.eu_lo, point.eu_hi)
    if None in ends:
        return point.scale
    raw_lo, raw_hi, eu_lo, eu_hi = (end for end in ends if end is not None)
    return (eu_hi - eu_lo) / (raw_hi - raw_lo)


async def test_the_driver_reads_every_point_as_the_plant_has_it(simulation: Simulation) -> None:
    site = pointed(simulation.urls)
    for device in site.devices:
        found = await scanned(site, device)
        for number, point in enumerate(device.points):
            truth = simulation.reads[device.id][number]()
            seen = found.values[number]
            place = f"{device.id}/{point.id}"
            assert found.quality[number] == Quality.GOOD, place
            if isinstance(truth, str):
                assert seen == truth[: len(seen)] and seen, place  # noqa: PT018  one claim
            else:
                assert seen == pytest.approx(truth, rel=1e-6, abs=step(point) + FINEST), place


async def test_the_lab_site_looks_like_a_substation(simulation: Simulation) -> None:
    reads = {
        f"{device.id}/{point.id}": read
        for device in simulation.devices
        for point, read in zip(device.points, simulation.reads[device.id], strict=True)
    }
    expected = {
        "f1/ia": (50, 500), "f1/vab": (10.5, 11.6), "f1/p": (1000, 9000), "f1/f": (49.8, 50.2),
        "f1/pf": (0.9, 1), "f1/cb": (2, 2), "f1/es_line": (0, 0), "f1/sf6": (5, 7),
        "t1/oil_top": (15, 90), "t1/winding_lv": (20, 110), "t1/tap": (1, 17), "t1/p": (3, 25),
        "m2/va": (215, 245), "m2/battery_v": (95, 130), "p1/trip": (0, 0), "f3/cb": (2, 2),
        "f3/ia": (50, 500), "f3/vab": (10.5, 11.6), "f3/p": (1000, 9000), "f3/trip": (0, 0),
    }  # fmt: skip
    for name, (low, high) in expected.items():
        assert low <= float(reads[name]()) <= high, name


async def test_nearly_all_points_of_the_lab_site_move(simulation: Simulation) -> None:
    def seen() -> dict[str, Any]:
        return {
            f"{device.id}/{point.id}": simulation.reads[device.id][number]()
            for device in simulation.devices
            for number, point in enumerate(device.points)
            if point.kind is Kind.MEASUREMENT
        }

    before = seen()
    simulation.plant.advance(simulation.plant.start_ns + 60 * 10**9)
    moved = [name for name, value in seen().items() if value != before[name]]
    assert len(moved) > 0.9 * len(before)


WHOLE: dict[str, float | str] = {
    "u16": 40_961, "i16": -30_001, "u32": 3_123_456_789, "i32": -2_000_000_001, "f16": 1.5,
    "f32": 0.15625, "bcd16": 9_876, "bcd32": 98_765_432, "mod10000(2)": 12_345_678,
    "mod10000(3)": 123_456_789_012, "enum16": 77, "enum32": 70_000, "flags16": 0xA5A5,
    "u8_high": 200, "i8_low": -7, "string(5)": "GW-71",
    "string(6)": "Zürs", "latin1(3)": "°CÜ", "chars(4)": "Ωm°", "flags32": 0x80000001,
}  # fmt: skip
LONG: dict[str, float | str] = {
    "u64": 2**63 + 11,
    "i64": -(2**62) - 3,
    "f64": 1.1,
    "bcd64": 9_876_543_210_987_654,
    "flags64": 2**63 + 5,
    "cp56": 1_795_678_901_234,
}
BITS: dict[str, tuple[str, int]] = {
    "hr 400.0-1": ("enum", 2),
    "hr 400.15": ("bool", 1),
    "di 9": ("bool", 1),
    "co 17-20": ("bits", 11),
}
ORDERS = ["ABCD", "CDAB", "BADC", "DCBA"]
LONG_ORDERS = ["ABCDEFGH", "GHEFCDAB", "BADCFEHG", "HGFEDCBA", "CDABGHEF", "DCBAHGFE"]


def same(value: float | str) -> float | str:
    return value


def every_type(long_order: str) -> tuple[list[Point], list[float | str]]:
    points: list[Point] = []
    values: list[float | str] = []
    for number, (type_, value) in enumerate((WHOLE | LONG).items()):
        named = long_order if type_ in LONG else ""
        kind = Kind.TEXT if isinstance(value, str) else Kind.MEASUREMENT
        points.append(
            simulated.point(f"p{number}", f"hr {8 * number}", type_, order=named, kind=kind)
        )
        values.append(value)
    for number, (address, (type_, value)) in enumerate(BITS.items()):
        points.append(simulated.point(f"b{number}", address, type_, kind=Kind.STATUS))
        values.append(value)
    return points, values


async def read_back(
    points: list[Point], values: list[float | str], **settings: Any
) -> list[tuple[Any, int]]:
    """Serve these values by the simulator; return what the driver reads, and its quality."""
    driver = installed()["modbus"]
    given = simulated.device("d", *points, **settings)
    simulation = Simulation([given], clock=Ticking())
    simulation.reads = {"d": [partial(same, value) for value in values]}
    async with simulation.serving() as urls:
        real = replace(given, settings=driver.settings(url=urls["d"], gap=0, **settings))
        plan = driver.plan(real)
        found = Collected()
        async with driver.connect(Link([real], {"d": plan}, {"d": Memory()})) as sessions:
            for scan in plan:
                await sessions["d"].scan(scan, found)
    return [(found.values[at], found.quality[at]) for at in range(len(points))]


@pytest.mark.parametrize("long_order", LONG_ORDERS)
@pytest.mark.parametrize("order", ORDERS)
async def test_two_codecs_agree_on_every_type_in_every_order(order: str, long_order: str) -> None:
    points, values = every_type(long_order)
    got = await read_back(points, values, order=order)
    assert [value for value, _ in got] == values


APART: dict[str, tuple[str, float | str]] = {
    "hr 10+20": ("u32", 3_123_456_789),
    "hr 31 + 30": ("i32", -2_000_000_001),
    "hr 40+50+51+0x40": ("u64", 2**63 + 11),
    "ir 3+1": ("f32", 0.15625),
    "hr 60+70+80": ("string(5)", "GW-71"),
}


@pytest.mark.parametrize("base", [0, 1])
@pytest.mark.parametrize("order", ORDERS)
async def test_two_codecs_agree_on_words_that_lie_apart(order: str, base: int) -> None:
    points = [
        simulated.point(
            f"p{number}",
            address,
            type_,
            order="GHEFCDAB" if type_ == "u64" else "",
            kind=Kind.TEXT if isinstance(value, str) else Kind.MEASUREMENT,
        )
        for number, (address, (type_, value)) in enumerate(APART.items())
    ]
    got = await read_back(points, [value for _, value in APART.values()], order=order, base=base)
    assert got == [(value, Quality.GOOD) for _, value in APART.values()]


async def test_two_codecs_agree_on_scale_factors() -> None:
    def factored(name: str, address: str, type_: str, sf: str, **cells: Any) -> Point:
        return simulated.point(name, address, type_, sf=sf, **cells)

    points = [
        factored("ia", "hr 0", "i16", "hr 9", eu_hi=600.0),
        factored("ib", "hr 1", "i16", "hr 9", eu_hi=60.0),
        factored("p", "hr 2+5", "u32", "ir 4", eu_hi=5e12, scale=0.001, offset=-40.0),
        factored("q", "hr 3", "u16", "hr 10"),
    ]
    got = await read_back(points, [412.3, -0.1, 4e12 - 40, 37.25])
    assert got == [(value, Quality.GOOD) for value in (412.3, -0.1, 4e12 - 40, 37.25)]
