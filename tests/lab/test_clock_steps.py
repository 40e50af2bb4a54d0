"""The system's clock is set while a whole gateway runs: a day ahead, a day back, to 1970."""

import json
import time
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from brokers import Mosquitto, broker
from daemons import Process, events, eventually, said, simulated, write_site
from publishing import Memory, subscriber
from stepping_clock import SteppingClock

__all__ = ["broker"]

pytestmark = [pytest.mark.lab, pytest.mark.slow]

DAY_S = 86_400
DOUBTED = ("good", "clock_unsynchronised")


class Gateway:
    """Both sides, by a clock that is set."""

    def __init__(self, site: Path, process: Process, clock: SteppingClock, memory: Memory) -> None:
        self.site, self.clock, self.memory = site, clock, memory
        self.log = process.log

    @property
    def device(self) -> dict[str, Any]:
        found: dict[str, Any] = said(self.site, "field").get("devices", {}).get("f1", {})
        return found

    def polled(self) -> list[tuple[int, tuple[str, ...]]]:
        """When each sample of a current was read by our clock, in µs, and its quality."""
        return [
            (told.time_us if one.t_us is None else one.t_us, tuple(one.q))
            for told in self.memory.samples
            if told.device == "f1"
            for one in told.points
            if one.id == "ia"
        ]

    async def more(self, samples: int = 12) -> list[tuple[int, tuple[str, ...]]]:
        """Return the next samples."""
        seen = len(self.polled())
        await eventually(lambda: len(self.polled()) >= seen + samples)
        return self.polled()[seen:]

    def told(self, event: str) -> list[dict[str, Any]]:
        return [one for one in events(self.log) if one["event"] == event]


@pytest.fixture
def clock(tmp_path: Path) -> SteppingClock:
    return SteppingClock(tmp_path)


@pytest.fixture
async def gateway(
    tmp_path: Path, broker: Mosquitto, clock: SteppingClock
) -> AsyncIterator[Gateway]:
    site = write_site(tmp_path / "site", broker.port)
    with simulated(site) as endpoints:
        words = ["run", site, "--endpoints", endpoints, "--log", "json"]
        async with subscriber(broker.url) as memory:
            with Process(site / "run.log", *words, prefix=clock.prefix) as process:
                yield Gateway(site, process, clock, memory)


@pytest.mark.parametrize("step_s", [DAY_S, -DAY_S])
async def test_polls_keep_their_grid_and_their_stamps_are_doubted(
    gateway: Gateway, step_s: int
) -> None:
    before = await gateway.more()
    assert {quality for _, quality in before} == {("good",)}
    gateway.clock.step(step_s)
    await eventually(lambda: gateway.polled()[-1][1] == DOUBTED)
    after = await gateway.more()
    assert {quality for _, quality in after} == {DOUBTED}
    apart_s = [(late - early) / 1e6 for (early, _), (late, _) in pairwise(after)]
    assert min(apart_s) > 0
    assert abs(after[0][0] / 1e6 - time.time() - step_s) < 60
    assert gateway.device["overruns"] < 100, "a day of slots was skipped"
    ledger = gateway.memory.audit.ledger
    assert (ledger.lost, {one.disorder for one in ledger.accounts.values()}) == (0, {0})
    assert [
        round(one["by_s"]) for one in gateway.told("clock_stepped") if one["side"] == "field"
    ] == [step_s]


async def test_a_step_is_in_the_audit_log(gateway: Gateway) -> None:
    await gateway.more()
    gateway.clock.step(DAY_S)
    folder = gateway.site / "state" / "audit"

    def recorded() -> list[dict[str, Any]]:
        lines = [line for file in folder.glob("*.jsonl") for line in file.read_text().splitlines()]
        return [one for one in map(json.loads, lines) if one.get("event") == "clock_stepped"]

    await eventually(recorded)


async def test_what_is_read_in_1970_says_so_until_the_clock_is_set(
    tmp_path: Path, broker: Mosquitto, clock: SteppingClock
) -> None:
    clock.step(-time.time())
    site = write_site(tmp_path / "site", broker.port)
    with simulated(site) as endpoints:
        words = ["run", site, "--endpoints", endpoints, "--log", "json"]
        async with subscriber(broker.url) as memory:
            with Process(site / "run.log", *words, prefix=clock.prefix) as process:
                gateway = Gateway(site, process, clock, memory)
                early = await gateway.more()
                assert {quality for _, quality in early} == {DOUBTED}
                assert max(at_us for at_us, _ in early) < DAY_S * 1_000_000
                clock.step(0)
                await eventually(lambda: gateway.polled()[-1][0] > DAY_S * 1_000_000)
                late = await gateway.more()
                assert {quality for _, quality in late} == {DOUBTED}, "it stepped just now"
                assert gateway.device["overruns"] < 100
        assert memory.audit.ledger.lost == 0
