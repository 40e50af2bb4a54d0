"""A Modbus server that misbehaves as told, the driver under its supervisor, and what came of it.

Point ``a`` is a holding register, asked first; ``b`` an input register, asked second. Misdeeds are
done to the coming requests for ``a``, one after another, and where a plot is for both also to those
for ``b``; all else is read honestly. Time is virtual: the same misdeed always comes to the same.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from modbus_peers import LOOPBACK, point
from modbus_rogues import Plot, Rogue
from otgate.driver import Link, Session
from otgate.model import Device
from otgate.quality import Quality
from otgate.supervisor import Pace, State
from otgate_modbus import Modbus
from puppet import START_NS, Running, now_s, running

A, B = 0x11, 0x22
"""Addresses of the points, and what their registers hold."""

PERIOD_S, TIMEOUT_S = 1.0, 0.4
PACE = Pace(first_s=0.0, least_s=0.3)
"""Every attempt comes 0.3 s after a connection was lost."""
READS = frozenset({1, 2, 3, 4})
COUNTED = ("late", "mismatched", "retries", "stray", "malformed", "closed_idle")

WORDS = {
    Quality.GOOD: "good",
    Quality.INVALID | Quality.FAILURE | Quality.NO_VALUE: "failed",
    Quality.INVALID | Quality.FAILURE: "unread",
    Quality.INVALID | Quality.ILLEGAL_ADDRESS | Quality.NO_VALUE: "refused",
    Quality.INVALID | Quality.NOT_IMPLEMENTED | Quality.NO_VALUE: "absent",
}
"""One word per quality, beside lost. `unread`: that poll brought nothing that could be used."""


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
            sums.update({name: getattr(counts, name) for name in COUNTED})
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
    scheme: str = "tcp"
    timeout_s: float = TIMEOUT_S


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
    rogue, driver, period_s = Rogue(mode.scheme), Tapped(), mode.period_s
    rogue.functions = frozenset({3, 4} if mode.both else {3})
    await rogue.start()
    points = (point("a", f"hr {A}"), point("b", f"ir {B}"))
    url = f"{mode.scheme}://{LOOPBACK}:{rogue.port}"
    settings = Modbus.settings(url=url, timeout_s=mode.timeout_s, pipeline=mode.pipeline)
    target = Device("f1", "modbus", "bay", points, {"normal": period_s}, settings)
    try:
        async with running(driver, [target], pace=replace(PACE, tick_s=period_s)) as run:
            play = Play(rogue, run, period_s)
            await play.well()
            play.begin(mode.plot, mode.greeting)
            async with asyncio.timeout(100 * period_s):
                await play.to_the_end()
            return play.outcome(driver.counts())
    finally:
        await rogue.stop()
        assert {function for _, _, function in rogue.asked} <= READS
