"""What confines a process that runs, as the kernel tells others of it: proc(5), status.

Of Landlock the kernel tells nobody; a process can only say itself what it entered.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from otgate.sandbox.capabilities import KEPT

FILTERED = "2"
"""SECCOMP_MODE_FILTER, as the line `Seccomp` has it: seccomp(2)."""


@dataclass(frozen=True, slots=True)
class Protection:
    """One protection of a running process."""

    what: str
    in_force: bool
    words: str
    """What the kernel says."""


def protections_of(pid: int) -> Sequence[Protection]:
    """Return what confines every thread of a process.

    Raises:
        OSError: it is gone, or not ours to look at.
    """
    tasks = sorted(Path(f"/proc/{pid}/task").iterdir())
    threads = [status(task / "status") for task in tasks]
    if not threads:
        raise ProcessLookupError(f"process {pid} is gone")
    return [*_judged(threads)]


def _judged(threads: Sequence[Mapping[str, str]]) -> Iterator[Protection]:
    count = len(threads)
    filtered = sum(one.get("Seccomp") == FILTERED for one in threads)
    filters = min(one.get("Seccomp_filters", "?") for one in threads)
    words = f"{filtered} of {count} threads; filters: {filters}"
    yield Protection("a filter of system calls", filtered == count, words)
    bare = sum(one.get("NoNewPrivs") == "1" for one in threads)
    yield Protection("no new privileges", bare == count, f"{bare} of {count} threads")
    rights = 0
    for one in threads:
        rights |= int(one.get("CapEff", "0"), 16) | int(one.get("CapPrm", "0"), 16)
    yield Protection(
        "none of the rights of root that no side needs",
        not rights & ~KEPT,
        f"capabilities {rights:x}",
    )


def status(path: Path) -> Mapping[str, str]:
    """Return the lines of a status file by their names.

    Raises:
        OSError: it cannot be read.
    """
    lines = path.read_text().splitlines()
    return {name: told.strip() for name, _, told in (line.partition(":") for line in lines)}
