"""Run coroutines side by side and stop them all, safely under cancellation.

Below Python 3.13 a cancellation that meets a failing child of `asyncio.TaskGroup` can be
swallowed (python/cpython#116720), which hangs a stop inside a reconnect loop.
"""

import asyncio
from collections.abc import Coroutine, Iterable
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


async def cancelled(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel ``tasks`` and wait until each has ended, whatever it raised."""
    pending = list(tasks)
    for task in pending:
        task.cancel()
    if pending:
        await asyncio.gather(*pending, return_exceptions=True)
