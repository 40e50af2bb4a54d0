"""One link in virtual time: grids, edges, back-off."""

import asyncio
from collections import Counter
from itertools import pairwise

import pytest
from structlog.testing import capture_logs

from otgate.driver import Emit, Trouble
from otgate.errors import LinkLost, Unusable
from otgate.model import Origin, Reporting, Scan
from otgate.quality import Quality
from otgate.supervisor import State
from otgate.supervisor.supervisor import phases
from puppet import (
    Puppet,
    Session,
    answer,
    device,
    hang,
    raising,
    running,
    silence,
    taking,
)
from reported import FAILED, LOST, UNREAD

pytestmark = pytest.mark.virtual_time


async def test_a_device_is_scanned_on_its_grid_for_an_hour() -> None:
    driver = Puppet()
    async with running(driver, [device("a", normal=10.0)]) as run:
        driver.deeds["a"] = taking(0.7)
        await asyncio.sleep(3600.5)
    assert driver.times("a") == pytest.approx([run.start_s + 10.0 * k for k in range(361)])


async def test_links_keep_each_other_company_at_moments_spread_over_the_period() -> None:
    driver = Puppet()
    devices = [device(f"d{number}", normal=1.0) for number in range(40)]
    async with running(driver, devices) as run:
        await asyncio.sleep(10)
    begun = [round((driver.times(d.id)[-1] - run.start_s) % 1.0, 3) % 1.0 for d in devices]
    assert sorted(begun) == [at / 4 for at in range(4) for _ in range(10)]
    assert all(0.2 < (after - before) % 1.0 < 0.8 for before, after in pairwise(begun))


@pytest.mark.parametrize("links", [1, 9, 10, 25, 50, 130, 1000])
def test_no_moment_has_many_more_links_than_another(links: int) -> None:
    begun = Counter(phases([[f"d{number}"] for number in range(links)]).values())
    assert max(begun.values()) - min(begun.values()) <= 1
    assert len(begun) <= 100
    assert links < 50 or 10 <= max(begun.values()) <= 19


def test_devices_that_share_a_link_do_not_wait_for_each_other() -> None:
    begun = phases([["a", "b", "c", "d"], ["e"]])
    assert sorted(begun[device] for device in "abcd") == [0.0, 0.25, 0.5, 0.75]


async def test_a_device_is_good_after_its_first_good_read_only() -> None:
    driver = Puppet()
    driver.deeds["a"] = refuse
    async with running(driver, [device("a")]) as run:
        await asyncio.sleep(0.5)
        assert run.states() == {"a": State.FAILING}
        assert run.status("a").error == "the device answers, without a usable value"
        driver.deeds["a"] = answer
        await asyncio.sleep(1)
        assert run.states() == {"a": State.GOOD}
        assert run.status("a").last_good_ns > 0


async def test_a_device_fails_once_none_of_its_scans_gives_a_value() -> None:
    driver = Puppet()
    async with running(driver, [device("a", fast=1.0, slow=5.0)]) as run:
        await asyncio.sleep(11)
        assert run.states() == {"a": State.GOOD}
        with capture_logs() as logs:
            driver.deeds["a"] = refuse
            await asyncio.sleep(3)
            assert run.states() == {"a": State.GOOD}
            await asyncio.sleep(10)
    assert run.states() == {"a": State.FAILING}
    assert [entry["event"] for entry in logs] == ["device_without_values"]


async def refuse(session: Session, scan: Scan, emit: Emit) -> None:
    quality = int(Quality.INVALID | Quality.ILLEGAL_ADDRESS | Quality.NO_VALUE)
    session.emit(scan, emit, quality=quality)


async def test_an_overrun_skips_slots_and_never_shifts_them() -> None:
    driver = Puppet()
    async with running(driver, [device("a", fast=1.0, slow=10.0)]) as run:

        async def blocks(session: Session, scan: Scan, emit: Emit) -> None:
            await asyncio.sleep(3.5 if scan.name == "slow" else 0.0)
            session.emit(scan, emit)

        driver.deeds["a"] = blocks
        await asyncio.sleep(9.5)
        times = [at - run.start_s for at in driver.times("a", "fast")]
        overruns = run.status("a").overruns
    assert times[:3] == pytest.approx([0.0, 3.5, 4.0])
    assert times[3:] == pytest.approx([5.0, 6.0, 7.0, 8.0, 9.0])
    assert overruns == 2


