"""The planner against an oracle that tries every way there is, on small maps."""

import sys
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from modbus_peers import device, point
from otgate.model import Device, Point
from otgate_modbus.address import Table
from otgate_modbus.learned import Learned, Measure
from otgate_modbus.planner import Ground, Walls, plan
from otgate_modbus.reading import Extent, readings_of, spans_of

SIZES = {"u16": 1, "u32": 2, "f64": 4}


@st.composite
def small_maps(draw: st.DrawFn) -> list[Point]:
    """A few points that lie close; some have a scale factor or a word elsewhere."""
    points: list[Point] = []
    at = 0
    for number in range(draw(st.integers(1, 5))):
        at += draw(st.integers(0, 6))
        type_ = draw(st.sampled_from(sorted(SIZES)))
        if draw(st.integers(0, 3)) == 3:
            apart = at + 1 + draw(st.integers(1, 5))
            points.append(point(f"p{number}", f"hr {at}+{apart}", "u32"))
            at = apart + 1
        else:
            factor = f"hr {draw(st.integers(60, 70))}" if draw(st.booleans()) else ""
            points.append(point(f"p{number}", f"hr {at}", type_, sf=factor))
            at += SIZES[type_]
    return draw(st.permutations(points))


limits = st.fixed_dictionaries({"gap": st.integers(0, 5), "max_registers": st.integers(4, 20)})
forbidden = st.lists(st.integers(0, 40), max_size=3)
cuts = st.sets(st.integers(0, 40), max_size=2)
sizes = st.one_of(st.none(), st.integers(4, 20))


def partitions(items: Sequence[Extent]) -> Iterator[list[list[Extent]]]:
    """Yield every way to divide ``items`` into sets."""
    if not items:
        yield []
        return
    first, rest = items[0], items[1:]
    for parts in partitions(rest):
        yield [[first], *parts]
        for at, part in enumerate(parts):
            yield [*parts[:at], [first, *part], *parts[at + 1 :]]


def permitted(
    part: Sequence[Extent], given: dict[str, Any], barred: Sequence[int], known: set[int]
) -> bool:
    """Say whether one read may cover a set of spans, address by address."""
    used = {at for span in part for at in range(span.start, span.stop)}
    start, stop = min(used), max(used) + 1
    if len(part) > 1 and stop - start > given["max_registers"]:
        return False
    hole = 0
    for at in range(start, stop):
        hole = 0 if at in used else hole + 1
        if hole > given["gap"] or (at not in used and at in barred):
            return False
    whole = {span.start for span in part} & known
    return not any(start < at and not _inside(part, at) for at in whole)


def _inside(part: Sequence[Extent], at: int) -> bool:
    """Say whether a span runs over an address: no read can begin there."""
    return any(span.start < at < span.stop for span in part)


def spans_and_ground(
    points: Sequence[Point], given: dict[str, Any], barred: Sequence[int], learned: Learned
) -> tuple[list[Extent], Ground, Device]:
    """Leave out of the forbidden addresses those that a point needs."""
    asked = device(*points, **given)
    readings = sorted(readings_of(asked, asked.settings, range(len(points)), []))
    spans = spans_of(readings)
    ground = Ground(asked.settings, learned)
    ground.walls[Table.HR] = Walls((at, at + 1) for at in barred)
    return spans, ground, asked


@settings(deadline=None)
@given(small_maps(), limits, forbidden, cuts, sizes)
def test_no_plan_needs_fewer_requests(
    points: list[Point],
    given: dict[str, Any],
    barred: list[int],
    known: set[int],
    size: int | None,
) -> None:
    learned = Learned(
        {(Table.HR, at) for at in known}, sizes={} if size is None else {Measure.REGISTERS: size}
    )
    spans, ground, asked = spans_and_ground(points, given, (), learned)
    needed = {at for span in spans for at in range(span.start, span.stop)}
    barred = [at for at in barred if at not in needed]
    _, ground, asked = spans_and_ground(points, given, barred, learned)
    limited = given | {"max_registers": min(given["max_registers"], size or 125)}
    places = sorted({span[:3]: span for span in spans}.values(), key=lambda span: span[:4])
    fewest = min(
        len(parts)
        for parts in partitions(places)
        if all(permitted(part, limited, barred, known) for part in parts)
    )
    readings = sorted(readings_of(asked, asked.settings, range(len(points)), []))
    assert len(ground.pack(readings)) == fewest


@settings(deadline=None)
@given(small_maps(), limits)
def test_all_that_a_value_needs_is_read_in_the_same_poll_and_once(
    points: list[Point], given: dict[str, Any]
) -> None:
    asked = device(*points, **given)
    (scan,) = plan(asked)
    readings = sorted(readings_of(asked, asked.settings, range(len(points)), []))
    blocks = Ground(asked.settings).pack(readings)
    assert len(blocks) == len(scan.requests)
    for reading in readings:
        for span in reading.spans:
            holding = [block for block in blocks if block.holds(span)]
            assert len(holding) == 1
            assert reading.number in holding[0].numbers


def calls_to_plan(count: int) -> int:
    """Count the function calls of planning so many points."""
    spread = [point(f"p{at}", f"hr {3 * at}", "u16", scale=0.1) for at in range(count)]
    asked, calls = device(*spread), 0

    def counted(frame: FrameType, event: str, arg: object) -> None:
        nonlocal calls
        calls += 1

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        plan(asked)
    finally:
        sys.setprofile(before)
    return calls


def test_the_work_grows_as_the_map_does() -> None:
    """Ten times the points cost about ten times the calls."""
    small, large = calls_to_plan(500), calls_to_plan(5_000)
    assert large < 11 * small
