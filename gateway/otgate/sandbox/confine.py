"""Gives up everything that a process does not need, and says what of it the kernel cannot keep."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from otgate.sandbox import calls, capabilities, landlock
from otgate.sandbox.kernel import gain_no_privileges, threads
from otgate.sandbox.needs import OURSELVES, Needs

LACKS = (
    (landlock.FILES_ABI, "Landlock: no file is out of reach (Linux 5.13 has it, if enabled)"),
    (landlock.TRUNCATE_ABI, "truncating files is not withheld (Linux 6.2)"),
    (landlock.PORTS_ABI, "TCP ports are not withheld (Linux 6.7)"),
    (landlock.IOCTL_ABI, "setting up devices is not withheld (Linux 6.10)"),
    (landlock.SCOPES_ABI, "signals and abstract sockets are not withheld (Linux 6.12)"),
)
"""What an older version of the interface lacks, and the kernel that brought it."""


@dataclass(frozen=True, slots=True)
class Confined:
    """What holds from now on."""

    by: Sequence[str]
    """What confines the process, each in words."""
    lacking: Sequence[str]
    """What it should be confined by and is not, each in words."""


def confine(needs: Needs) -> Confined:
    """Give up, for ever, whatever ``needs`` does not name. Threads must not run yet.

    Landlock binds this thread and what it starts; the filter of calls every thread.
    """
    by: list[str] = []
    lacking: list[str] = []
    if (several := threads()) > 1:
        lacking.append(f"Landlock binds one of {several} threads that run already")
    abi = landlock.version()
    lacking += [what for least, what in LACKS if abi < least]
    try:
        capabilities.give_up()
    except OSError as error:
        lacking.append(f"the rights of root are kept: {error.strerror}")
    try:
        gain_no_privileges()
        # held open for ever: the kernel forgets an entry of /proc that is not, and its rule with it
        os.open(OURSELVES, os.O_PATH | os.O_CLOEXEC)
        if abi:
            landlock.restrict(needs, abi)
            by.append(f"Landlock {abi}")
    except OSError as error:
        lacking.append(f"Landlock: {error.strerror}")
    here = calls.machine()
    if here is None:
        lacking.append("system calls are not filtered on this processor")
        return Confined(by, lacking)
    try:
        calls.restrict(here, unix=needs.unix, datagrams=needs.datagrams)
        by.append("a filter of system calls")
    except OSError as error:
        lacking.append(f"system calls are not filtered: {error.strerror}")
    return Confined(by, lacking)
