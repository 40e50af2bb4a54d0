"""A side's sandbox: entered before anything is read from elsewhere, and left by ending alone."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import structlog

from otgate.errors import OtgateError, Refused
from otgate.sandbox.confine import confine
from otgate.sandbox.needs import Needs, SandboxMode
from otgate.together import in_step

LOOK_S = 1.0
"""How often a side looks whether something of its own was made anew."""

log = structlog.get_logger()


class Unconfined(Refused):
    """The kernel cannot keep a side from what it does not need, and it is required to."""


class Outgrown(OtgateError):
    """Something of a side's own was made anew, out of its reach: it has to be started again."""


def enter(needs: Needs, mode: SandboxMode) -> str:
    """Give up what is not needed, and say in words what confines this process now.

    Raises:
        Unconfined: that is required, and not all of it can be had.
    """
    if mode == "off":
        return "off"
    held = confine(needs)
    if held.lacking and mode == "required":
        raise Unconfined(f"`sandbox: required` cannot be had here: {'; '.join(held.lacking)}")
    if held.lacking:
        log.warning("sandbox_incomplete", lacking=list(held.lacking))
    return ", ".join(held.by) or "none"


async def staying(own: Sequence[Path]) -> NoReturn:
    """Look for ever whether what a side needs was made anew, which its rules know nothing of.

    Raises:
        Outgrown: it was.
    """
    while True:
        for path in own:
            if shut_out(path):
                raise Outgrown(f"{path} was made after the sandbox, which keeps it from this side")
        await in_step(LOOK_S)


def shut_out(path: Path) -> bool:
    """Tell whether a file could be read but for the sandbox."""
    if not os.access(path, os.R_OK):
        return False
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
    except PermissionError:
        return True
    except OSError:
        return False
    return False
