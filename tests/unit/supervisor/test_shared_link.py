"""Several devices on one link: a dead one costs the others no slot."""

import asyncio
from itertools import pairwise

import pytest
from structlog.testing import capture_logs

from otgate.errors import LinkLost, Unusable
from otgate.supervisor import State
from puppet import Deed, Puppet, answer, device, hang, raising, running, silence, taking
from reported import LOST

pytestmark = pytest.mark.virtual_time

SIX = [device(f"u{number}") for number in range(6)]


def others(run_states: dict[str, State]) -> set[State]:
    return {state for name, state in run_states.items() if name != "u2"}


@pytest.mark.parametrize("dead", [silence, hang])
async def test_a_dead_device_costs_the_others_no_slot(dead: Deed) -> None:
    driver = Puppet(shared=True, timeout_s=0.5)
    driver.deeds = {f"u{number}": taking(0.02) for number in range(6)}
    async with running(driver, SIX) as run:
        await asyncio.sleep(10.5)
        driver.deeds["u2"] = dead
        await asyncio.sleep(300)
        status = run.supervisor.status()
    assert status["u2"].state is State.LOST
    for name in ("u0", "u1", "u3", "u4", "u5"):
        assert status[name].overruns == 0, name
        assert status[name].failures == 0, name
        assert 309 <= status[name].scans <= 312, name
    assert len(driver.connected) == 1


async def test_a_lost_device_is_probed_with_back_off() -> None:
    driver = Puppet(shared=True)
    driver.deeds["u2"] = silence
    async with running(driver, SIX):
        await asyncio.sleep(1200)
    probes = driver.times("u2")
    waits = [after - before for before, after in pairwise(probes[3:])]
    assert 20 < len(waits) < 120
    assert max(waits) < 63


async def test_a_probe_that_is_answered_brings_the_device_back() -> None:
    driver = Puppet(shared=True)
    driver.deeds["u2"] = silence
    with capture_logs() as logs:
        async with running(driver, SIX) as run:
            await asyncio.sleep(60)
            assert run.states()["u2"] is State.LOST
            driver.deeds["u2"] = answer
            await asyncio.sleep(64)
            assert run.states()["u2"] is State.GOOD
            before = len(driver.times("u2"))
            await asyncio.sleep(30)
            assert len(driver.times("u2")) - before == 30
    events = [entry["event"] for entry in logs if entry.get("device") == "u2"]
    assert events == ["device_lost", "device_back"]


async def test_a_lost_link_loses_every_device_on_it_at_once() -> None:
    driver = Puppet(shared=True)
    async with running(driver, SIX) as run:
        await asyncio.sleep(2)
        run.got.clear()
        driver.always = LinkLost("refused")
        driver.deeds["u2"] = raising(LinkLost("reset"))
        await asyncio.sleep(1.1)
        assert set(run.states().values()) == {State.LOST}
        assert all(run.qualities(d.id)[-1] == [LOST, LOST] for d in SIX)


async def test_a_link_on_which_all_are_silent_is_dropped_and_opened_again() -> None:
    driver = Puppet(shared=True, timeout_s=0.1)
    async with running(driver, SIX) as run:
        await asyncio.sleep(2)
        driver.deeds = {d.id: silence for d in SIX}
        await asyncio.sleep(5)
        assert set(run.states().values()) == {State.LOST}
        driver.deeds.clear()
        await asyncio.sleep(60)
        assert set(run.states().values()) == {State.GOOD}
    assert len(driver.connected) >= 2


async def test_an_unusable_device_leaves_the_link_to_the_others() -> None:
    driver = Puppet(shared=True)
    driver.deeds["u2"] = raising(Unusable("no such unit"))
    async with running(driver, SIX) as run:
        await asyncio.sleep(60)
        assert run.states()["u2"] is State.UNUSABLE
        assert others(run.states()) == {State.GOOD}
    assert (len(driver.times("u2")), len(driver.connected)) == (1, 1)


async def test_an_overloaded_link_serves_all_its_devices_alike() -> None:
    driver = Puppet(shared=True)
    driver.deeds = {d.id: taking(0.3) for d in SIX}
    async with running(driver, SIX) as run:
        await asyncio.sleep(300)
        served = [run.status(d.id).scans for d in SIX]
        failed = [run.status(d.id).failures for d in SIX]
    assert max(served) - min(served) <= 0.2 * max(served)
    assert sum(served) > 900
    assert failed == [0] * 6


async def test_a_lost_device_is_asked_again_though_its_link_is_always_busy() -> None:
    driver = Puppet(shared=True, timeout_s=0.2)
    driver.deeds = {d.id: taking(0.3) for d in SIX} | {"u5": silence}
    async with running(driver, SIX) as run:
        await asyncio.sleep(20)
        assert run.states()["u5"] is State.LOST
        driver.deeds["u5"] = taking(0.3)
        await asyncio.sleep(100)
        assert run.states()["u5"] is State.GOOD


async def test_a_slow_scan_class_is_not_starved_by_a_fast_one() -> None:
    driver = Puppet(shared=True)
    devices = [device("fast", normal=0.25), device("slow", normal=10.0)]
    driver.deeds = {"fast": taking(0.3), "slow": taking(0.3)}
    async with running(driver, devices) as run:
        await asyncio.sleep(100)
        assert run.status("slow").scans >= 9
