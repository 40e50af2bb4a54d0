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
STEP_NS = 500_000_000
"""A difference between two looks that no slewing makes (500 ppm at most)."""
DOUBT_NS = 600 * 10**9
"""How long a step is doubted where the system does not say that its clock is synchronised."""
RELEASED_NS = 1_767_225_600 * 10**9
"""The beginning of 2026, before which no otgate ran."""
MINUTE = "%Y-%m-%d %H:%M UTC"
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


def boot_ns() -> int:
    """Return the time since the machine was started, with what it slept."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def synchronised() -> bool | None:
    """Say whether the system's clock is synchronised; None where nobody can be asked."""
    if told := kernel():
        return told.synchronised
    return TIMESYNC.exists() if TIMESYNC.parent.exists() else None


class ClockWatch:
    """Notices steps of the wall clock against one that nobody sets; says when to doubt it.

    It is doubted while it shows a time that has passed already, for `DOUBT_NS` after a step unless
    the system says that it is synchronised, and, where that is ``checked``, while it says not.
    """

    def __init__(
        self,
        wall_ns: Callable[[], int] = time.time_ns,
        steady_ns: Callable[[], int] = boot_ns,
        *,
        passed_ns: int = 0,
        checked: bool = False,
    ) -> None:
        """``passed_ns`` is a time that the clock has shown before, ns since the Unix epoch."""
        self._wall_ns = wall_ns
        self._steady_ns = steady_ns
        self._passed_ns = max(passed_ns, RELEASED_NS)
        self._checked = checked
        self._apart_ns = wall_ns() - steady_ns()
        self._settled_ns = 0
        """Until when a step is doubted, on the steady clock."""
        self.steps = 0
        self.last_step_s = 0.0
        self.doubt = ""
        """Why the clock is doubted; empty while it is trusted."""
        self._judge(wall_ns(), steady_ns())

    def doubtful(self, now_ns: int) -> bool:
        """Tell whether a stamp given ``now_ns`` is doubtful. A step is noticed here first."""
        if not -STEP_NS < now_ns - self._steady_ns() - self._apart_ns < STEP_NS:
            self.look()
        return bool(self.doubt)

    def look(self) -> None:
        """Count and log a step since the last look, and judge anew."""
        wall_ns, steady_ns = self._wall_ns(), self._steady_ns()
        apart_ns = wall_ns - steady_ns
        step_ns, self._apart_ns = apart_ns - self._apart_ns, apart_ns
        if abs(step_ns) >= STEP_NS:
            self.steps += 1
            self.last_step_s = step_ns / 1e9
            self._settled_ns = steady_ns + DOUBT_NS
            log.warning("clock_stepped", by_s=round(self.last_step_s, 3))
        self._judge(wall_ns, steady_ns)

    def _judge(self, wall_ns: int, steady_ns: int) -> None:
        doubt = self._found(wall_ns, steady_ns)
        if doubt and not self.doubt:
            log.warning("clock_doubted", why=doubt)
        elif self.doubt and not doubt:
            log.info("clock_trusted")
        self.doubt = doubt

    def _found(self, wall_ns: int, steady_ns: int) -> str:
        if wall_ns < self._passed_ns:
            passed = time.strftime(MINUTE, time.gmtime(self._passed_ns // 10**9))
            return f"it shows a time before {passed}"
        settling = steady_ns < self._settled_ns
        if not settling and not self._checked:
            return ""
        if synchronised():
            return ""
        if settling:
            return f"it stepped by {self.last_step_s:.3f} s"
        return "the system does not say that it is synchronised"

    async def watch(self) -> NoReturn:
        """Look for ever."""
        while True:
            self.look()
            await in_step(LOOK_S)

    def found(self) -> Iterator[Found]:
        """Yield what is known of the clock."""
        yield metrics.CLOCK_STEPS, (), self.steps
        yield metrics.CLOCK_STEPPED, (), self.last_step_s
        yield metrics.CLOCK_DOUBTED, (), int(bool(self.doubt))
        if told := kernel():
            yield metrics.CLOCK_SYNCHRONISED, (), int(told.synchronised)
            yield metrics.CLOCK_ERROR, (), told.error_bound_s
        elif TIMESYNC.parent.exists():
            yield metrics.CLOCK_SYNCHRONISED, (), int(TIMESYNC.exists())
