"""What a process needs of the system. Everything else it gives up."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import otgate

SandboxMode = Literal["auto", "required", "off"]
"""Whether a side goes on where the kernel cannot confine it, refuses to, or is not confined."""

NOWHERE = Path("/dev/null")
OURSELVES = Path("/proc/self")

NAME_SERVICE = (
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
)
"""What the C library reads to find the address of a name."""

ACCOUNTS = ("/etc/passwd", "/etc/group")
"""Read to know who asks at an administration socket."""

SHARED = (
    "/usr/lib",
    "/usr/lib64",
    "/lib",
    "/lib64",
    "/usr/share/zoneinfo",
    "/etc/localtime",
    "/etc/ld.so.cache",
    "/etc/ssl/openssl.cnf",
    "/run/systemd/resolve",
    "/dev/urandom",
    "/sys/devices/system/cpu/online",
)
"""Libraries that are loaded when they are first wanted, time zones, and what libraries read."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a side reads, writes and reaches. A folder stands for everything beneath it."""

    read: Sequence[Path] = ()
    """Beside what every process reads."""
    write: Sequence[Path] = ()
    """Files and folders in which it also makes, renames and removes."""
    devices: Sequence[Path] = ()
    """Device files that it reads, writes and sets up."""
    connect: frozenset[int] | None = frozenset()
    """TCP ports; None is any."""
    listen: frozenset[int] | None = frozenset()
    """TCP ports that it will bind; None is any."""
    datagrams: bool = True
    """Whether it sends any: to look names up, or to devices."""
    unix: bool = False
    """Whether it opens more unix sockets than it has now."""


def every_process_reads() -> list[Path]:
    """Return what Python, the C library and we ourselves are, and read when first wanted."""
    named = (*NAME_SERVICE, *ACCOUNTS, *SHARED)
    return [*map(Path, named), *_python(), OURSELVES]


def _python() -> Iterator[Path]:
    here = Path.cwd()
    yield from map(Path, (sys.prefix, sys.base_prefix, sys.base_exec_prefix))
    yield from (folder for folder in _importable(sys.path) if folder != here)
    yield Path(otgate.__file__).parent


def _importable(entries: Iterable[str]) -> Iterator[Path]:
    """Yield the folders of a search path; ``python -m`` puts the current one first."""
    return (Path(entry).absolute() for entry in entries if entry)
