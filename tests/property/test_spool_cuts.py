"""Every cut of short histories, and cuts anywhere in long ones: nothing confirmed is lost."""

from collections.abc import Callable
from functools import partial
from itertools import product
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from cut_disk import Fault, Names, Tails
from cut_history import CLOCKS_NS, OPERATIONS, History
from cut_world import FOR_EVER_NS, Tight, Way, World
from otgate.model import Lane

LANES = st.sampled_from(Lane)
WAYS = st.builds(Way, st.sampled_from(Names), st.sampled_from(Tails), st.booleans())

Act = Callable[[World], None]


def data(world: World) -> None:
    world.append(Lane.DATA, 3)
    world.cycle()


def event(world: World) -> None:
    world.append(Lane.EVENT, 2)
    world.cycle()


def receipt(world: World) -> None:
    world.append(Lane.DATA, 1)
    world.ask()
    world.cycle()


def rotate(world: World) -> None:
    world.append(Lane.DATA, 1, 2500)
    receipt(world)


def restart(world: World) -> None:
    world.close_writer()
    world.begin_writer()


def kill(world: World) -> None:
    world.begin_writer()


def read(world: World) -> None:
    world.follow()
    world.flush()


def fault(operation: str, world: World) -> None:
    world.fail(operation, Fault.BEFORE, times=1)
    receipt(world)
    receipt(world)


FAULTS: dict[str, Act] = {f"{name} fails": partial(fault, name) for name in OPERATIONS[:5]}
STEPS: dict[str, Act] = {
    step.__name__: step for step in (data, event, receipt, rotate, restart, kill, read)
}


class EveryCut:
    """A history cut at every change, in every way there is a choice of."""

    def __init__(self) -> None:
        self.world = World(Tight(8000, FOR_EVER_NS))
        self.world.at_change = self._cut
        self.rng = Random(0)
        self.cuts = 0

    def play(self, steps: tuple[str, ...]) -> None:
        self.world.loud()
        for step in steps:
            (STEPS | FAULTS)[step](self.world)

    def _cut(self) -> None:
        names, tails = self.world.disk.undecided
        for way in product(
            Names if names else (Names.OLD,), list(Tails)[:-1] if tails else (Tails.NOTHING,)
        ):
            self.cuts += 1
            self.world.check(Way(*way, reader_first=self.cuts % 2 == 0), self.rng)


SHORT = [
    ("receipt", "data", "restart", "receipt"),
    ("data", "read", "kill", "receipt"),
    ("receipt", "read", "data", "event"),
    ("rotate", "rotate", "read", "rotate"),
    *(("data", fault, "read") for fault in FAULTS),
]


@pytest.mark.parametrize("steps", SHORT, ids=" ".join)
def test_a_short_history_keeps_its_promises_at_every_cut(steps: tuple[str, ...]) -> None:
    history = EveryCut()
    history.play(steps)
    assert history.cuts > 50


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", STEPS)
def test_every_history_of_three_steps_keeps_its_promises_at_every_cut(first: str) -> None:
    for rest in product(STEPS, ("receipt", "kill", "sync fails")):
        EveryCut().play((first, *rest))


@pytest.mark.parametrize(
    "histories", [20, pytest.param(400, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
def test_long_histories_keep_their_promises(histories: int) -> None:
    for number in range(histories):
        History(f"quick-{number}").play()


class Cuts(RuleBasedStateMachine):
    """Hypothesis draws the steps, so that it finds the shortest history that breaks a promise."""

    @initialize(kept_bytes=st.sampled_from((6_000, 400_000)), seed=st.integers(0, 99))
    def begin(self, kept_bytes: int, seed: int) -> None:
        self.world = World(Tight(kept_bytes, FOR_EVER_NS))
        self.rng = Random(seed)

    @rule(lane=LANES, samples=st.integers(1, 8), text_bytes=st.sampled_from((0, 0, 7000)))
    def append(self, lane: Lane, samples: int, text_bytes: int) -> None:
        self.world.append(lane, samples, text_bytes)

    @rule(asked=st.booleans())
    def cycle(self, *, asked: bool) -> None:
        if asked:
            self.world.ask()
        self.world.cycle()

    @rule(operation=st.sampled_from(OPERATIONS), fault=st.sampled_from(Fault))
    def fail(self, operation: str, fault: Fault) -> None:
        self.world.fail(operation, fault, self.rng.randrange(3), self.rng.choice((1, 1 << 30)))

    @rule()
    def cure(self) -> None:
        self.world.cure()

    @rule(closed=st.booleans(), clock_ns=st.sampled_from(CLOCKS_NS))
    def begin_writer(self, *, closed: bool, clock_ns: int) -> None:
        if closed:
            self.world.close_writer()
        self.world.clock_ns = max(self.world.clock_ns + clock_ns, 0)
        self.world.begin_writer()

    @rule(lane=LANES, frames=st.integers(1, 9))
    def read(self, lane: Lane, frames: int) -> None:
        self.world.read(lane, frames)

    @rule(lane=LANES, items=st.integers(1, 9))
    def acknowledge(self, lane: Lane, items: int) -> None:
        self.world.acknowledge(lane, items)

    @rule()
    def flush(self) -> None:
        self.world.flush()

    @rule(way=WAYS)
    def check(self, way: Way) -> None:
        self.world.check(way, self.rng)

    @rule(way=WAYS)
    def cut(self, way: Way) -> None:
        self.world.cut(way, self.rng)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.cure()
            self.world.check(Way(Names.OLD, Tails.NOTHING), self.rng)


TestCuts = Cuts.TestCase
TestCuts.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
