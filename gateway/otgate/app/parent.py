"""Both sides under one parent: start them, restart what dies, stop them within two seconds."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from otgate.app.loop import take_hangups
from otgate.together import together, within

GRACE_S = 1.7
"""What a child gets to stop by itself before it is killed."""

HEAD_START_S, DRAIN_S = 0.3, 0.1
"""What the bus sides wait for the field side to be gone, and then to publish its last samples."""

FIRST_PAUSE_S, LONGEST_PAUSE_S, STABLE_S = 0.2, 10.0, 5.0
"""Pause before a restart: the first, the longest, and the life that makes the next first again."""

HANGUP_S = 0.05
"""How soon a child that has just begun is looked at again."""

USAGE = 2
"""What a command line that cannot be understood exits with."""

log = structlog.get_logger()


class Hopeless(Exception):
    """A child refused its configuration; a restart would only repeat it."""


@dataclass(frozen=True, slots=True)
class Side:
    """One child process: its name in logs and its command line after ``otgate``."""

    name: str
    arguments: Sequence[str]
    reloads: bool = False
    """Whether it is the field side: sent on a SIGHUP, and stopped first."""


async def parent(sides: Sequence[Side]) -> int:
    """Keep every side running until cancelled, or until one refuses its configuration."""
    field_gone = asyncio.Event()
    try:
        await together(*(kept_running(side, field_gone) for side in sides))
    except Hopeless as hopeless:
        log.error("stopped", why=str(hopeless))  # noqa: TRY400  the child told the rest
        return os.EX_CONFIG
    return os.EX_OK


async def kept_running(side: Side, field_gone: asyncio.Event) -> None:
    """Start ``side`` again whenever it ends, with a pause that grows while it keeps dying.

    Raises:
        Hopeless: it refused its configuration.
    """
    loop = asyncio.get_running_loop()
    pause_s = FIRST_PAUSE_S
    while True:
        started = loop.time()
        code = await one_life(side, field_gone)
        if code in {os.EX_CONFIG, USAGE}:
            raise Hopeless(f"the {side.name} refused to start; see its message above")
        if code == os.EX_TEMPFAIL:  # it has outgrown its sandbox, which it can enter only once
            log.warning("side_renewed", child=side.name)
            await asyncio.sleep(FIRST_PAUSE_S)
            continue
        if loop.time() - started >= STABLE_S:
            pause_s = FIRST_PAUSE_S
        log.error("side_died", child=side.name, exit=code, restart_in_s=pause_s)
        await asyncio.sleep(pause_s)
        pause_s = min(LONGEST_PAUSE_S, pause_s * 2)


async def one_life(side: Side, field_gone: asyncio.Event) -> int:
    """Run ``side`` once to its end; stop it when cancelled, a bus side after the field side."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "otgate", *side.arguments, "--parent", str(os.getpid()),
        start_new_session=True,
    )  # fmt: skip
    log.info("side_started", child=side.name, pid=process.pid)
    loop = asyncio.get_running_loop()
    if side.reloads:
        field_gone.clear()
        loop.add_signal_handler(signal.SIGHUP, hung_up, process)
        take_hangups()
    try:
        return await process.wait()
    finally:
        if side.reloads:
            loop.add_signal_handler(signal.SIGHUP, int)  # which does nothing: it must not end us
            await stopped(process)
            field_gone.set()
        else:
            await drained(process, field_gone)
            await stopped(process, GRACE_S - HEAD_START_S - DRAIN_S)


async def drained(process: Process, field_gone: asyncio.Event) -> None:
    """Give a bus side the time to publish what the field side spools last."""
    if process.returncode is None:
        with suppress(TimeoutError):
            async with within(HEAD_START_S):
                await field_gone.wait()
        await asyncio.sleep(DRAIN_S)


def hung_up(process: Process) -> None:
    """Pass a SIGHUP on as soon as the child knows what to do with it."""
    if process.returncode is not None:
        return
    if expects_hangups(process.pid):
        signalled(process, signal.SIGHUP)
    else:
        asyncio.get_running_loop().call_later(HANGUP_S, hung_up, process)


def expects_hangups(pid: int) -> bool:
    """Tell whether a process has a handler for SIGHUP, or lets it wait for one: proc(5)."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            name, _, mask = line.partition(":")
            if name in {"SigBlk", "SigCgt"} and int(mask, 16) & 1 << signal.SIGHUP - 1:
                return True
    return False


def signalled(process: Process, number: signal.Signals) -> None:
    """Send a signal to a child that may be gone."""
    with suppress(ProcessLookupError):
        process.send_signal(number)


async def stopped(process: Process, grace_s: float = GRACE_S) -> None:
    """Ask a child that still runs to stop, and kill it if it does not within ``grace_s``."""
    if process.returncode is not None:
        return
    signalled(process, signal.SIGTERM)
    try:
        async with within(grace_s):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
