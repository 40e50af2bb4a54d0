"""Any interleaving of writing, restarting, reading and acknowledging accounts for every sample."""

import asyncio
import tempfile
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from otgate.model import Lane
from otgate.spool.items import Frame, Gap, Item
from otgate.spool.ranges import Ranges
from otgate.spool.reader import SpoolReader
from otgate.spool.writer import Pace, Retention, SpoolWriter
from spools import NOW_NS, FaultyFiles, batch, catalog, committed, count, everything, frames

LANES = st.sampled_from(Lane)


class Histories(RuleBasedStateMachine):
    """The model: how many samples each epoch of each lane was given, and what was acknowledged.

    A sample's value is its own number, so that a frame shows whose it is.
    """

    @initialize(tight=st.booleans())
    def begin(self, tight: bool) -> None:  # noqa: FBT001  hypothesis draws it by name
        self.place = tempfile.TemporaryDirectory()
        self.root = Path(self.place.name)
        self.retention = Retention(40_000 if tight else 1 << 30, 10**18)
        self.given: dict[Lane, dict[int, int]] = {lane: {} for lane in Lane}
        self.done: dict[Lane, dict[int, Ranges]] = {lane: defaultdict(Ranges) for lane in Lane}
        self.flying: dict[Lane, list[Item]] = {lane: [] for lane in Lane}
        self.ticket = 0
        self.now_ns = NOW_NS
        self.open_writer()
        self.open_reader()

    def open_writer(self) -> None:
        self.files = FaultyFiles()
        self.writer = SpoolWriter.open(
            self.root / "spool",
            catalog(),
            self.retention,
            files=self.files,
            clock=lambda: self.now_ns,
            pace=Pace(0.001, 0.0),
            buffer_bytes=200_000,
        )
        for lane in Lane:
            self.given[lane][self.writer.epoch] = 0

    def open_reader(self) -> None:
        self.reader = SpoolReader.open(self.root / "spool", self.root / "state")
        self.flying = {lane: [] for lane in Lane}

    @rule(lane=LANES, samples=st.integers(1, 20), times=st.integers(1, 60))
    def append(self, lane: Lane, samples: int, times: int) -> None:
        for _ in range(times):
            seq = self.given[lane][self.writer.epoch]
            column = np.arange(seq, seq + samples, dtype=np.float64)
            self.now_ns += 1
            self.ticket = self.writer.append(lane, batch(column))
            self.given[lane][self.writer.epoch] += samples

    @rule()
    def commit(self) -> None:
        self.files.faults.clear()
        assert committed(self.writer, self.ticket)

    @rule(operation=st.sampled_from(["write", "sync", "create", "rename", "sync_directory"]))
    def disturb(self, operation: str) -> None:
        self.files.faults[operation] = 28

    @rule(times=st.integers(1, 3))
    def write_short(self, times: int) -> None:
        self.files.short_writes = times

    @rule()
    def cure(self) -> None:
        self.files.faults.clear()

    @rule()
    def restart_writer(self) -> None:
        self.files.faults.clear()
        assert committed(self.writer, self.ticket)
        self.writer.close()
        self.ticket = 0
        self.open_writer()

    @rule(lane=LANES, most=st.integers(1, 50))
    def read(self, lane: Lane, most: int) -> None:
        self.take(lane, self.reader.read(lane, max_frames=most))

    @rule(lane=LANES, most=st.integers(1, 50))
    def read_behind(self, lane: Lane, most: int) -> None:
        until = self.reader.live_from(lane)
        items = self.reader.read_behind(lane, max_frames=most)
        self.take(lane, items)
        for item in items:
            if isinstance(item, Frame):
                assert until is not None
                assert (item.epoch, item.seq + count(item)) <= until

    def take(self, lane: Lane, items: list[Item]) -> None:
        for item in items:
            self.check(item)
            if isinstance(item, Frame | Gap):
                done = self.done[lane][item.epoch]
                span = item.seq, item.seq + count(item)
                assert done.missing(*span) == [span], "acknowledged already"
                self.flying[lane].append(item)
        spans = sorted((f.epoch, f.seq, f.seq + count(f)) for f in frames(self.flying[lane]))
        for one, other in pairwise(spans):
            assert one[0] < other[0] or one[2] <= other[1], "twice under way"

    @rule(lane=LANES, back=st.integers(0, 400))
    def split(self, lane: Lane, back: int) -> None:
        self.rewind()
        asyncio.run(self.reader.split(lane, self.now_ns - back))

    def check(self, item: Item) -> None:
        if isinstance(item, Frame):
            assert item.seq + len(item.batch) <= self.given[item.lane][item.epoch]
            expected = np.arange(item.seq, item.seq + len(item.batch))
            assert item.batch.values.tolist() == expected.tolist()

    @rule(lane=LANES, at=st.integers(0, 99))
    def acknowledge(self, lane: Lane, at: int) -> None:
        flying = self.flying[lane]
        if flying:
            self.acknowledge_item(flying.pop(at % len(flying)))

    @rule(lane=LANES)
    def acknowledge_all(self, lane: Lane) -> None:
        while self.flying[lane]:
            self.acknowledge_item(self.flying[lane].pop(0))

    def acknowledge_item(self, item: Item) -> None:
        assert isinstance(item, Frame | Gap)
        self.reader.acknowledge(item.lane, item.epoch, item.seq, count(item))
        self.done[item.lane][item.epoch].add(item.seq, item.seq + count(item))

    @rule()
    def restart_reader(self) -> None:
        self.reader.close()
        self.open_reader()

    @rule()
    def rewind(self) -> None:
        self.reader.rewind()
        self.flying = {lane: [] for lane in Lane}

    @invariant()
    def nothing_is_complete_that_was_not_acknowledged(self) -> None:
        for lane in Lane:
            epoch, seq = self.reader.complete_through(lane)
            assert self.done[lane][epoch].missing(0, seq) == []

    def teardown(self) -> None:
        if not hasattr(self, "root"):
            return
        try:
            self.account()
        finally:
            self.writer.close()
            self.reader.close()
            self.place.cleanup()

    def account(self) -> None:
        self.files.faults.clear()
        assert committed(self.writer, self.ticket)
        for lane in Lane:
            while self.reader.live_from(lane):
                self.take(lane, self.reader.read_behind(lane))
            self.take(lane, everything(self.reader, lane))
            self.acknowledge_all(lane)
            acknowledged = sum(
                stop - start for done in self.done[lane].values() for start, stop in done
            )
            assert acknowledged == sum(self.given[lane].values())
            last = self.writer.epoch
            assert self.reader.complete_through(lane) == (last, self.given[lane][last])


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
