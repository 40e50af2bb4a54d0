"""The clock that delays are counted by: it runs while the machine runs, and nobody can set it.

Over restarts of the process it goes on by the time since the machine was started. Over a restart
of the machine it stands still, since nobody can tell how long that was off: what waits then waits
longer, and a clock that was set forward meanwhile releases nothing.
"""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import structlog

from otgate.spool.state_file import StateFile

KEEP_NS = 60_000_000_000
"""How often the clock is written down: what a restart of the machine costs at most, beside the
time that it was off."""

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""Another one at each start of the machine: random(4)."""

log = structlog.get_logger()


class Boot(NamedTuple):
    """One run of the machine: its id, and the time since it began, sleep included."""

    id: str
    now_ns: Callable[[], int]


def this_boot() -> Boot:
    """Return the run of the machine that this is; without an id where the kernel tells none."""
    id_ = ""
    with suppress(OSError):
        id_ = BOOT_ID.read_text("ascii").strip()
    return Boot(id_, partial(time.clock_gettime_ns, time.CLOCK_BOOTTIME))


class DelayClock:
    """Nanoseconds that never go back or leap; near the Unix time where they began."""

    def __init__(self, file: StateFile, clock: Callable[[], int], boot: Boot) -> None:
        self._file = file
        self._clock = clock
        self._boot = boot
        self._offset_ns = self._begun()
        self._kept_ns = 0
        self.keep()

    def now_ns(self) -> int:
        """Return the time now."""
        return self._offset_ns + self._boot.now_ns()

    def unix_ns(self, at_ns: int) -> int:
        """Return what the system's clock, as it is set now, would have shown at ``at_ns``."""
        return at_ns - self.now_ns() + self._clock()

    @property
    def is_due(self) -> bool:
        """Whether the time is to be written down again."""
        return self.now_ns() - self._kept_ns >= KEEP_NS

    def keep(self) -> None:
        """Write the time down; a failure is left for the next call."""
        now_ns = self.now_ns()
        kept = {"boot": self._boot.id, "since_boot_ns": self._boot.now_ns(), "now_ns": now_ns}
        with suppress(OSError):  # a full disk must not stop the field side
            self._file.write(json.dumps(kept).encode())
            self._kept_ns = now_ns

    def _begun(self) -> int:
        """Return the time at the start of this run of the machine."""
        since_boot_ns = self._boot.now_ns()
        try:
            kept = json.loads(self._file.read())
            boot, then_ns, now_ns = kept["boot"], int(kept["since_boot_ns"]), int(kept["now_ns"])
        except FileNotFoundError:
            return self._clock() - since_boot_ns
        except (OSError, ValueError, TypeError, KeyError) as error:
            log.warning("delay_clock_unreadable", error=str(error), instead="the system's clock")
            return self._clock() - since_boot_ns
        same = bool(boot) and boot == self._boot.id and then_ns <= since_boot_ns
        return now_ns - (then_ns if same else since_boot_ns)
