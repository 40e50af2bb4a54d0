"""Run one coroutine as a process: on uvloop where it is installed, until a signal or its end."""

import asyncio
import ctypes
import gc
import os
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from importlib import import_module
from typing import Any, NoReturn

from otgate.secrecy import leave_no_core
from otgate.together import cancelled

PR_SET_PDEATHSIG = 1
"""prctl(2): the signal this process gets when its parent dies."""

M_ARENA_MAX = -8
"""mallopt(3): how many arenas threads may spread over."""

TRIM_S = 30.0
"""How often free memory is given back; it takes about a millisecond."""


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Return uvloop's loop where it is installed, else asyncio's."""
    try:
        made: Callable[[], asyncio.AbstractEventLoop] = import_module("uvloop").new_event_loop
    except ImportError:
        return asyncio.new_event_loop
    return made


def run(main: Coroutine[Any, Any, int]) -> int:
    """Run ``main`` to its end, or cancel it at SIGINT or SIGTERM and return 0."""
    one_arena()
    leave_no_core()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(until_signalled(main))


def hold_hangups() -> None:
    """Let a SIGHUP wait until `take_hangups`: one without a handler ends the process."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})


def take_hangups() -> None:
    """Let a SIGHUP come to its handler, one that waited too."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})


async def until_signalled(main: Coroutine[Any, Any, int]) -> int:
    """Await ``main``; a first SIGINT or SIGTERM cancels it, and that is a clean end."""
    task = asyncio.ensure_future(main)
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    waiting = asyncio.ensure_future(stopped.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        waiting.cancel()
        return task.result()
    await cancelled([task])
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error
    return 0


def die_with_parent(parent: int) -> None:
    """Ask the kernel to stop this process when its parent, process ``parent``, is gone."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def one_arena() -> None:
    """Let all threads take memory from one place, where the C library can.

    They allocate in turn anyway, and what one of them needed for a while serves the others.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def settle() -> None:
    """Give back what start-up needed once; move what it built out of the collector's way."""
    gc.collect()
    gc.freeze()
    trim()


async def trimming() -> NoReturn:
    """Give back for ever what a catalog or a backlog needed for a while."""
    while True:
        await asyncio.sleep(TRIM_S)
        trim()


def trim() -> None:
    """Return memory that is free inside the process to the system, where the C library can."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
