import asyncio
import errno
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from otgate.app.field import CALM_S, LOOK_S, releasing, tell
from otgate.app.outlet import Way, Ways
from otgate.model import Lane
from otgate.policy.gate import Gate
from otgate.policy.language import Conduit, Limits
from otgate.spool.writer import SpoolState, SpoolWriter
from policies import gate, point
from spools import AMPLE, QUICK, FaultyFiles, batch, catalog


@pytest.fixture
def files() -> FaultyFiles:
    return FaultyFiles()


@pytest.fixture
def way(tmp_path: Path, files: FaultyFiles) -> Iterator[Way]:
    spool = SpoolWriter.open(tmp_path / "spool", catalog(), AMPLE, files=files, pace=QUICK)
    yield Way("analytics", Gate(Conduit("analytics", frozenset({"bay"}), "it")), spool)
    files.faults.clear()
    spool.close()


def until(way: Way, state: SpoolState) -> None:
    deadline_s = time.monotonic() + 5
    while way.spool.status().state is not state:
        assert time.monotonic() < deadline_s
        way.spool.append(Lane.DATA, batch([1.0]))
        time.sleep(0.005)


def test_a_spool_that_fails_and_recovers_is_told_once_each(way: Way, files: FaultyFiles) -> None:
    failed_s: dict[str, float] = {}
    with capture_logs() as logs:
        tell(way, failed_s, 0.0)
        files.faults = dict.fromkeys(["create", "write"], errno.ENOSPC)
        until(way, SpoolState.FAILING)
        for now_s in (1.0, 2.0):
            tell(way, failed_s, now_s)
        files.faults.clear()
        until(way, SpoolState.WRITING)
        for now_s in (3.0, 2.0 + CALM_S, 20.0):
            tell(way, failed_s, now_s)
    assert [entry["event"] for entry in logs] == ["spool_failing", "spool_writing"]
    assert logs[0]["error"] == "No space left on device"


def test_samples_that_found_no_room_are_told_with_their_span(way: Way, files: FaultyFiles) -> None:
    files.faults = dict.fromkeys(["create", "write"], errno.ENOSPC)
    until(way, SpoolState.FAILING)
    way.spool.miss(Lane.DATA, 7, 11, 13)
    first = way.spool.next_seq(Lane.DATA) - 7
    files.faults.clear()
    until(way, SpoolState.WRITING)
    with capture_logs() as logs:
        tell(way, {}, 0.0)
        tell(way, {}, 1.0)
    assert [entry["event"] for entry in logs] == ["samples_dropped"]
    told = logs[0]
    assert (told["lane"], told["first_seq"], told["count"]) == ("data", first, 7)
    assert (told["conduit"], told["from_ns"], told["to_ns"]) == ("analytics", 11, 13)
    assert told["epoch"] == way.spool.status().epoch


class Counted(Ways):
    """Counts how often held samples were looked for."""

    def __init__(self, way: Way) -> None:
        super().__init__([way], time.time_ns)
        self.looks = 0
        self.often = asyncio.Event()

    def release(self) -> None:
        self.looks += 1
        super().release()
        if self.looks == 3:
            self.often.set()


async def test_where_no_interval_holds_samples_back_none_are_looked_for(way: Way) -> None:
    outlet = Counted(way)
    going_on = asyncio.ensure_future(releasing(outlet))
    await asyncio.wait([going_on], timeout=2 * LOOK_S)
    going_on.cancel()
    assert outlet.looks == 0


async def test_an_interval_that_a_reload_brings_is_released_from_then_on(way: Way) -> None:
    outlet = Counted(way)
    going_on = asyncio.ensure_future(releasing(outlet))
    slow = gate(point("ia"), limits=Limits(min_interval_s=60))
    outlet.ways = [replace(way, gate=slow)]
    async with asyncio.timeout(10):
        await outlet.often.wait()
    going_on.cancel()
