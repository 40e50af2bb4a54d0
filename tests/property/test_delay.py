"""Random histories of a conduit with a delay: it measures, waits, is reloaded, stopped, killed.

What crosses is never early, never twice, never out of order in its lane and never a point that may
not cross when it falls due; and what may, crosses then.
"""

import asyncio
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delays import CB, IA, IB, KWH, SECOND_NS, Plant, without_waiting
from otgate.app.delay.hold import Hold
from otgate.app.delay.waiting import Release
from otgate.model import Lane

POINTS = {IA: "ia", IB: "ib", KWH: "kwh", CB: "cb"}
RULE = "tags_all: [feeder]"


class Measured(NamedTuple):
    lane: Lane
    point: str
    at_ns: int
    """By the time that the machine has run."""


class Killed(Exception):
    pass


class History:
    def __init__(self, folder: Path) -> None:
        self.plant = Plant(folder, 60)
        self.delay_s = 60.0
        self.allowed = frozenset(POINTS.values())
        self.ran_ns = 0
        self.measured: dict[int, Measured] = {}
        self.gone: set[int] = set()
        """What crossed, and what was due when it might not."""
        self.newest = dict.fromkeys(Lane, 0)

    async def measure(self, *points: int) -> None:
        for point in points:
            lane = Lane.EVENT if point == CB else Lane.DATA
            number = self.plant.measured + 1
            if POINTS[point] in self.allowed:  # else the gate keeps it
                self.measured[number] = Measured(lane, POINTS[point], self.ran_ns)
            await self.plant.measure(point)

    async def passes(self, seconds: float) -> None:
        self.ran_ns += int(seconds * SECOND_NS)
        self.plant.passes(seconds)
        await self.look()

    async def look(self) -> None:
        """Hand on what is due, and judge it."""
        seen = await self.plant.crossed()
        due = {
            number
            for number, one in self.measured.items()
            if self.ran_ns - one.at_ns >= self.delay_s * SECOND_NS
        }
        for each in seen:
            assert each.number in due, "early"
            assert each.number not in self.gone, "twice, or revoked when it fell due"
            assert each.point in self.allowed
            assert each.number > self.newest[each.lane], "out of order"
            self.newest[each.lane] = each.number
        wanted = {n for n in due - self.gone if self.measured[n].point in self.allowed}
        assert {each.number for each in seen} == wanted
        self.gone |= due
        assert self.plant.hold.waiting == len(self.measured) - len(self.gone)

    async def delay(self, seconds: float) -> None:
        self.plant.delay(self.delay_s, seconds)
        self.delay_s = seconds
        await self.look()

    async def allow(self, points: frozenset[str]) -> None:
        before, self.allowed = self.rule, points
        self.plant.reload("policy.yaml", before, self.rule)
        await self.look()

    @property
    def rule(self) -> str:
        if self.allowed == frozenset(POINTS.values()):
            return RULE
        globs = ", ".join(f'"*/{each}"' for each in sorted(self.allowed))
        return f"{RULE}, point: [{globs}]"

    async def restart(self) -> None:
        self.plant.restart()
        await self.look()

    async def reboot(self, off_s: float) -> None:
        self.plant.rebooted(off_s)
        await self.look()

    async def set_clock(self, by_s: float) -> None:
        self.plant.unix_ns += int(by_s * SECOND_NS)
        await self.look()

    async def kill(self, seconds: float, when: str) -> None:
        """Let time pass, and kill the field side before or after it hands on what is due then."""
        self.ran_ns += int(seconds * SECOND_NS)
        self.plant.passes(seconds)
        hand_on = Hold._hand_on

        def killed(hold: Hold, release: Release) -> None:
            if any(release.sent.values()):
                if when == "after":
                    hand_on(hold, release)
                    release.exit.spool.close()
                raise Killed
            hand_on(hold, release)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Hold, "_hand_on", killed)
            with suppress(Killed):
                await self.plant.settle()
        self.plant.killed()
        await self.look()


SECONDS = st.sampled_from([0.0, 1.0, 19.0, 30.0, 61.0])
OPERATIONS = st.one_of(
    st.tuples(st.just("measure"), st.sampled_from(list(POINTS)), st.sampled_from(list(POINTS))),
    st.tuples(st.just("measure"), st.sampled_from(list(POINTS))),
    st.tuples(st.just("passes"), SECONDS),
    st.tuples(st.just("delay"), st.sampled_from([20.0, 60.0, 90.0])),
    st.tuples(
        st.just("allow"), st.frozensets(st.sampled_from(sorted(POINTS.values())), min_size=1)
    ),
    st.tuples(st.just("restart")),
    st.tuples(st.just("reboot"), st.sampled_from([-1e8, 0.0, 5.0, 1e8])),
    st.tuples(st.just("set_clock"), st.sampled_from([-1e8, -5.0, 5.0, 1e8])),
    st.tuples(st.just("kill"), SECONDS, st.sampled_from(["before", "after"])),
)
HISTORIES = st.lists(OPERATIONS, min_size=4, max_size=14)


async def lived(operations: list[tuple[Any, ...]], folder: Path) -> None:
    history = History(folder)
    try:
        for name, *given_ in operations:
            await getattr(history, name)(*given_)
        await history.passes(100)
        assert history.gone == set(history.measured)
    finally:
        history.plant.egress.close()


def judge(operations: list[tuple[Any, ...]]) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        without_waiting(patch)
        asyncio.run(lived(operations, Path(folder) / "site"))


@given(HISTORIES)
@settings(max_examples=12)
def test_what_waits_crosses_when_it_may_and_never_before(operations: list[tuple[Any, ...]]) -> None:
    judge(operations)


@pytest.mark.slow
@given(HISTORIES)
@settings(max_examples=60, derandomize=False)
def test_many_histories_of_what_waits(operations: list[tuple[Any, ...]]) -> None:
    judge(operations)
