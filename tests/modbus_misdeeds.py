"""A Modbus server that misbehaves as told, the driver under its supervisor, and what came of it.

Point ``a`` is a holding register, asked first; ``b`` an input register, asked second. Misdeeds are
done to the coming requests for ``a``, one after another, and where a plot is for both also to those
for ``b``; all else is read honestly. Time is virtual: the same misdeed always comes to the same.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import groupby
from typing import Any

from modbus_peers import LOOPBACK, Asked, device, point
from otgate.driver import Link, Session
from otgate.quality import Quality
from otgate.supervisor import Pace, State
from otgate.testing.wire import answer, reset
from otgate.together import cancelled
from otgate_modbus import Modbus
from puppet import START_NS, Running, now_s, running

A, B = 0x11, 0x22
"""Addresses of the points, and what their registers hold."""
STALE = 0x63
"""What ``a`` held long ago: it must never be seen."""

PERIOD_S, TIMEOUT_S = 1.0, 0.4
PACE = Pace(first_s=0.0, least_s=0.3)
"""Every attempt comes 0.3 s after a connection was lost."""
DEAF_S = 2.0
READS = frozenset({1, 2, 3, 4})

WORDS = {
    Quality.GOOD: "good",
    Quality.INVALID | Quality.FAILURE | Quality.NO_VALUE: "failed",
    Quality.INVALID | Quality.FAILURE: "unread",
    Quality.INVALID | Quality.ILLEGAL_ADDRESS | Quality.NO_VALUE: "refused",
    Quality.INVALID | Quality.NOT_IMPLEMENTED | Quality.NO_VALUE: "absent",
}
"""One word per quality, beside lost. `unread`: that poll brought nothing that could be used."""


class Do(Enum):
    """What a server does beside writing bytes."""

    HONEST = auto()
    HOLD = auto()
    """Keep the honest answer back."""
    HOLD_STALE = auto()
    """Keep an answer back that is no longer true."""
    TELL = auto()
    """Send what was kept back."""
    CLOSE = auto()
    RESET = auto()
    HALF_CLOSE = auto()
    REFUSE = auto()
    """Close, and accept no connection for two seconds."""


Step = str | float | Do | bytes
"""Bytes to write, spelled as in `otgate.testing.wire` or as they are; a rest in seconds; a deed."""
Steps = Sequence[Step]
Plot = Sequence[Steps]


class Rogue:
    """The server."""

    def __init__(self) -> None:
        self.port = 0
        self.heard = bytearray()
        """Every byte that clients sent."""
        self.asked: list[tuple[int, float, int]] = []
        """Connection, time and function of each request."""
        self.plot: list[Steps] = []
        self.greeting: list[Steps] = []
        """What happens to coming connections."""
        self.functions = frozenset({3})
        """Requests with these functions are plotted against."""
        self._connections = 0
        self._held: list[bytes] = []
        self._finished: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, LOOPBACK, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        await cancelled(self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._connections += 1
        try:
            await self._talk(self._connections, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client is gone, or the test over
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _talk(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await self._do(self.greeting.pop(0) if self.greeting else (), b"", writer)
        while True:
            request = await reader.readexactly(12)
            self.heard += request
            self.asked.append((number, now_s(), request[7]))
            plotted = self.plot and request[7] in self.functions
            await self._do(self.plot.pop(0) if plotted else (Do.HONEST,), request, writer)

    async def _do(self, steps: Steps, request: bytes, writer: asyncio.StreamWriter) -> None:
        for step in steps:
            if isinstance(step, float):
                await asyncio.sleep(step)
            elif isinstance(step, Do):
                self._deed(step, request, writer)
            else:
                self._say(answer(step, request) if isinstance(step, str) else step, writer)

    def _say(self, octets: bytes, writer: asyncio.StreamWriter) -> None:
        if writer not in self._finished:
            writer.write(octets)

    def _deed(self, deed: Do, request: bytes, writer: asyncio.StreamWriter) -> None:
        match deed:
            case Do.HONEST:
                self._say(Asked(request).honest(), writer)
            case Do.HOLD:
                self._held.append(Asked(request).honest())
            case Do.HOLD_STALE:
                self._held.append(Asked(request).words(STALE))
            case Do.TELL:
                self._say(b"".join(self._held), writer)
                self._held.clear()
            case Do.CLOSE:
                writer.close()
            case Do.RESET:
                reset(writer)
            case Do.HALF_CLOSE:
                writer.write_eof()
                self._finished.add(writer)
            case Do.REFUSE:
                writer.close()
                self._tasks.add(asyncio.ensure_future(self._refuse()))

    async def _refuse(self) -> None:
        assert self._server is not None
        self._server.close()
        await asyncio.sleep(DEAF_S)
        await self.start()


class Tapped(Modbus):
    """The driver, its sessions kept for their counters."""

    def __init__(self) -> None:
        super().__init__(lambda: START_NS + round(now_s() * 1e9))
        self.sessions: list[Any] = []

    @asynccontextmanager
    async def connect(self, link: Link) -> AsyncIterator[Mapping[str, Session]]:
        async with super().connect(link) as sessions:
            self.sessions += sessions.values()
            yield sessions

    def counts(self) -> dict[str, int]:
        """Return what was counted over all connections, without zeros."""
        sums = Counter[str]()
        for session in self.sessions:
            counts = session._wire.counts
            sums.update({name: getattr(counts, name) for name in ("late", "mismatched", "retries")})
        return {name: count for name, count in sums.items() if count}


def word(quality: int) -> str:
    """Spell a quality; several failures one upon the other by their bits."""
    return "lost" if quality & Quality.COMM_LOST else WORDS.get(Quality(quality), hex(quality))


@dataclass(frozen=True)
class Outcome:
    """What came of a misdeed, up to the poll in which all was good again."""

    asked: str
    """Functions asked: a space before the next poll's, ``|`` before the next connection's."""
    said: str = ""
    """Quality of ``a`` and ``b`` after each change; empty where nobody saw anything."""
    states: str = ""
    """What the device's status said beside good."""
    polls: int = 0
    """How many polls later all was good again."""
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Mode:
    """One row of the table: what the server does to one request after another, and the outcome."""

    plot: Plot
    outcome: Outcome
    greeting: Plot = ()
    """What it does to one connection after another."""
    both: bool = False
    """Whether requests for ``b`` are plotted against too."""
    period_s: float = PERIOD_S
    pipeline: int = 1

    @property
    def timed(self) -> bool:
        """Whether its outcome hangs on a clock that runs smoothly, or is long in coming."""
        steps = [step for steps in self.plot for step in steps]
        waits = any(isinstance(step, float) for step in steps)
        return waits or Do.HOLD_STALE in steps or self.period_s > PERIOD_S


