"""Open files kept free: what devices' links may not take, because the rest of a side needs it.

The spool begins segments, states are saved, administrators connect, and Python itself opens files
when it first needs a module.
"""

import os
import resource
from contextlib import suppress

from otgate.errors import LinkLost

RESERVE = 16
"""Descriptors."""


def keep_reserve() -> None:
    """Return where as many files can be opened as are kept in reserve.

    Raises:
        LinkLost: they cannot: a link more would be one too many.
    """
    held: list[int] = []
    try:
        held.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        held.extend(os.dup(held[0]) for _ in range(RESERVE - 1))
    except OSError as error:
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        raise LinkLost(
            f"too many open files: {limit} are allowed (LimitNOFILE=, ulimit -n), and the last "
            f"{RESERVE} are kept for the spool"
        ) from error
    finally:
        for descriptor in held:
            os.close(descriptor)


def allow_all_files() -> None:
    """Raise the limit of open files to the most that this process may have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
