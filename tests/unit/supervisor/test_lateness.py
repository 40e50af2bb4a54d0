"""A loop that had too much to do, and devices that are not to blame."""

import asyncio
import time

import pytest

from otgate.supervisor.lateness import LATE_S, PATIENCE_S, Limit, Turnstile
from otgate.supervisor.status import State
from puppet import Puppet, Session, device, running, until


async def limited(limit_s: float, answer: asyncio.Event) -> None:
    with Limit(asyncio.get_running_loop().time() + limit_s):
        await answer.wait()


async def test_an_answer_that_lay_there_while_the_loop_was_late_counts() -> None:
    answer = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.call_later(0.04, time.sleep, 0.3)
    loop.call_later(0.1, loop.call_soon, loop.call_soon, answer.set)
    await limited(0.05, answer)


async def test_silence_ends_at_its_limit_and_after_being_late_once_at_a_second() -> None:
    loop = asyncio.get_running_loop()
    begun_s = loop.time()
    with pytest.raises(TimeoutError):
        await limited(0.05, asyncio.Event())
    assert loop.time() - begun_s >= 0.05
    loop.call_later(0.04, time.sleep, 0.2)
    begun_s = loop.time()
    with pytest.raises(TimeoutError):
        await limited(0.05, asyncio.Event())
    assert loop.time() - begun_s >= 0.24 + 2 * LATE_S


async def test_a_limit_that_is_over_already_ends_at_the_first_wait() -> None:
    with pytest.raises(TimeoutError):
        await limited(-0.01, asyncio.Event())


async def test_an_answer_in_time_leaves_no_limit_behind() -> None:
    answer = asyncio.Event()
    answer.set()
    await limited(0.02, answer)
    await asyncio.sleep(0.05)


async def test_a_stop_is_no_timeout_and_ends_the_task() -> None:
    stopped = asyncio.create_task(limited(20, asyncio.Event()))
    await asyncio.sleep(0)
    stopped.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopped


async def test_a_stop_that_meets_the_limit_is_still_a_stop() -> None:
    async def stubborn() -> None:
        task = asyncio.current_task()
        assert task is not None
        with Limit(asyncio.get_running_loop().time() + 0.02):
            try:
                await asyncio.Event().wait()
            finally:
                task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(stubborn())


async def test_an_error_of_the_poll_is_not_hidden_by_its_limit() -> None:
    async def fails() -> None:
        with Limit(asyncio.get_running_loop().time() + 0.02):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise LookupError from None

    with pytest.raises(LookupError):
        await fails()
    await asyncio.sleep(0)  # nothing of the limit is left to be delivered


async def test_links_begin_one_after_another() -> None:
    turnstile = Turnstile(0.02)
    loop = asyncio.get_running_loop()
    entered: list[float] = []

    async def enter() -> None:
        await turnstile.enter()
        entered.append(loop.time())

    begun_s = loop.time()
    await asyncio.gather(*(enter() for _ in range(5)))
    assert entered == sorted(entered)
    assert entered[-1] - begun_s >= 4 * 0.02 - 0.005  # a loop's clock has grains


async def test_no_link_begins_while_the_loop_is_late_within_patience() -> None:
    turnstile = Turnstile(0.001)
    await turnstile.enter()
    busy = True

    async def hog() -> None:
        while busy:
            time.sleep(2 * LATE_S)  # noqa: ASYNC251  that is the point
            await asyncio.sleep(0)

    hogging = asyncio.ensure_future(hog())
    waiting = asyncio.ensure_future(turnstile.enter())
    await asyncio.sleep(0.5)
    assert not waiting.done()
    busy = False
    await hogging
    await asyncio.wait_for(waiting, PATIENCE_S)


async def test_a_device_is_not_lost_because_the_loop_was_late() -> None:
    driver = Puppet()

    async def answers_late(session: Session, scan: object, emit: object) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(0.05, time.sleep, 0.4)
        arrived = asyncio.Event()
        loop.call_later(0.06, loop.call_soon, loop.call_soon, arrived.set)
        await arrived.wait()
        session.emit(scan, emit)  # type: ignore[arg-type]

    driver.deeds["d1"] = answers_late
    one = device("d1", fast=0.1)
    async with running(driver, [one]) as now:
        await until(lambda: len(driver.times("d1", "fast")) > 4)
        assert now.status("d1").state is State.GOOD
        assert now.status("d1").failures == 0
