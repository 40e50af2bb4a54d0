"""kill -9 of either side, of both and of their parent, under load: what a subscriber sees."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from brokers import Mosquitto, broker
from daemons import BUS, Process
from evidence import FAULTLESS, Audit, Listener
from kills import FRAME_SAMPLES, READ_WINDOW, Gateway, Side, gateway, modest, troubles
from otgate.model import Lane
from otgate.spool.writer import SpoolWriter
from spools import AMPLE, QuickFiles, batch, catalog, committed

__all__ = ["broker"]

pytestmark = pytest.mark.lab


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Gateway]:
    with gateway(tmp_path, modest(tmp_path), seed=1) as found:
        yield found


@pytest.mark.parametrize("side", list(Side))
def test_a_kill_loses_nothing_that_the_spool_accepted(running: Gateway, side: Side) -> None:
    time.sleep(1)
    killed = running.kill(side)
    assert killed.duplicates <= READ_WINDOW
    running.stop()
    assert running.audit.verdict() == FAULTLESS
    assert running.audit.samples > 1000


@pytest.mark.parametrize("side", [Side.FIELD, Side.BUS])
def test_the_survivor_notices_nothing(running: Gateway, side: Side) -> None:
    other = "bus" if side is Side.FIELD else "run"
    before, pid = running.status(other), running.process.children[other]
    running.kill(side)
    after = running.status(other)
    assert running.process.children[other] == pid
    if other == "bus":
        assert after["connections"] == before["connections"] == 1
    else:
        assert epoch(after) == epoch(before)
        assert failures(after) == failures(before)
    assert troubles(running.process.log) == []


def epoch(status: dict[str, dict[str, dict[str, dict[str, str]]]]) -> str:
    return status["conduits"]["analytics"]["spool"]["epoch"]


def failures(status: dict[str, dict[str, dict[str, object]]]) -> list[object]:
    return [device["failures"] for device in status["devices"].values()]


def test_a_kill_during_a_drain_repeats_at_most_a_read_window(
    tmp_path: Path, broker: Mosquitto
) -> None:
    spool = tmp_path / "spool"
    backlog(spool, frames=2500)
    bus = tmp_path / "bus" / "analytics.yaml"
    bus.parent.mkdir()
    bus.write_text(BUS.format(port=broker.port) + f"spool: {spool}\nreplay_s: 0\n")
    with Listener(broker.port) as listener, Process(tmp_path / "log", "bus", bus) as draining:
        for _ in range(3):
            listener.await_news(listener.received + 20_000)
            before = listener.duplicates
            draining.kill()
            draining.start()
            listener.await_news(listener.received + 10 * FRAME_SAMPLES)
            assert listener.duplicates - before <= READ_WINDOW
        audit = Audit(spool, tmp_path / "audit", listener)
        audit.compare()
        audit.close()
    assert audit.verdict() == FAULTLESS
    assert audit.samples == 2500 * FRAME_SAMPLES


def backlog(spool: Path, frames: int) -> None:
    """Spool what takes a publisher seconds to drain."""
    writer = SpoolWriter.open(spool, catalog(FRAME_SAMPLES), AMPLE, files=QuickFiles())
    for number in range(frames):
        writer.append(Lane.DATA, batch(values=np.arange(FRAME_SAMPLES) + float(number)))
        if number % 500 == 0:
            assert committed(writer, number)
    writer.close()


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_kills_in_the_middle_of_a_drain_behind_live_data_lose_nothing(tmp_path: Path) -> None:
    rng = random.Random(3)
    sizes = modest(tmp_path, backlog="{live_s: 2, messages_per_s: 20}")
    with gateway(tmp_path, sizes, seed=3) as running:
        time.sleep(1)
        running.hold_up(7)
        for side in (Side.BUS, Side.FIELD, Side.BOTH, Side.BUS):
            time.sleep(rng.uniform(0.3, 1.0))
            running.kill(side)
        drained = running.listener.replayed_samples
        until = time.monotonic() + 60
        while "backlog" in running.status("bus")["lanes"]["data"]:
            assert time.monotonic() < until
            time.sleep(0.2)
        assert 0 < drained < running.listener.replayed_samples
        running.stop()
        assert running.audit.verdict() == FAULTLESS


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1, 2])
def test_dozens_of_kills_at_random_moments_lose_nothing(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    with gateway(tmp_path, modest(tmp_path), seed) as running:
        for _ in range(20):
            time.sleep(rng.uniform(0, 3))
            assert running.kill(rng.choice(list(Side))).duplicates <= READ_WINDOW
        running.stop()
        assert running.audit.verdict() == FAULTLESS
