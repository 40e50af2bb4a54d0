"""What holds a conduit's samples back: a private spool, and a hand that empties it in time."""

import asyncio
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

import structlog

from otgate.app.delay.clock import DelayClock
from otgate.app.delay.states import LateStates
from otgate.app.delay.waiting import Exit, Release, Waiting
from otgate.model import Batch, Lane
from otgate.spool.files import PRIVATE
from otgate.spool.writer import Retention, SpoolWriter

GATHER_NS = 1_000_000_000
"""What falls due within so long is handed on together: one sync and one note on the disk."""

ROOM_BYTES = 2 << 20
"""Of the exit's buffer: nothing is handed on while more of it is taken."""

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger()


class Terms(NamedTuple):
    """How long a conduit holds samples back, where they go then, and what is kept of them."""

    delay_s: float
    exit: Exit
    retention: Retention

    @property
    def delay_ns(self) -> int:
        """The delay in nanoseconds."""
        return int(self.delay_s * 1e9)

    @property
    def keeping(self) -> Retention:
        """What is kept of what waits: it is that old when it falls due."""
        return replace(self.retention, age_ns=self.retention.age_ns + self.delay_ns)


class Hold:
    """One conduit's. `spool` takes what its gate passes; `step`, called for ever, empties it."""

    def __init__(
        self,
        conduit: str,
        directory: Path,
        clock: DelayClock,
        terms: Terms,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.conduit = conduit
        self.withheld = 0
        """Samples that could not cross any more when they fell due, since the start."""
        self._directory = directory
        self._clock = clock
        self._loop = loop
        self._states = LateStates()
        self._waiting = Waiting(directory, PRIVATE, clock)
        self._terms = terms
        self._under_way: Release | None = None
        self._due_ns = 0
        self._ended = self._reading = False
        self.spool = self._opened()
        self._waiting.begin(self.spool.epoch, terms.exit.directory)

    @staticmethod
    def is_left(directory: Path) -> bool:
        """Tell whether something may wait in ``directory`` from an earlier start."""
        return directory.exists()

    def agree(self, terms: Terms) -> None:
        """Hold back by other terms from now on, also what waits already.

        Raises:
            SpoolUnusable: the private spool cannot be written.
        """
        before, self._terms = self._terms, terms
        self._due_ns = 0
        same = terms.exit.catalog.hash == before.exit.catalog.hash
        if not same or terms.keeping != before.keeping:
            self.spool.close()
            self.spool = self._opened()

    def late(self, states: Mapping[str, str]) -> Mapping[str, str]:
        """Take the devices' states of now, and return those that may be told."""
        return self._states.seen(states, self._clock.now_ns(), self._terms.delay_ns)

    async def step(self) -> bool:
        """Hand on what has waited long enough; return whether to come again soon.

        Raises:
            SpoolUnusable: what waits is of a newer format.
        """
        if self._clock.is_due:
            await asyncio.to_thread(self._clock.keep)
        if self._under_way is not None and not await self._settled(self._under_way):
            return True
        terms, now_ns = self._terms, self._clock.now_ns()
        if now_ns < self._due_ns:
            return False
        spool = terms.exit.spool
        if spool.error or spool.buffered_bytes > ROOM_BYTES:
            return True
        release = await self._apart(self._waiting.take, terms.exit, now_ns, terms.delay_ns)
        if self._ended:
            return False
        if self._terms is not terms:  # by which it might have to wait, or not to cross
            self._waiting.again()
            return True
        self._hand_on(release)
        if self._due_ns > now_ns and self._under_way is not None:
            self._due_ns = max(self._due_ns, now_ns + GATHER_NS)
        return self._under_way is not None or self._due_ns <= now_ns

    async def _settled(self, release: Release) -> bool:
        """Be done with what was handed on, if it is known what became of it."""
        if not release.landed and release.exit.spool is self._terms.exit.spool:
            return False
        await self._apart(self._waiting.settle, release)
        self._under_way = None
        return True

    async def _apart(self, do: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
        """Let the reading end do something on a thread; close it where that was the last."""
        self._reading = True
        done = await asyncio.to_thread(do, *given, **named)
        self._reading = False
        if self._ended:
            self._waiting.close()
        return done

    def _hand_on(self, release: Release) -> None:
        spool, ticket = release.exit.spool, None
        for lane, part in release.parts:
            if isinstance(part, Batch):
                ticket = spool.append(lane, part)
            else:
                ticket = spool.miss(lane, *part)
        if ticket is None:
            release.land()
        else:
            spool.wait_durable(ticket, release.land)
        if any(release.sent.values()):
            self._under_way = release
        self.withheld += release.withheld
        self._due_ns = release.next_ns
        for lane, segment in self._waiting.needs.items():
            self.spool.let_go(lane, segment)

    @property
    def waiting(self) -> int:
        """How many samples wait, with those that were lost meanwhile."""
        return sum(self.spool.samples(lane) - self._waiting.done(lane) for lane in Lane)

    @property
    def is_over(self) -> bool:
        """Whether there is no delay any more, and nothing that still waits."""
        return not self._terms.delay_s and self._under_way is None and not self.waiting

    def status(self) -> Mapping[str, Any]:
        """Describe what waits."""
        waiting, left_ns = self.waiting, self._due_ns - self._clock.now_ns()
        return {
            "delay_s": self._terms.delay_s,
            "waiting": waiting,
            "next_in_s": round(max(left_ns, 0) / 1e9, 1) if waiting else None,
            "withheld": self.withheld,
            "spool": asdict(self.spool.status()),
        }

    def close(self) -> None:
        """Keep what waits for the next start."""
        self._end()
        if waiting := self.waiting:
            log.info("waiting_kept", conduit=self.conduit, samples=waiting)

    def remove(self) -> None:
        """Remove the spool with all that waits."""
        self._end()
        if waiting := self.waiting:
            log.warning("waiting_removed", conduit=self.conduit, samples=waiting)
        shutil.rmtree(self._directory, ignore_errors=True)

    def _end(self) -> None:
        self._ended = True
        self.spool.close()
        if not self._reading:
            self._waiting.close()

    def _opened(self) -> SpoolWriter:
        writer = SpoolWriter.open(
            self._directory,
            self._terms.exit.catalog,
            self._terms.keeping,
            clock=self._clock.now_ns,
            files=PRIVATE,
        )
        if self._loop is not None:
            writer.gather_on(self._loop)
        return writer
