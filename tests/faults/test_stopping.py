"""A supervisor stops when it is told to, whatever a driver does at that moment."""

import asyncio
import random

import pytest
from structlog.testing import capture_logs

from otgate.driver import Emit
from otgate.errors import LinkLost
from otgate.model import Scan
from otgate.supervisor import Pace
from puppet import Puppet, Session, device, raising, running, silence

QUICK = Pace(first_s=0.002, least_s=0.0005, most_s=0.004, link_gap_s=0.0)


async def stopped(task: "asyncio.Task[None]", limit_s: float = 1.0) -> None:
    """Cancel once, and insist that the task ends as cancelled."""
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=limit_s)
    assert done, "still running after it was cancelled"
    assert task.cancelled()


async def test_a_cancellation_during_reconnecting_is_never_swallowed() -> None:
    rng = random.Random(3)
    for _ in range(200):
        driver = Puppet()
        driver.deeds["a"] = raising(LinkLost("reset"))
        async with running(driver, [device("a", normal=0.002)], pace=QUICK) as run:
            await asyncio.sleep(rng.uniform(0.0, 0.01))
            await stopped(run.task)
        assert driver.open == 0


async def test_a_cancellation_that_meets_a_failing_listener_is_never_swallowed() -> None:
    for number in range(200):
        driver = Puppet()

        async def fails(session: Session, emit: Emit) -> None:
            await asyncio.sleep(0.001)
            raise LinkLost("listener")

        driver.listens = fails
        async with running(driver, [device("a", normal=0.001)], pace=QUICK) as run:
            await asyncio.sleep(0.0004 + number % 20 * 0.0001)
            await stopped(run.task)


async def test_a_driver_that_turns_cancellation_into_a_lost_link_is_stopped_all_the_same() -> None:
    driver = Puppet()

    async def swallows(session: Session, scan: Scan, emit: Emit) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise LinkLost("cancelled, said badly") from None

    driver.deeds["a"] = swallows
    async with running(driver, [device("a", normal=60.0)]) as run:
        await asyncio.sleep(0.05)
        assert driver.busy == 1
        await stopped(run.task)
    assert len(driver.connected) == 1


async def test_a_link_that_never_closes_is_left_to_itself_and_named() -> None:
    driver = Puppet()
    never = asyncio.Event()

    async def closes_never() -> None:
        while not never.is_set():
            try:
                await never.wait()
            except asyncio.CancelledError:
                continue

    driver.closing = closes_never
    with capture_logs() as logs:
        async with running(driver, [device("a")], pace=Pace(close_s=0.2)) as run:
            await asyncio.sleep(0.05)
            await stopped(run.task)
        never.set()
        await asyncio.sleep(0.05)
    assert [(entry["event"], entry["devices"]) for entry in logs] == [("link_not_closed", ["a"])]


async def test_nothing_is_left_running() -> None:
    before = asyncio.all_tasks()
    driver = Puppet(timeout_s=0.01)
    driver.deeds["b"] = silence
    driver.deeds["c"] = raising(LinkLost("reset"))
    devices = [device(name, normal=0.02) for name in "abc"]
    async with running(driver, devices, pace=QUICK) as run:
        await asyncio.sleep(0.3)
        await stopped(run.task)
    assert asyncio.all_tasks() == before
    assert (driver.open, driver.busy) == (0, 0)


@pytest.mark.parametrize("count", [300])
async def test_many_links_stop_within_a_second(count: int) -> None:
    driver = Puppet()
    async with running(driver, [device(f"d{number}") for number in range(count)]) as run:
        await asyncio.sleep(1.2)
        assert driver.open == count
        await stopped(run.task)
    assert driver.open == 0
