"""System calls that Python has no function for, by the C library."""

import ctypes
import os
from collections.abc import Callable
from typing import Any

PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS = 38, 39
"""prctl(2)."""

Argument = int | bytes | None


def called(number: int, *arguments: Argument) -> int:
    """Make a system call.

    Raises:
        OSError: the kernel refused it.
    """
    return _checked(_libc().syscall, number, *arguments)


def controlled(option: int, *arguments: int) -> int:
    """Call prctl(2).

    Raises:
        OSError: the kernel refused it.
    """
    return _checked(_libc().prctl, option, *arguments, *[0] * (4 - len(arguments)))


def gain_no_privileges() -> None:
    """Give up for ever that executing a file gives more rights. Needed for all else here."""
    controlled(PR_SET_NO_NEW_PRIVS, 1)


def threads() -> int:
    """Return how many threads this process has."""
    return len(os.listdir("/proc/self/task"))  # noqa: PTH208  names alone are counted


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(function: Callable[..., int], *arguments: Argument) -> int:
    wide: list[Any] = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    result = function(*wide)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
