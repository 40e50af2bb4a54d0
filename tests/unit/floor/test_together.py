import asyncio

import pytest

from otgate.together import cancelled, in_step, step_s, together, within


async def test_nothing_to_run_returns_at_once() -> None:
    await together()


async def test_the_first_failure_ends_the_others_and_is_raised() -> None:
    ended = asyncio.Event()

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def fails() -> None:
        await asyncio.sleep(0)
        raise LookupError("first")

    with pytest.raises(LookupError, match="first"):
        await together(waits(), fails())
    assert ended.is_set()


async def test_all_have_ended_when_it_returns() -> None:
    done: list[int] = []

    async def returns(number: int) -> None:
        await asyncio.sleep(0)
        done.append(number)

    await together(*(returns(number) for number in range(5)))
    assert sorted(done) == [0, 1, 2, 3, 4]


async def test_a_cancellation_that_meets_a_failing_child_is_never_swallowed() -> None:
    async def fails_when_cancelled() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ConnectionResetError

    for _ in range(200):
        task = asyncio.ensure_future(together(fails_when_cancelled(), asyncio.Event().wait()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_cancelled_waits_for_the_clean_up_of_each_task() -> None:
    cleaned: list[str] = []

    async def slow_to_stop() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append("done")

    tasks = [asyncio.ensure_future(slow_to_stop()) for _ in range(3)]
    await asyncio.sleep(0)
    await cancelled(tasks)
    assert cleaned == ["done"] * 3


async def test_a_block_in_time_is_left_alone() -> None:
    async with within(60):
        await asyncio.sleep(0)


async def test_a_block_that_takes_too_long_times_out() -> None:
    with pytest.raises(TimeoutError):
        async with within(0.01):
            await asyncio.Event().wait()


async def test_a_late_clean_up_times_out_in_a_task_that_is_being_cancelled() -> None:
    followed = asyncio.Event()

    async def cleans_up_for_ever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            try:
                async with within(0.01):
                    await asyncio.Event().wait()
            except TimeoutError:
                followed.set()

    task = asyncio.ensure_future(cleans_up_for_ever())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert followed.is_set()


async def test_a_cancellation_from_outside_is_not_taken_for_the_limit() -> None:
    async def bounded() -> None:
        async with within(60):
            await asyncio.Event().wait()

    task = asyncio.ensure_future(bounded())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("now_s", "every_s", "left_s"), [(0.25, 1.0, 0.75), (7.5, 0.5, 0.5), (0.0, 2.0, 2.0)]
)
def test_a_step_ends_at_the_next_whole_multiple(
    now_s: float, every_s: float, left_s: float
) -> None:
    assert step_s(now_s, every_s) == left_s


async def test_who_looks_as_often_looks_together_whenever_each_began() -> None:
    loop, steps = asyncio.get_running_loop(), []

    async def look(after_s: float) -> None:
        await asyncio.sleep(after_s)
        began_s = loop.time()
        await in_step(0.5)
        steps.append(loop.time() // 0.5)
        assert loop.time() - began_s > 0

    await asyncio.sleep(step_s(loop.time(), 0.5) + 0.02)
    await asyncio.gather(look(0), look(0.01), look(0.1))
    assert len(set(steps)) == 1
