import errno
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from otgate.app.field import CALM_S, tell
from otgate.app.outlet import Way
from otgate.model import Lane
from otgate.policy.gate import Gate
from otgate.policy.language import Conduit
from otgate.spool.writer import SpoolState, SpoolWriter
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