async def test_a_scan_is_cancelled_at_its_next_slot() -> None:
    driver = Puppet()
    driver.deeds["a"] = hang
    async with running(driver, [device("a", normal=2.0)]) as run:
        await asyncio.sleep(1.9)
        assert run.qualities("a") == []
        await asyncio.sleep(0.2)
        assert run.qualities("a") == [[UNREAD | FAILED] * 2]
        assert run.status("a").failures == 1


async def test_a_failing_scan_marks_its_own_points_only() -> None:
    driver = Puppet()
    async with running(driver, [device("a", fast=1.0, slow=4.0)]) as run:
        await asyncio.sleep(3.5)
        run.got.clear()

        async def half(session: Session, scan: Scan, emit: Emit) -> None:
            deed = silence if scan.name == "slow" else answer
            await deed(session, scan, emit)

        driver.deeds["a"] = half
        await asyncio.sleep(1.6)
        failed = [batch for batch in run.got.batches if batch.quality.any()]
        assert [batch.index.tolist() for batch in failed] == [[2, 3]]
        assert failed[0].quality.tolist() == [FAILED, FAILED]
        assert run.states() == {"a": State.GOOD}


async def test_points_that_were_read_before_the_silence_have_not_failed() -> None:
    driver = Puppet()
    async with running(driver, [device("a")]) as run:
        await asyncio.sleep(0.5)
        run.got.clear()

        async def breaks_off(session: Session, scan: Scan, emit: Emit) -> None:
            session.emit(scan, emit, points=1)
            raise TimeoutError

        driver.deeds["a"] = breaks_off
        await asyncio.sleep(1)
        assert [batch.index.tolist() for batch in run.got.batches] == [[0], [1]]
        assert run.qualities("a") == [[0], [FAILED]]


async def test_a_point_that_a_scan_leaves_out_has_failed() -> None:
    driver = Puppet()

    async def forgets(session: Session, scan: Scan, emit: Emit) -> None:
        session.emit(scan, emit, points=1)

    driver.deeds["a"] = forgets
    async with running(driver, [device("a")]) as run:
        await asyncio.sleep(0.5)
        assert run.qualities("a") == [[0], [UNREAD | FAILED]]


async def test_the_third_failure_in_a_row_is_a_loss() -> None:
    driver = Puppet()
    async with running(driver, [device("a")]) as run:
        await asyncio.sleep(0.5)
        run.got.clear()
        driver.deeds["a"] = silence
        await asyncio.sleep(2.5)
        assert run.states() == {"a": State.FAILING}
        await asyncio.sleep(1)
        assert run.states() == {"a": State.LOST}
        assert run.qualities("a") == [[FAILED] * 2, [LOST] * 2]
        assert len(driver.connected) == 2


async def test_a_success_between_failures_is_no_loss() -> None:
    driver = Puppet()
    async with running(driver, [device("a")]) as run:
        await asyncio.sleep(0.5)
        for _ in range(10):
            driver.deeds["a"] = silence
            await asyncio.sleep(2)
            driver.deeds["a"] = answer
            await asyncio.sleep(1)
        assert run.states() == {"a": State.GOOD}
        assert run.status("a").failures == 20
        assert len(driver.connected) == 1


async def test_a_lost_link_is_a_loss_at_once_and_said_once() -> None:
    driver = Puppet()
    with capture_logs() as logs:
        async with running(driver, [device("a"), device("b")]) as run:
            await asyncio.sleep(1.5)
            run.got.clear()
            driver.deeds["a"] = raising(LinkLost("connection reset"))
            driver.always = LinkLost("connection refused")
            await asyncio.sleep(1)
            assert run.states() == {"a": State.LOST, "b": State.GOOD}
            assert run.qualities("a") == [[LOST] * 2]
            await asyncio.sleep(600)
    lost = [entry for entry in logs if entry["event"] == "device_lost"]
    assert [(entry["device"], entry["error"]) for entry in lost] == [("a", "connection reset")]
    assert 0.1 <= lost[0]["retry_in_s"] <= 1.0


