"""Whatever the map and the limits: the planner's promises."""

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from modbus_peers import device, point
from otgate.model import Device, Point
from otgate_modbus.address import BIT_TABLES, Table
from otgate_modbus.learned import Learned
from otgate_modbus.planner import Block, Ground, plan, walls_of
from otgate_modbus.reading import Reading, readings_of
from otgate_modbus.settings import Settings

SIZES = {"u16": 1, "u32": 2, "f64": 4, "string(12)": 6}
TYPES = sorted(SIZES)


@st.composite
def maps(draw: st.DrawFn) -> list[Point]:
    """Points that do not overlap, in any order."""
    points: list[Point] = []
    for table in ("hr", "ir", "co", "di"):
        at = draw(st.integers(0, 40))
        for _ in range(draw(st.integers(0, 25))):
            at += draw(st.integers(0, 30))
            name = draw(st.sampled_from(TYPES)) if table in {"hr", "ir"} else "bool"
            points.append(point(f"{table}{at}", f"{table} {at}", name))
            at += SIZES.get(name, 1)
    return draw(st.permutations(points))


limits = st.fixed_dictionaries(
    {
        "gap": st.integers(0, 30),
        "max_registers": st.integers(6, 125),
        "max_bits": st.integers(1, 2000),
    }
)
places = st.tuples(st.sampled_from([Table.HR, Table.IR]), st.integers(0, 300))


def packed(asked: Device, learned: Learned) -> tuple[list[Reading], list[Block]]:
    readings = sorted(readings_of(asked, asked.settings, range(len(asked.points)), []))
    return readings, Ground(asked.settings, learned).pack(readings)


@given(maps(), limits, st.sets(places, max_size=5))
def test_each_point_is_in_exactly_one_read_that_holds_all_of_it(
    points: list[Point], settings: dict[str, Any], cuts: set[tuple[Table, int]]
) -> None:
    readings, blocks = packed(device(*points, **settings), Learned(cuts))
    covered = sorted(number for block in blocks for number in block.numbers)
    assert covered == list(range(len(points)))
    by_number = {reading.number: reading for reading in readings}
    for block in blocks:
        for reading in (by_number[number] for number in block.numbers):
            assert reading.table is block.table
            assert block.start <= reading.start
            assert reading.stop <= block.stop


@given(maps(), limits)
def test_no_read_exceeds_the_limits(points: list[Point], settings: dict[str, Any]) -> None:
    asked = device(*points, **settings)
    for block in packed(asked, Learned())[1]:
        bits = block.table in BIT_TABLES
        assert 1 <= block.length <= settings["max_bits" if bits else "max_registers"]
        assert 1 <= block.used <= block.length


@given(maps(), limits)
def test_no_read_could_take_the_next_point_as_well(
    points: list[Point], settings: dict[str, Any]
) -> None:
    asked = device(*points, **settings)
    blocks = packed(asked, Learned())[1]
    for block, following in pairwise(blocks):
        if block.table is not following.table:
            continue
        bits = block.table in BIT_TABLES
        limit = settings["max_bits" if bits else "max_registers"]
        far = following.start - block.stop > settings["gap"] * (16 if bits else 1)
        assert far or following.start + 1 - block.start > limit - 5


stretches = st.tuples(st.integers(0, 400), st.integers(0, 60)).map(
    lambda pair: (pair[0], pair[0] + pair[1])
)


@given(maps(), st.lists(stretches, max_size=4), st.lists(stretches, max_size=4))
def test_nothing_is_read_outside_what_is_readable(
    points: list[Point], readable: list[tuple[int, int]], forbidden: list[tuple[int, int]]
) -> None:
    settings = Settings(
        url="tcp://h",
        readable=tuple(f"hr {start}-{stop}" for start, stop in readable),
        forbidden=tuple(f"hr {start}-{stop}" for start, stop in forbidden),
    )
    allowed = (
        set(range(1000))
        if not readable
        else {at for start, stop in readable for at in range(start, stop + 1)}
    )
    allowed -= {at for start, stop in forbidden for at in range(start, stop + 1)}
    walls = walls_of(settings)[Table.HR]
    mine = [each for each in points if each.address.startswith("hr")]
    asked = device(*mine)
    readings = sorted(readings_of(asked, settings, range(len(mine)), []))
    kept = [each for each in readings if not walls.touch(each.start, each.stop)]
    assert all(set(range(each.start, each.stop)) <= allowed for each in kept)
    for block in Ground(settings).pack(kept):
        assert set(range(block.start, block.stop)) <= allowed


@given(maps(), st.sets(places, max_size=5), st.data())
def test_what_was_refused_is_read_alone_or_not_at_all(
    points: list[Point], cuts: set[tuple[Table, int]], data: st.DataObject
) -> None:
    asked = device(*points)
    readings, _ = packed(asked, Learned())
    chosen = data.draw(st.lists(st.sampled_from(readings), max_size=4)) if readings else []
    refused = {reading[:3] for reading in chosen}
    _, blocks = packed(asked, Learned(cuts, refused))
    assert {(b.table, b.start, b.length) for b in blocks if b.refused} == refused
    for block in blocks:
        if not block.refused:
            for table, start, length in refused:
                apart = block.stop <= start or start + length <= block.start
                assert block.table is not table or apart
            assert not any(
                table is block.table and block.start < at < block.stop
                for table, at in cuts
                if any(reading.start == at and reading.table is table for reading in readings)
            )


@given(maps())
def test_a_plan_says_what_it_reads(points: list[Point]) -> None:
    scans = plan(device(*points))
    assert sorted(number for scan in scans for number in scan.points) == list(range(len(points)))
    for scan in scans:
        assert sum(request.used for request in scan.requests) == sum(
            SIZES.get(points[number].type, 1) for number in scan.points
        )
