"""What the supervisor tells of one point: its scans, its device, its newest read."""

from otgate.quality import Quality
from otgate.supervisor.trace import Trace
from puppet import Puppet, Running, device, raising, running, silence, until

FAST, SLOW = 0, 2
"""A point of each scan, by its place in the device."""


def trace(now: Running, number: int, name: str = "d1") -> Trace:
    found = now.supervisor.trace(name, number)
    assert found is not None
    return found


async def test_before_anything_was_asked_nothing_is_known() -> None:
    async with running(Puppet(), [device("d1", fast=0.05)]) as now:
        found = trace(now, FAST)
        [(scan, asked)] = found.scans
        assert (scan.name, asked) == ("fast", None)
        assert (found.status.state, found.about.read_ns) == ("starting", 0)


async def test_an_answered_scan_is_told_with_when_it_ended() -> None:
    async with running(Puppet(), [device("d1", fast=0.05)]) as now:
        await until(lambda: now.status("d1").scans)
        [(_, asked)] = trace(now, FAST).scans
        assert asked is not None
        assert (asked.error, asked.at_ns >= trace(now, FAST).about.read_ns > 0) == ("", True)
        assert trace(now, FAST).about.value >= 1.0


async def test_a_scan_that_fails_is_told_with_why_and_is_forgiven_at_the_next_answer() -> None:
    driver = Puppet(timeout_s=0.01)
    async with running(driver, [device("d1", fast=0.05)]) as now:
        await until(lambda: now.status("d1").scans)
        driver.deeds["d1"] = silence

        def error() -> str | None:
            [(_, asked)] = trace(now, FAST).scans
            return None if asked is None else asked.error

        await until(lambda: error() == "no reply")
        assert trace(now, FAST).about.quality & Quality.INVALID == Quality.INVALID
        del driver.deeds["d1"]
        await until(lambda: error() == "")


async def test_only_the_scans_that_read_the_point_are_told() -> None:
    async with running(Puppet(), [device("d1", fast=0.05, slow=60)]) as now:
        assert [scan.name for scan, _ in trace(now, FAST).scans] == ["fast"]
        assert [scan.name for scan, _ in trace(now, SLOW).scans] == ["slow"]


async def test_a_device_that_is_gone_is_told_as_lost() -> None:
    driver = Puppet(timeout_s=0.01)
    driver.deeds["d1"] = raising(TimeoutError("no reply"))
    async with running(driver, [device("d1", fast=0.02)]) as now:
        await until(lambda: trace(now, FAST).status.state == "lost")
        assert trace(now, FAST).about.quality & Quality.COMM_LOST


async def test_of_a_device_that_is_not_read_nothing_is_told() -> None:
    async with running(Puppet(), [device("d1", fast=0.05)]) as now:
        assert now.supervisor.trace("d9", FAST) is None
