"""What the operating system says of this process."""

import os
import resource
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from otgate.observe import metrics
from otgate.observe.exposition import Found

STARTED_S = time.time()
"""When this was imported: a moment after the process started."""
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
SELF = Path("/proc/self")


def of_process() -> Iterator[Found]:
    """Yield CPU time, memory and open files; what /proc does not show is left out."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    yield metrics.CPU, (), used.ru_utime + used.ru_stime
    yield metrics.STARTED, (), STARTED_S
    with suppress(OSError, ValueError, IndexError):
        pages = int((SELF / "statm").read_text().split()[1])
        yield metrics.MEMORY, (), pages * PAGE_BYTES
    with suppress(OSError):
        yield metrics.FILES, (), sum(1 for _ in (SELF / "fd").iterdir()) - 1  # one is the listing's