async def test_a_device_that_comes_back_is_read_at_once_and_said_once() -> None:
    driver = Puppet()
    with capture_logs() as logs:
        async with running(driver, [device("a", slow=300.0)]) as run:
            await asyncio.sleep(1)
            driver.deeds["a"] = raising(LinkLost("gone"))
            driver.refuses = [LinkLost("refused")] * 5
            await asyncio.sleep(300)
            driver.deeds["a"] = answer
            await asyncio.sleep(200)
            assert run.states() == {"a": State.GOOD}
            assert run.qualities("a")[-1] == [0, 0]
    back = [entry for entry in logs if entry["event"] == "device_back"]
    assert len(back) == 1
    assert back[0]["attempts"] >= 6
    assert back[0]["lost_for_s"] < 200


async def test_an_hour_of_back_off_is_jittered_and_bounded() -> None:
    driver = Puppet()
    driver.always = LinkLost("refused")
    async with running(driver, [device("a")]) as run:
        await asyncio.sleep(3600)
        assert run.status("a").attempts >= len(driver.connected) - 1
    waits = [after - before for before, after in pairwise(driver.connected)]
    assert all(0.1 <= wait <= 60.01 for wait in waits)
    assert all(wait <= 2.0**attempt + 0.01 for attempt, wait in enumerate(waits[:6]))
    assert 70 < len(waits) < 220
    assert len(set(waits)) == len(waits)


async def test_a_link_that_never_connects_publishes_its_points_as_lost() -> None:
    driver = Puppet()
    driver.always = LinkLost("refused")
    async with running(driver, [device("a")]) as run:
        await asyncio.sleep(100)
        assert run.qualities("a") == [[UNREAD | LOST] * 2]


async def test_a_link_that_takes_for_ever_to_connect_is_lost() -> None:
    driver = Puppet()
    async with running(driver, [device("a")]) as run:
        driver.closing = None
        driver.connect = lambda link: Never()  # type: ignore[method-assign,assignment,return-value]
        await asyncio.sleep(31)
        assert run.states() == {"a": State.LOST}
        assert run.status("a").error == "no connection within 30 s"


class Never:
    async def __aenter__(self) -> None:
        await asyncio.get_running_loop().create_future()

    async def __aexit__(self, *_: object) -> None:
        return None


async def test_a_link_that_answers_and_closes_again_is_never_a_hot_loop() -> None:
    driver = Puppet()

    async def once(session: Session, scan: Scan, emit: Emit) -> None:
        session.emit(scan, emit)
        raise LinkLost("closed after one answer")

    driver.deeds["a"] = once
    async with running(driver, [device("a", normal=1.0)]):
        await asyncio.sleep(600)
    assert 10 < len(driver.connected) < 800


async def test_an_unusable_device_is_left_alone_and_said_once() -> None:
    driver = Puppet()
    driver.always = Unusable("function 3 is not supported")
    with capture_logs() as logs:
        async with running(driver, [device("a")]) as run:
            await asyncio.sleep(3600)
            assert run.states() == {"a": State.UNUSABLE}
            assert run.status("a").error == "function 3 is not supported"
    assert len(driver.connected) == 1
    assert [entry["event"] for entry in logs] == ["device_unusable"]


async def test_a_device_that_turns_unusable_ends_its_link() -> None:
    driver = Puppet()
    driver.deeds["a"] = raising(Unusable("wrong model"))
    async with running(driver, [device("a")]) as run:
        await asyncio.sleep(100)
        assert run.states() == {"a": State.UNUSABLE}
    assert (len(driver.connected), driver.open) == (1, 0)


async def test_a_defect_of_a_driver_costs_its_own_link_and_is_said_once() -> None:
    driver = Puppet()
    driver.deeds["a"] = raising(ZeroDivisionError("in the driver"))
    with capture_logs() as logs:
        async with running(driver, [device("a"), device("b")]) as run:
            await asyncio.sleep(600)
            assert run.states() == {"a": State.LOST, "b": State.GOOD}
            assert run.status("b").scans > 590
    defects = [entry for entry in logs if entry["event"] == "driver_defect"]
    assert len(defects) == 1
    assert isinstance(defects[0]["exc_info"], ZeroDivisionError)


