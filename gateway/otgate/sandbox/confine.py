"""Gives up everything that a process does not need, and says what of it the kernel cannot keep."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

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


@dataclass(frozen=True, slots=True)
class Step:
    """One thing given up. That one cannot be had takes none of the others away."""

    do: Callable[[], object]
    without: str
    """What is so where it cannot be had."""
    by: str = ""
    """What confines from then on, where it is a thing of its own."""


def confine(needs: Needs) -> Confined:
    """Give up, for ever, whatever ``needs`` does not name. Threads must not run yet.

    Landlock binds this thread and what it starts; the filter of calls every thread.
    """
    by: list[str] = []
    abi = landlock.version()
    lacking = [what for least, what in LACKS if abi < least]
    if (several := threads()) > 1:
        lacking.append(f"Landlock binds one of {several} threads that run already")
    for step in steps(needs, abi):
        try:
            step.do()
        except OSError as error:
            lacking.append(f"{step.without}: {error.strerror}")
        else:
            by += filter(None, [step.by])
    return Confined(by, lacking)


def steps(needs: Needs, abi: int) -> Iterator[Step]:
    """Yield what is to be given up, in this order: the filter last."""
    yield Step(gain_no_privileges, "executing a file can give rights")
    yield Step(capabilities.give_up, "the rights of root are kept")
    if abi:
        rules = partial(within_rules, needs, abi)
        yield Step(rules, "no file is out of reach", f"Landlock {abi}")
    filtered = partial(filter_calls, unix=needs.unix, datagrams=needs.datagrams)
    yield Step(filtered, "system calls are not filtered", "a filter of system calls")


def filter_calls(*, unix: bool, datagrams: bool) -> None:
    """Let system calls be filtered.

    Raises:
        OSError: the kernel refused, or calls are numbered in a way that we do not know.
    """
    here = calls.machine()
    if here is None:
        raise OSError(0, "this processor's calls are not known")
    calls.restrict(here, unix=unix, datagrams=datagrams)


def within_rules(needs: Needs, abi: int) -> None:
    """Let Landlock confine this thread.

    Raises:
        OSError: the kernel refused.
    """
    # held open for ever: the kernel forgets an entry of /proc that is not, and its rule with it
    os.open(OURSELVES, os.O_PATH | os.O_CLOEXEC)
    landlock.restrict(needs, abi)
