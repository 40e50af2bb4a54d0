import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from audit_logs import audit, events, records
from daemons import eventually
from firsts import Outside
from otgate.app import counting
from otgate.app.by_point import ByPoint


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    made = Outside(tmp_path)
    yield made
    made.egress.close()


def test_counts_say_what_crossed_and_what_did_not(outside: Outside, tmp_path: Path) -> None:
    outside.measure(0, 1, 5)
    with audit(tmp_path / "log") as log:
        counting.count(outside.egress, ByPoint(log.hear), log)
    told = records(tmp_path / "log")[0]
    assert (told["event"], told["what"]["conduit"]) == ("counts", "analytics")
    assert told["what"]["crossed"]["data"] == 2
    assert told["what"]["denied"] == 1


async def test_counts_come_at_the_end_of_a_day(
    outside: Outside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "DAY_S", 0.01)
    with audit(tmp_path / "log") as log:
        by_point = ByPoint(log.hear)
        outside.egress.count(by_point)
        outside.measure(0)
        task = asyncio.ensure_future(counting.counting(outside.egress, by_point, log))
        await eventually(lambda: log.written >= 2)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert "point_counts" in events(tmp_path / "log")