async def test_a_session_that_is_missing_is_a_defect() -> None:
    driver = Puppet()
    async with running(driver, [device("a")]) as run:
        driver.connect = lambda link: Nobody()  # type: ignore[method-assign,assignment,return-value]
        await asyncio.sleep(5)
        assert "no session for a" in run.status("a").error


class Nobody:
    async def __aenter__(self) -> dict[str, object]:
        return {}

    async def __aexit__(self, *_: object) -> None:
        return None


async def test_what_a_session_hears_is_reported_beside_scanning() -> None:
    driver = Puppet()

    async def hears(session: Session, emit: Emit) -> None:
        await asyncio.sleep(0.25)
        scan = driver.plan(session.device)[0]
        session.emit(scan, emit)
        await asyncio.get_running_loop().create_future()

    driver.listens = hears
    async with running(driver, [device("a")]) as run:
        await asyncio.sleep(0.5)
        assert len(run.got.batches) == 2


async def test_a_listener_that_loses_the_link_loses_the_device() -> None:
    driver = Puppet()

    async def breaks(session: Session, emit: Emit) -> None:
        await asyncio.sleep(5)
        raise LinkLost("keep-alive not answered")

    driver.listens = breaks
    async with running(driver, [device("a")]) as run:
        await asyncio.sleep(5.05)
        assert run.states() == {"a": State.LOST}
        assert run.status("a").error == "keep-alive not answered"
        assert driver.busy == 0


async def test_what_is_emitted_after_the_scan_was_given_up_is_dropped() -> None:
    driver = Puppet()
    kept: list[Emit] = []

    async def keeps(session: Session, scan: Scan, emit: Emit) -> None:
        kept.append(emit)
        await asyncio.get_running_loop().create_future()

    driver.deeds["a"] = keeps
    async with running(driver, [device("a")]) as run:
        await asyncio.sleep(1.0005)
        run.got.clear()
        scan = driver.plan(device("a"))[0]
        driver.deeds["a"] = hang
        await asyncio.sleep(3)
        Session(driver, device("a")).emit(scan, kept[0])
        assert all(batch.quality.all() for batch in run.got.batches)


async def test_refreshes_are_sent_by_time_alone() -> None:
    driver = Puppet()
    async with running(driver, [device("a", Reporting(refresh_s=60), normal=3600.0)]) as run:
        await asyncio.sleep(130)
        origins = [batch.origin for batch in run.got.batches]
    assert origins == [Origin.POLL, Origin.REFRESH, Origin.REFRESH]


async def test_how_long_answered_scans_take_is_counted_by_driver_and_device() -> None:
    driver = Puppet()
    async with running(driver, [device("a", normal=10.0), device("b", normal=10.0)]) as run:
        driver.deeds["a"], driver.deeds["b"] = taking(0.7), silence
        await asyncio.sleep(30.5)
    [times] = run.supervisor.scan_times.values()
    answered = run.status("a").scans - run.status("a").failures
    assert sum(times.counts) == answered
    assert run.status("a").scan_s == pytest.approx(times.sum_s) == pytest.approx(0.7 * answered)
    assert run.status("b").scan_s == 0


async def test_what_sessions_meet_is_counted_over_all_connections() -> None:
    driver = Puppet()

    async def meet(session: Session, scan: Scan, emit: Emit) -> None:
        session.met = session.met.plus(Trouble(exceptions=1, malformed=2))
        if session.met.exceptions == 3:
            raise LinkLost("spoilt")
        session.emit(scan, emit)

    driver.deeds["a"] = meet
    async with running(driver, [device("a"), device("b")]) as run:
        await asyncio.sleep(60.5)
        scans = len(driver.times("a"))
        assert len(driver.connected) > 2
        met = run.status("a")
        assert (met.exceptions, met.malformed, met.retries) == (scans, 2 * scans, 0)
        assert run.status("b").exceptions == 0
