"""A side's word to its service manager: that it is ready, and that it gets on."""

import asyncio
from collections.abc import Callable

import structlog

from otgate.observe.notify import Notifier

OF_WATCHDOG = 3
"""Signs of life within the time that the service manager waits for one."""
LOOK_S = 60.0
"""How often a side is looked at that nobody waits for."""

log = structlog.get_logger()


async def attending(notifier: Notifier, stuck: Callable[[float], str]) -> None:
    """Say that the side is ready, and give signs of life for ever while it gets on.

    ``stuck`` is given the seconds that a piece of work may take and says what takes longer. That
    this runs shows that the event loop does.
    """
    limit_s = notifier.watchdog_s or LOOK_S
    notifier.tell("READY=1", "STATUS=running")
    said = ""
    while True:
        why = stuck(limit_s / 2)
        if why != said:
            said = why
            notifier.tell(f"STATUS={why or 'running'}")
            if why:
                log.error("side_stuck", why=why)
        if not why:
            notifier.tell("WATCHDOG=1")
        await asyncio.sleep(limit_s / OF_WATCHDOG)
