"""Run coroutines side by side, stop them all, and bound their clean-up, also under cancellation.

Below Python 3.13 a cancellation that meets a failing child of `asyncio.TaskGroup` can be
swallowed (python/cpython#116720), which hangs a stop inside a reconnect loop.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any


async def together(*coroutines: Coroutine[Any, Any, Any]) -> None:
    """Run all until every one returned or the first raised; then cancel and await the rest.

    Raises:
        BaseException: what the first failing coroutine raised, once the others have ended.
    """
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        if tasks:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        await cancelled(tasks)
    for task in tasks:
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error


@asynccontextmanager
async def within(limit_s: float) -> AsyncIterator[None]:
    """Give the block ``limit_s`` seconds, also where its task is already being cancelled.

    There `asyncio.timeout` lets a bare cancellation out instead of TimeoutError on Python 3.11.2,
    which is Debian 12's own, so that what should follow a late clean-up never runs.

    Raises:
        TimeoutError: the time is over.
    """
    task = asyncio.current_task()
    assert task is not None  # noqa: S101  a coroutine runs in a task
    before = task.cancelling()
    expired = False

    def expire() -> None:
        nonlocal expired
        expired = True
        task.cancel()

    timer = asyncio.get_running_loop().call_later(limit_s, expire)
    try:
        yield
    except asyncio.CancelledError:
        if expired and task.uncancel() <= before:
            raise TimeoutError from None
        raise
    finally:
        timer.cancel()


async def in_step(every_s: float) -> None:
    """Sleep to the next whole multiple of ``every_s`` on the loop's clock.

    All that look at things now and then do so together: the process wakes once for them.
    """
    await asyncio.sleep(step_s(asyncio.get_running_loop().time(), every_s))


def step_s(now_s: float, every_s: float) -> float:
    """Return how long it is to the next whole multiple of ``every_s``."""
    return every_s - now_s % every_s


async def cancelled(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel ``tasks`` and wait until each has ended, whatever it raised."""
    pending = list(tasks)
    for task in pending:
        task.cancel()
    if pending:
        await asyncio.gather(*pending, return_exceptions=True)
