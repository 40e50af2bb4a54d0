"""Turns the points of a device into the fewest reads that its limits permit.

A read covers neighbouring points of one table, bridging unused addresses up to the gap limit,
but never an address that is forbidden, unreadable, or known to be refused.
"""

from bisect import bisect_left
from collections.abc import Hashable, Iterable, Sequence
from threading import Lock
from typing import NamedTuple

from otgate.alike import Alike
from otgate.cell import BadCell
from otgate.errors import Mistake, Mistakes
from otgate.model import Device, Point, Request, Scan, ValueType
from otgate.readings import by_scan_class
from otgate_modbus.address import (
    ADDRESSES,
    BIT_TABLES,
    Stretch,
    Table,
    read_stretch,
    written,
)
from otgate_modbus.learned import Learned, Place, measure
from otgate_modbus.reading import Extent, Reading, overlaps, readings_of, spans_of
from otgate_modbus.settings import Settings, settings_of
from otgate_modbus.timing import Medium, medium_of

BITS_PER_GAP = 16

NUMBERS: Alike[tuple[int, ...]] = Alike()
TYPES: Alike[tuple[ValueType, ...]] = Alike()
REQUESTS: Alike[tuple[Request, ...]] = Alike()


class Block(NamedTuple):
    """One read: ``length`` addresses from ``start``, for the points ``numbers``."""

    table: Table
    start: int
    length: int
    numbers: tuple[int, ...]
    used: int
    refused: bool = False
    """Whether the device is known to refuse it: then it is not sent with every scan."""
    apart: bool = False
    """Whether it costs what is read with it, so that nothing is."""

    @property
    def stop(self) -> int:
        """First address behind it."""
        return self.start + self.length

    @property
    def alone(self) -> bool:
        """Whether it holds one place that nothing else is read with."""
        return self.refused or self.apart

    def holds(self, span: Extent) -> bool:
        """Say whether a span of one of its points was packed here.

        A block that stands alone holds nothing but the very span that the device refuses.
        """
        if self.alone:
            return self[:3] == span[:3]
        within = self.start <= span.start and span.stop <= self.stop
        return self.table is span.table and within

    @property
    def reply_size(self) -> int:
        """Bytes of data in its reply: V1.1b3 §6.1, §6.3."""
        return -(-self.length // 8) if self.table in BIT_TABLES else 2 * self.length


class Walls:
    """Addresses of one table that no read may touch, as sorted disjoint ranges."""

    def __init__(self, ranges: Iterable[tuple[int, int]]) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []
        for start, stop in sorted(ranges):
            if self._stops and start <= self._stops[-1]:
                self._stops[-1] = max(self._stops[-1], stop)
            else:
                self._starts.append(start)
                self._stops.append(stop)

    def touch(self, start: int, stop: int) -> bool:
        """Say whether any address from ``start`` up to ``stop`` is barred."""
        at = bisect_left(self._starts, stop)
        return at > 0 and self._stops[at - 1] > start and start < stop

    def complement(self) -> list[tuple[int, int]]:
        """Return every address that is not barred, as ranges."""
        starts = [0, *self._stops]
        stops = [*self._starts, ADDRESSES]
        return [pair for pair in zip(starts, stops, strict=True) if pair[0] < pair[1]]


def walls_of(settings: Settings, refused: Iterable[Place] = ()) -> dict[Table, Walls]:
    """Return per table what the settings bar and what the device refuses.

    Raises:
        Mistakes: a range cannot be read.
    """
    mistakes: list[Mistake] = []
    readable = _stretches(settings.readable, "readable", settings.base, mistakes)
    barred = _stretches(settings.forbidden, "forbidden", settings.base, mistakes)
    if mistakes:
        raise Mistakes(mistakes)
    walls = {}
    barred += [Stretch(table, start, start + length) for table, start, length in refused]
    for table in Table:
        inside = [stretch[1:] for stretch in readable if stretch.table is table]
        outside = Walls(inside).complement() if inside else []
        walls[table] = Walls([*outside, *(s[1:] for s in barred if s.table is table)])
    return walls


def _stretches(texts: Sequence[str], key: str, base: int, mistakes: list[Mistake]) -> list[Stretch]:
    stretches = []
    for at, text in enumerate(texts):
        try:
            stretches.append(read_stretch(text, base))
        except BadCell as bad:
            mistakes.append(
                Mistake("bad-setting", bad.message, None, f"modbus.{key}.{at}", bad.help_text)
            )
    return stretches


class Ground:
    """Where the reads of one device may run: its limits, walls, and what it has refused."""

    def __init__(self, settings: Settings, learned: Learned | None = None) -> None:
        self.settings = settings
        self.learned = learned or Learned()
        self._alone = self.learned.refused | self.learned.apart
        self.walls = walls_of(settings, self._alone)
        self.most = {table: self._most(table) for table in Table}
        """How long a read of each table may be."""

    def _most(self, table: Table) -> int:
        most = self.settings.max_bits if table in BIT_TABLES else self.settings.max_registers
        return min(most, self.learned.sizes.get(measure(table), most))

    def joins(self, first: Extent, stop: int, span: Extent) -> bool:
        """Say whether a read from ``first`` up to ``stop`` may go on to ``span``."""
        table, start = span.table, span.start
        settings = self.settings
        if first.table is not table:
            return False
        if span.stop - first.start > self.most[table]:
            return False
        if start - stop > settings.gap * (BITS_PER_GAP if table in BIT_TABLES else 1):
            return False
        if stop > start:
            return True
        return (table, start) not in self.learned.cuts and not self.walls[table].touch(stop, start)

    def pack(self, readings: Sequence[Reading]) -> list[Block]:
        """Cover ``readings``, sorted by place, with reads; what is refused gets its own.

        A point that needs several spans is in every read that has one of them.
        """
        blocks: list[Block] = []
        members: list[Extent] = []
        alone: dict[Place, list[Extent]] = {}
        stop = 0
        for span in spans_of(readings):
            if self._alone and span[:3] in self._alone:
                alone.setdefault(span[:3], []).append(span)
                continue
            if members and not self.joins(members[0], stop, span):
                blocks.append(block_for(members))
                members = []
            stop = max(stop, span.stop) if members else span.stop
            members.append(span)
        if members:
            blocks.append(block_for(members))
        blocks.extend(self._by_itself(place, same) for place, same in alone.items())
        return blocks

    def _by_itself(self, place: Place, same: Sequence[Extent]) -> Block:
        refused = place in self.learned.refused
        return block_for(same)._replace(refused=refused, apart=not refused)


def block_for(members: Sequence[Extent]) -> Block:
    """Return the one read that covers all of ``members``, which are sorted by place."""
    start, stop, used, reached = members[0].start, 0, 0, 0
    for member in members:
        stop = max(stop, member.stop)
        used += max(0, member.stop - max(member.start, reached))
        reached = max(reached, member.stop)
    numbers = tuple(dict.fromkeys(member.number for member in members))
    return Block(members[0].table, start, stop - start, NUMBERS.one(numbers), used)


def halves(members: Sequence[Extent]) -> tuple[Sequence[Extent], Sequence[Extent]] | None:
    """Split between two points near the middle, at a gap if there is one; None if impossible.

    Unused addresses that a read bridges are the likeliest thing for a device to refuse.
    """
    gaps: list[int] = []
    borders: list[int] = []
    reached = members[0].stop
    for at, member in enumerate(members):
        if at and member.start >= reached:
            (gaps if member.start > reached else borders).append(at)
        reached = max(reached, member.stop)
    middle = min(gaps or borders, key=lambda at: abs(2 * at - len(members)), default=None)
    return None if middle is None else (members[:middle], members[middle:])


PLACES = frozenset({"url", "backup", "tls"})
"""Settings that say where a device is reached; of them a plan knows no more than the medium."""

PLANS_HELD = 16

_plans: dict[Hashable, tuple[Sequence[Point], list[Scan]]] = {}
"""The plans made last, each with its points, so that nothing else can come to have their id."""
_planning = Lock()
"""A reload plans in a thread of its own while links open their devices."""


def plan(device: Device) -> list[Scan]:
    """Decide every request of a device, one scan per scan class that has points.

    Devices of a kind share their points, and have one plan.

    Raises:
        Mistakes: everything wrong with the settings or the point map.
    """
    settings = settings_of(device.settings)
    said = settings.model_dump_json(exclude=set(PLACES))
    key = (id(device.points), tuple(device.scans.items()), said, medium_of(settings))
    found = _plans.get(key) or (device.points, _planned(device, settings))
    with _planning:
        _plans.pop(key, None)
        _plans[key] = found
        while len(_plans) > PLANS_HELD:
            del _plans[next(iter(_plans))]
    return list(found[1])


def _planned(device: Device, settings: Settings) -> list[Scan]:
    ground = Ground(settings)
    mistakes: list[Mistake] = []
    readings = readings_of(device, settings, range(len(device.points)), mistakes)
    mistakes.extend(_unreachable(readings, ground, device))
    mistakes.extend(overlaps(readings, device))
    classes = by_scan_class(device, readings, mistakes)
    if mistakes:
        raise Mistakes(mistakes)
    return [
        _scan(name, device.scans[name], sorted(members, key=lambda reading: reading[:4]), ground)
        for name, members in classes.items()
    ]


def doubts(device: Device) -> list[Mistake]:
    """Find values whose registers no single read has: the device may change them in between."""
    settings = settings_of(device.settings)
    readings = readings_of(device, settings, range(len(device.points)), [])
    if not any(reading.others for reading in readings):
        return []
    ground = Ground(settings)
    return [
        _torn(device.points[reading.number])
        for members in by_scan_class(device, readings, []).values()
        for reading in _parted(sorted(members, key=lambda reading: reading[:4]), ground)
    ]


def _parted(readings: Sequence[Reading], ground: Ground) -> Iterable[Reading]:
    blocks = ground.pack(readings)
    for reading in readings:
        spans: tuple[Extent, ...] = (reading, *reading.others)
        if reading.others and not any(all(map(block.holds, spans)) for block in blocks):
            yield reading


def _torn(point: Point) -> Mistake:
    return Mistake(
        "torn-value",
        f"`{point.address}` takes several requests: the device may change the value in between",
        point.id,
        "address",
        "raise `modbus.gap` if what lies between can be read, or read the registers as points",
    )


def _unreachable(readings: Iterable[Reading], ground: Ground, device: Device) -> Iterable[Mistake]:
    for reading in readings:
        point = device.points[reading.number]
        for span in reading.spans:
            if mistake := _barred(span, reading, point, ground):
                yield mistake


def _barred(span: Extent, reading: Reading, point: Point, ground: Ground) -> Mistake | None:
    limit = ground.most[span.table]
    if span.length > limit:
        return Mistake(
            "point-too-wide",
            f"{reading.encoding.name} takes {span.length} registers, one read at most {limit}",
            point.id,
            "type",
            "raise `modbus.max_registers` or shorten the string",
        )
    if not ground.walls[span.table].touch(span.start, span.stop):
        return None
    column = "sf" if span is reading.factor else "address"
    return Mistake(
        "address-not-readable",
        f"`{getattr(point, column)}` lies where the settings allow no read",
        point.id,
        column,
        "see `modbus.readable` and `modbus.forbidden`",
    )


def _scan(name: str, period_s: float, readings: Sequence[Reading], ground: Ground) -> Scan:
    medium = medium_of(ground.settings)
    return Scan(
        name,
        period_s,
        NUMBERS.one(tuple(reading.number for reading in readings)),
        TYPES.one(tuple(reading.value_type for reading in readings)),
        REQUESTS.one(
            tuple(
                _request(block, ground.settings, medium, 0.0 if at else medium.switch_s)
                for at, block in enumerate(ground.pack(readings))
            )
        ),
    )


def _request(block: Block, settings: Settings, medium: Medium, ahead_s: float) -> Request:
    what = "bit" if block.table in BIT_TABLES else "register"
    first, last = (written(block.table, at, settings.base) for at in (block.start, block.stop - 1))
    where = first if block.length == 1 else f"{first} to {last}"
    many = "" if block.length == 1 else "s"
    function = int(block.table)
    text = f"unit {settings.unit}, function {function}: {block.length} {what}{many}, {where}"
    data = block.reply_size
    wasted = block.length - block.used
    return Request(text, block.used, wasted, medium.wire_bytes(data), ahead_s + medium.busy_s(data))
