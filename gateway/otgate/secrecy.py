"""Keep secrets with their owner: file modes, and no memory of ours in core files."""

import ctypes
import os
import resource
from contextlib import suppress
from pathlib import Path

PR_SET_DUMPABLE = 4
"""prctl(2): whether this process leaves core files and lets its user's others trace it."""


def shared(path: Path) -> str:
    """Say how ``path`` is open to others than its owner and what mends it; empty where not.

    Files that systemd hands to a service are left alone: it guards them by access lists, which
    show as a mode for the group.

    Raises:
        OSError: it cannot be looked at.
    """
    mode = path.stat().st_mode & 0o777
    given = os.environ.get("CREDENTIALS_DIRECTORY")
    if not mode & 0o077 or (given and path.is_relative_to(given)):
        return ""
    return f"`{path}` is open to others (mode {mode:o}); run `chmod go= {path}`"


def leave_no_core() -> None:
    """Let no crash of this process write its memory to a file or hand it to a collector."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
