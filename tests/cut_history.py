"""Histories of a spool drawn at random: what is done, where it is cut, what is left."""

from collections.abc import Callable
from random import Random

from cut_disk import Fault, Names, Tails
from cut_world import FOR_EVER_NS, Tight, Way, World
from otgate.model import Lane
from spools import NOW_NS

LANES, WAYS = tuple(Lane), tuple(tails for tails in Tails)
NAMES = (Names.OLD, Names.NEW, Names.EITHER, Names.EITHER)
OPERATIONS = ("create", "write", "sync", "sync_directory", "rename", "unlink", "reuse", "exchange")
CLOCKS_NS = (0, 0, 1, 10**9, 60 * 10**9, -60 * 10**9, -(10**18))
KEPT_BYTES = (6_000, 40_000, 400_000)
CHECKED = 0.25
"""Of the changes how many are followed by a cut that is only looked at."""
ENDED = 0.01
"""And by one that really happens, or a kill."""


class PowerCut(BaseException):
    """The power goes, in the middle of something."""


class Killed(BaseException):
    """The process goes, in the middle of something."""


class History:
    """One history. The same ``seed`` plays the same one, to the byte."""

    def __init__(self, seed: str) -> None:
        self.rng = Random(seed)
        self.steps: list[str] = []
        self.cuts = 0
        kept = self.rng.choice(KEPT_BYTES)
        self.world = World(Tight(kept, FOR_EVER_NS), self.rng.choice((30_000, 60_000)))
        self.world.at_change = self.at_change
        self._lost = 0

    def play(self) -> None:
        """Play to the end."""
        rng = self.rng
        for _ in range(rng.randrange(4, 40)):
            name, act = rng.choices(STEPS, WEIGHTS)[0]
            self.steps.append(name)
            self._guarded(lambda act=act: act(self.world, rng))  # type: ignore[misc]
        self.world.cure()
        self._guarded(self.world.cycle)
        self.check()

    def _guarded(self, act: Callable[[], None]) -> None:
        self.world.loud()
        try:
            act()
        except PowerCut:
            self.steps.append("CUT")
            self._again(lambda: self.world.cut(self.way(), self.rng))
        except Killed:
            self.steps.append("KILLED")
            self._again(self._restart)

    def _again(self, begin: Callable[[], None]) -> None:
        self.world.hush()
        self.world.cure()
        begin()

    def _restart(self) -> None:
        if self.world.flushing:
            self.world.begin_reader()
        self.world.begin_writer()

    def at_change(self) -> None:
        """Look at what a cut would leave here; now and then it really happens."""
        rng = self.rng
        if not self.world.flushing and rng.random() < 0.1:
            self.steps.append("follow")
            self.world.follow()
            if rng.random() < 0.5:
                self.world.flush()
        if rng.random() < CHECKED:
            self.check()
        if rng.random() < ENDED:
            raise rng.choice((PowerCut, PowerCut, Killed))

    def check(self) -> None:
        for _ in range(self.rng.randrange(1, 4)):
            self.cuts += 1
            self.world.check(self.way(), self.rng)

    def way(self) -> Way:
        rng = self.rng
        clock_ns = max(self.world.clock_ns + rng.choice(CLOCKS_NS), 0)
        return Way(rng.choice(NAMES), rng.choice(WAYS), rng.random() < 0.5, clock_ns)


Act = Callable[[World, Random], None]


def _append(world: World, rng: Random) -> None:
    for _ in range(rng.choice((1, 1, 1, 3, 10))):
        big = rng.random() < 0.2
        world.append(rng.choice(LANES), rng.randrange(1, 9), rng.choice((900, 7000)) if big else 0)


def _receipt(world: World, rng: Random) -> None:
    world.ask()
    world.cycle()


def _fail(world: World, rng: Random) -> None:
    fault = rng.choice(tuple(Fault))
    times = rng.choice((1, 2, 3, 1 << 30))
    world.fail(rng.choice(OPERATIONS), fault, rng.choice((0, 0, 1, 2, 5)), times)


def _restart(world: World, rng: Random) -> None:
    world.close_writer()
    world.clock_ns = max(world.clock_ns + rng.choice(CLOCKS_NS), NOW_NS - 10**18)
    world.begin_writer()


def _kill(world: World, rng: Random) -> None:
    world.clock_ns = max(world.clock_ns + rng.choice(CLOCKS_NS), 0)
    world.begin_writer()


def _read(world: World, rng: Random) -> None:
    world.read(rng.choice(LANES), rng.choice((1, 5, 64)))


def _acknowledge(world: World, rng: Random) -> None:
    world.acknowledge(rng.choice(LANES), rng.choice((1, 3, 1 << 30)))


def _rewind(world: World, rng: Random) -> None:
    world.rewind(rng.choice((0.0, 0.5, 5.0)))


CHOICES: dict[str, tuple[int, Act]] = {
    "append": (30, _append),
    "cycle": (20, lambda world, _: world.cycle()),
    "receipt": (15, _receipt),
    "ask": (3, lambda world, _: world.ask()),
    "live": (2, lambda world, _: world.live()),
    "fail": (8, _fail),
    "cure": (6, lambda world, _: world.cure()),
    "restart": (3, _restart),
    "kill": (3, _kill),
    "follow": (8, lambda world, _: world.follow()),
    "read": (8, _read),
    "acknowledge": (6, _acknowledge),
    "flush": (8, lambda world, _: world.flush()),
    "rewind": (2, _rewind),
    "begin_reader": (3, lambda world, _: world.begin_reader()),
}
STEPS = [(name, act) for name, (_, act) in CHOICES.items()]
WEIGHTS = [weight for weight, _ in CHOICES.values()]
