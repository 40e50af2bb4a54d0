"""Whole daemons with a delayed conduit: what leaves, when, and what kills cost."""

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from brokers import Mosquitto, broker
from daemons import Process, events, running, said, simulated, wait_until, write_site
from evidence import Listener
from otgate.model import Lane
from otgate.spool.items import Frame
from otgate.spool.reader import SpoolReader
from spools import everything, frames

__all__ = ["broker"]

pytestmark = [pytest.mark.lab, pytest.mark.slow]

DELAY_S = 3


@pytest.fixture
def site(tmp_path: Path, broker: Mosquitto) -> Path:
    folder = write_site(tmp_path / "site", broker.port)
    policy = folder / "policy.yaml"
    limits = f"ceiling: internal, limits: {{delay_s: {DELAY_S}}}"
    policy.write_text(policy.read_text().replace("ceiling: internal", limits))
    return folder


@pytest.fixture
def daemons(site: Path) -> Iterator[Process]:
    with simulated(site) as endpoints, running(site, endpoints) as process:
        yield process


def conduit(site: Path) -> dict[str, Any]:
    found: dict[str, Any] = said(site, "field").get("conduits", {}).get("analytics", {})
    return found


def waiting(site: Path) -> int:
    return int(conduit(site).get("delay", {}).get("waiting", 0))


def crossed(spool: Path, unread: Path, lane: Lane) -> list[Frame]:
    """Return every frame of a spool, as one who has never read it."""
    reader = SpoolReader.open(spool, unread)
    try:
        return frames(everything(reader, lane))
    finally:
        reader.close()


def sample(frame: Frame) -> tuple[object, ...]:
    """Return what a frame says, whatever its numbers are."""
    batch = frame.batch
    ids = frame.catalog.ids[batch.index].tolist()
    return batch.device, batch.received_ns, ids, batch.values.tolist(), batch.quality.tolist()


def test_nothing_leaves_before_its_time_and_then_all_does(
    site: Path, broker: Mosquitto, daemons: Process
) -> None:
    spool = site / "spool" / "analytics"
    with Listener(broker.port) as listener:
        wait_until(lambda: waiting(site) > 20, daemons.log)
        assert listener.received == 0
        assert not any(crossed(spool, site / "unread", lane) for lane in Lane)
        wait_until(lambda: listener.received > 100, daemons.log)
        assert daemons.stop() == 0
        assert listener.complaints == []
        assert listener.duplicates == 0
    assert [one["samples"] > 0 for one in events(daemons.log) if one["event"] == "waiting_kept"]
    released = [frame for lane in Lane for frame in crossed(spool, site / "unread", lane)]
    assert min(frame.spooled_ns - frame.batch.received_ns for frame in released) >= DELAY_S * 1e9


def keep(private: Path, kept: Path) -> None:
    """Give all segments of a private spool a second name, which outlives their removal."""
    for segment in private.glob("*/*.seg"):
        (kept / segment.parent.name).mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError, FileNotFoundError):
            os.link(segment, kept / segment.parent.name / segment.name)


def test_kills_of_the_field_side_lose_and_repeat_nothing_that_waits(
    site: Path, daemons: Process, tmp_path: Path
) -> None:
    private, kept = site / "state" / "delay" / "analytics", tmp_path / "kept"
    chance = random.Random(7)
    for _ in range(4):
        wait_until(lambda: conduit(site), daemons.log, limit_s=60)
        until_s = time.monotonic() + chance.uniform(0.5, DELAY_S + 1.5)
        while time.monotonic() < until_s:
            keep(private, kept)
            time.sleep(0.05)
        os.kill(daemons.children["run"], signal.SIGKILL)
        wait_until(lambda: not conduit(site), daemons.log)
    wait_until(lambda: conduit(site).get("spool", {}).get("samples", {}).get("data"), daemons.log)
    keep(private, kept)
    assert daemons.stop() == 0
    for lane in Lane:
        held = [sample(frame) for frame in crossed(kept, tmp_path / "unread", lane)]
        out = crossed(site / "spool" / "analytics", tmp_path / "unread", lane)
        assert [sample(frame) for frame in out] == held[: len(out)]
        assert len(out) > (50 if lane is Lane.DATA else 1)
        assert all(frame.spooled_ns - frame.batch.received_ns >= DELAY_S * 1e9 for frame in out)
