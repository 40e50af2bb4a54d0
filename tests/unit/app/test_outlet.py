import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from otgate.app.outlet import NOBODY, Passed, Taken, Way, Ways
from otgate.errors import NotDurable
from otgate.model import Batch, Clock, Device, Kind, Lane, Origin, Point, Sensitivity, ValueType
from otgate.policy.gate import compile_gates
from otgate.policy.language import Conduit, Effect, Match, Policy, Rule, Zone
from otgate.quality import Quality
from otgate.spool.items import Frame
from otgate.spool.reader import SpoolReader
from otgate.spool.writer import SpoolWriter
from spools import AMPLE, QuickFiles, catalog

POINTS = tuple(
    Point(id=f"p{n}", kind=kind, zone="bay", sensitivity=Sensitivity.INTERNAL)
    for n, kind in enumerate([Kind.MEASUREMENT, Kind.STATUS, Kind.SETTING])
)
DEVICE = Device("f3", "modbus", "bay", POINTS, {"normal": 1.0}, None)
POLICY = Policy(
    "test",
    1,
    frozenset(),
    {"bay": Zone("bay"), "it": Zone("it")},
    {"analytics": Conduit("analytics", frozenset({"bay"}), "it", ceiling=Sensitivity.INTERNAL)},
    (Rule("all", Effect.ALLOW, Match(), "a test"),),
)


class HeldFiles(QuickFiles):
    """A disk that does not finish a sync until it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.held = False

    def sync(self, descriptor: int) -> None:
        while self.held:
            time.sleep(0.001)
        super().sync(descriptor)


class Side:
    """One conduit's way into a real spool."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.files = HeldFiles()
        types = {"f3": [ValueType.F64] * len(POINTS)}
        gate = compile_gates(POLICY, [DEVICE], types)["analytics"]
        self.spool = SpoolWriter.open(directory, catalog(2, ["f3"]), AMPLE, files=self.files)
        self.ways = Ways([Way("analytics", gate, self.spool)], time.time_ns)

    def read(self, lane: Lane) -> list[Frame]:
        reader = SpoolReader.open(self.directory, self.directory.parent / "state")
        try:
            return [item for item in reader.read(lane) if isinstance(item, Frame)]
        finally:
            reader.close()


@pytest.fixture
def side(tmp_path: Path) -> Iterator[Side]:
    made = Side(tmp_path / "spool")
    yield made
    made.files.held = False
    made.spool.close()


def batch(*points: int) -> Batch:
    index = np.array(points, np.int32)
    quality = np.zeros(len(points), np.uint32)
    values = index.astype(np.float64)
    return Batch("f3", ValueType.F64, Origin.POLL, index, values, quality, time.time_ns())


async def test_a_durable_receipt_means_that_the_samples_can_be_read(side: Side) -> None:
    receipt = side.ways(batch(0, 1))
    await receipt.durable()
    assert [frame.batch.values.tolist() for frame in side.read(Lane.DATA)] == [[0.0]]
    assert [frame.batch.values.tolist() for frame in side.read(Lane.EVENT)] == [[1.0]]


async def test_what_no_conduit_takes_is_durable_at_once(side: Side) -> None:
    receipt = side.ways(batch(2))
    assert receipt is NOBODY
    await receipt.durable(limit_s=0)


async def test_a_disk_that_hangs_makes_a_receipt_not_durable(side: Side) -> None:
    side.files.held = True
    with pytest.raises(NotDurable):
        await side.ways(batch(0)).durable(limit_s=0.05)


async def test_a_sync_that_comes_after_the_limit_disturbs_nobody(side: Side) -> None:
    side.files.held = True
    first = side.ways(batch(0))
    with pytest.raises(NotDurable):
        await first.durable(limit_s=0.02)
    side.files.held = False
    await side.ways(batch(0)).durable()


async def test_many_receipts_wait_side_by_side(side: Side) -> None:
    receipts = [side.ways(batch(0)) for _ in range(50)]
    await asyncio.gather(*(receipt.durable() for receipt in receipts))
    assert sum(len(frame.batch) for frame in side.read(Lane.DATA)) == 50


async def test_a_cancelled_wait_leaves_the_spool_working(side: Side) -> None:
    side.files.held = True
    waiting = asyncio.ensure_future(side.ways(batch(0)).durable())
    await asyncio.sleep(0.01)
    waiting.cancel()
    side.files.held = False
    await side.ways(batch(0)).durable()
    assert isinstance(NOBODY, Taken)


def worded(*quality: Quality, origin: Origin = Origin.POLL) -> Batch:
    words = np.array(quality, np.uint32)
    return replace(batch(*range(len(words))), quality=words, origin=origin)


def test_samples_are_counted_by_origin_and_validity() -> None:
    passed = Passed()
    good = worded(Quality.GOOD, Quality.TEST)
    passed.take(good)
    passed.take(good)
    stale = Quality.QUESTIONABLE | Quality.STALE
    passed.take(worded(Quality.GOOD, stale, Quality.INVALID | Quality.COMM_LOST, Quality(0b10)))
    passed.take(worded(Quality.INVALID, origin=Origin.REFRESH))
    assert passed.counts[Origin.POLL] == [5, 1, 2]
    assert passed.counts[Origin.REFRESH] == [0, 0, 1]


def test_a_column_that_is_not_good_is_not_taken_for_the_good_one_before() -> None:
    passed = Passed()
    passed.take(worded(Quality.GOOD))
    passed.take(worded(Quality.INVALID))
    passed.take(worded(Quality.GOOD))
    assert passed.counts[Origin.POLL] == [2, 0, 1]


@pytest.mark.parametrize(
    ("stamped_by", "marked"), [(None, True), (Clock.GATEWAY, True), (Clock.DEVICE, False)]
)
def test_what_is_stamped_by_a_clock_in_doubt_says_so(
    side: Side, stamped_by: Clock | None, *, marked: bool
) -> None:
    given = batch(0, 0)
    if stamped_by is not None:
        given = replace(given, source_ns=np.full(2, 5, np.int64), clock=stamped_by)
    for doubted in (True, False):
        side.ways.doubtful = lambda _now_ns, doubted=doubted: doubted
        side.ways(given)
    side.spool.close()
    mark = int(Quality.CLOCK_UNSYNCHRONISED)
    told = [frame.batch.quality.tolist() for frame in side.read(Lane.DATA)]
    assert told == [[mark, mark] if marked else [0, 0], [0, 0]]
    assert given.quality.tolist() == [0, 0]
