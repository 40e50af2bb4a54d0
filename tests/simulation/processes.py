"""Simulated processes: what a task belongs to, so that a kill takes all of it and nothing else."""

import asyncio
import traceback
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any

from otgate.together import cancelled


class Process:
    """One life of a program: its tasks, its connections and its files, until it ends."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self.held: dict[object, Callable[[], None]] = {}
        """What the system takes back when the process dies, and how."""

    def die(self) -> None:
        """End at once: from now on nothing of it reaches a disk or a network."""
        if not self.dead:
            self.dead = True
            for leave in list(self.held.values()):
                leave()
            self.held.clear()

    async def run(self, main: Callable[[], Coroutine[Any, Any, Any]]) -> str:
        """Run ``main`` to its end and return how that was, in words."""
        token = current.set(self)
        try:
            await main()
        except asyncio.CancelledError:
            return "stopped"
        except BaseException as error:  # noqa: BLE001  the caller judges what it may be
            if self.dead:  # what a dead process would still have said, nobody hears
                return "stopped"
            where = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{where.filename.rpartition('/')[2]}:{where.lineno}"
            return f"{type(error).__name__}: {error} ({place})"
        finally:
            self.die()
            current.reset(token)
        return "returned"


async def killed(process: Process, task: "asyncio.Task[Any]") -> None:
    """Kill a process, and let what its tasks still try come to nothing."""
    process.die()
    await cancelled([task])


current: ContextVar[Process] = ContextVar("process")
"""The process that the running code belongs to."""