@dataclass
class Play:
    """One misdeed under way."""

    rogue: Rogue
    run: Running
    period_s: float
    first: int = 0
    batches: int = 0
    states: list[str] = field(default_factory=list)

    def begin(self, plot: Plot, greeting: Plot) -> None:
        self.first, self.batches = len(self.rogue.asked), len(self.run.got.batches)
        self.rogue.plot, self.rogue.greeting = list(plot), list(greeting)

    @property
    def began_s(self) -> float:
        return self.rogue.asked[self.first][1]

    def poll(self, at_s: float) -> int:
        """Return in which poll since the misdeed a moment lies."""
        return int((at_s - self.began_s) / self.period_s + 0.01)

    async def well(self) -> None:
        """Return in the middle of a period, once two polls were good."""
        while True:
            status = self.run.status("f1")
            if status.scans >= 2 and status.state is State.GOOD:
                break
            await asyncio.sleep(self.period_s / 20)
        await asyncio.sleep(self.period_s / 2)

    async def to_the_end(self) -> None:
        """Return when nothing has been amiss for longer than a period."""
        quiet = 0
        while quiet < 25:
            quiet = quiet + 1 if self.over() else 0
            await asyncio.sleep(self.period_s / 20)

    def over(self) -> bool:
        """Note the status; say whether the plot is over and all is good again."""
        status = self.run.status("f1")
        if status.state is not State.GOOD and (said := f"{status.state}: {status.error}"):
            self.states += [] if said in self.states else [said]
        done = len(self.rogue.asked) > self.first and not self.rogue.plot + self.rogue.greeting
        well = self.said().rpartition(", ")[2] in {"", "good/good"}
        return done and well and status.state is State.GOOD

    def said(self) -> str:
        """Spell what was emitted; no wrong value is ever good."""
        now, texts = ["good", "good"], []
        for batch in self.run.got.batches[self.batches :]:
            columns = (batch.index.tolist(), batch.values.tolist(), batch.quality.tolist())
            for index, value, quality in zip(*columns, strict=True):
                wrong = quality & Quality.NO_VALUE == 0 and value != (A, B)[index]
                assert not wrong, (index, value, Quality(quality), self.states)
                now[index] = word(quality)
            texts.append("/".join(now))
        return ", ".join(text for text, _ in groupby(texts))

    def outcome(self, counts: dict[str, int]) -> Outcome:
        latest = self.run.got.batches[-1].received_ns - START_NS
        quiet = len(self.run.got.batches) == self.batches
        polls = 0 if quiet else self.poll(latest / 1e9)
        asked = [each for each in self.rogue.asked[self.first :] if self.poll(each[1]) <= polls]
        connections = []
        for _, requests in groupby(asked, key=lambda each: each[0]):
            spells = groupby(requests, key=lambda each: self.poll(each[1]))
            connections.append(" ".join("".join(str(r[2]) for r in spell) for _, spell in spells))
        return Outcome("|".join(connections), self.said(), ", ".join(self.states), polls, counts)


async def outcome_of(mode: Mode) -> Outcome:
    """Let a server read well for two polls, then do as plotted; return what came of it."""
    rogue, driver, period_s = Rogue(), Tapped(), mode.period_s
    rogue.functions = frozenset({3, 4} if mode.both else {3})
    await rogue.start()
    points = (point("a", f"hr {A}"), point("b", f"ir {B}"))
    settings = {"timeout_s": TIMEOUT_S, "scans": {"normal": period_s}, "pipeline": mode.pipeline}
    target = device(*points, host=LOOPBACK, port=rogue.port, **settings)
    try:
        async with running(driver, [target], pace=PACE) as run:
            play = Play(rogue, run, period_s)
            await play.well()
            play.begin(mode.plot, mode.greeting)
            async with asyncio.timeout(100 * period_s):
                await play.to_the_end()
            return play.outcome(driver.counts())
    finally:
        await rogue.stop()
        assert {rogue.heard[at + 7] for at in range(0, len(rogue.heard), 12)} <= READS
