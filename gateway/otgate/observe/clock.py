"""How far the system's clock can be trusted: whether it is synchronised, and whether it stepped."""

import ctypes
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, NoReturn

import structlog

from otgate.observe import metrics
from otgate.observe.exposition import Found
from otgate.together import in_step

STA_UNSYNC = 0x40
"""adjtimex(2): the clock is not synchronised."""
TIMEX_BYTES = 256
"""Of ``struct timex``: 208 where a long has 64 bits, and room to spare."""
TIMESYNC = Path("/run/systemd/timesync/synchronized")
"""What systemd-timesyncd leaves where it has synchronised the clock; systemd-timesyncd(8)."""
STEP_S = 0.5
"""A difference between two looks that no slewing makes (500 ppm at most)."""
LOOK_S = 1.0

log = structlog.get_logger()


class Kernel(NamedTuple):
    """What the kernel's clock discipline tells."""

    synchronised: bool
    error_bound_s: float


class LongTimex(ctypes.Structure):
    """The beginning of ``struct timex``, adjtimex(2); with mode 0 nothing is changed."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * TIMEX_BYTES),
    )


def kernel() -> Kernel | None:
    """Ask the kernel; None where a sandbox does not let us."""
    told = LongTimex()
    with suppress(OSError, AttributeError):
        if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(told)) >= 0:
            return Kernel(not told.status & STA_UNSYNC, told.maxerror / 1e6)
    return None


class ClockWatch:
    """Notices steps of the wall clock against a clock that nobody sets."""

    def __init__(
        self,
        wall_s: Callable[[], float] = time.time,
        steady_s: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
    ) -> None:
        self._wall_s = wall_s
        self._steady_s = steady_s
        self._apart_s = wall_s() - steady_s()
        self.steps = 0
        self.last_step_s = 0.0

    def look(self) -> None:
        """Count and log a step since the last look."""
        apart_s = self._wall_s() - self._steady_s()
        step_s, self._apart_s = apart_s - self._apart_s, apart_s
        if abs(step_s) >= STEP_S:
            self.steps += 1
            self.last_step_s = step_s
            log.warning("clock_stepped", by_s=round(step_s, 3))

    async def watch(self) -> NoReturn:
        """Look for ever."""
        while True:
            self.look()
            await in_step(LOOK_S)

    def found(self) -> Iterator[Found]:
        """Yield what is known of the clock."""
        yield metrics.CLOCK_STEPS, (), self.steps
        yield metrics.CLOCK_STEPPED, (), self.last_step_s
        if told := kernel():
            yield metrics.CLOCK_SYNCHRONISED, (), int(told.synchronised)
            yield metrics.CLOCK_ERROR, (), told.error_bound_s
        elif TIMESYNC.parent.exists():
            yield metrics.CLOCK_SYNCHRONISED, (), int(TIMESYNC.exists())
