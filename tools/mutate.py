"""Break the policy package in small ways, one at a time, and see whether a test notices.

Run it: python tools/mutate.py [MODULE…], such as `decide globs`; `make mutation` takes all modules.
The tests are collected once and run once, to learn which of them run which line. A mutant is then a
fork of that process: it takes the broken function for the whole one and runs the tests that reach
the broken line, quick ones first. Code that runs before the first test does, or cannot be put into
a function that is there, is broken before the tests are collected. `survivors.toml` beside this
file says of mutants that nothing notices why that is right. The exit code is 1 for any other
survivor, and for an explanation of none.

No verdict depends on how busy the machine is: no test has a time limit but in CPU, and examples are
drawn alike each time. A mutant that waits for ever is not judged, which is a failure.
"""

import argparse
import gc
import importlib.util
import json
import mmap
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import FunctionType, ModuleType
from typing import NamedTuple, NoReturn

import coverage
import msgspec
import numpy as np
import pydantic
import pytest
import yaml
from mutants import Mutant, code_of, mutants

WARM = (msgspec, np, pydantic, yaml)
"""Loaded once, before the forks."""

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "gateway/otgate/policy"
EXPLAINED = Path(__file__).parent / "survivors.toml"

TESTS = ("tests/unit/policy", "tests/property/test_policy*.py", "tests/unit/cli/test_policy*.py")
QUIET = ("-q", "-s", "-o", "timeout=0", "-m", "not slow")

SLACK_S, SLACK = 5, 20
"""CPU that a test may take of a mutant: seconds more, and times as much, as it does of none."""
STUCK_S = 1800
"""A mutant that takes longer by the clock waits for something."""

MEMORY = 4 << 30
"""Octets of address space; what asks for more fails."""


class Verdict(IntEnum):
    """What becomes of a mutant; the exit code of its process."""

    SURVIVED = 0
    NOTICED = 1
    UNENDING = 3
    UNJUDGED = 4


class Reach(NamedTuple):
    """What the tests do where nothing is broken."""

    tests: dict[str, dict[int, frozenset[str]]]
    """By module and line, who runs it; an empty name stands for the time before any test."""
    cpu_s: dict[str, float]
    """By test, in the order of the files."""

    def is_early(self, mutant: Mutant) -> bool:
        """Tell whether the broken statement runs before any test does."""
        return "" in self._running(mutant.module, mutant.lines)

    def of(self, mutant: Mutant) -> frozenset[str]:
        """Return the tests that run the broken statement; those of its module if it is early."""
        early = self.is_early(mutant)
        lines = self.tests.get(mutant.module, {}) if early else mutant.lines
        return self._running(mutant.module, lines) - {""}

    def _running(self, module: str, lines: Iterable[int]) -> frozenset[str]:
        running = self.tests.get(module, {})
        return frozenset().union(*(running.get(line, frozenset()) for line in lines))


Loop = Callable[[pytest.Session], None]


class Warm:
    """A pytest plug-in that collects the tests, then leaves them to ``loop``."""

    def __init__(self, loop: Loop, failed: Callable[[], None]) -> None:
        self.loop = loop
        self.failed = failed

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Draw the same examples each time, and do not look for smaller ones."""
        from hypothesis import Phase, settings  # noqa: PLC0415  pytest has to load it first

        phases = (Phase.explicit, Phase.generate)
        busy = settings.get_profile("busy")
        settings.register_profile("same", busy, derandomize=True, phases=phases)
        settings.load_profile("same")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run ``loop`` in place of every test after the other."""
        self.loop(session)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Say at once that a test fails."""
        if report.failed:
            self.failed()


def tests(loop: Loop, failed: Callable[[], None]) -> int:
    """Collect the tests of the policy and run ``loop``."""
    files = [str(path) for glob in TESTS for path in sorted(ROOT.glob(glob))]
    return pytest.main([*QUIET, *files], plugins=[Warm(loop, failed)])


def run(item: pytest.Item) -> None:
    """Run one test with its fixtures."""
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)


def learn(to: Path) -> None:
    """Run every test as it is and write which lines it reaches; exit 1 if one fails."""
    watch = coverage.Coverage(data_file=None, include=[f"{PACKAGE}/*"], config_file=False)
    cpu_s: dict[str, float] = {}

    def loop(session: pytest.Session) -> None:
        for item in session.items:
            forget()
            watch.switch_context(item.nodeid)
            begun = time.process_time()
            run(item)
            cpu_s[item.nodeid] = time.process_time() - begun
            watch.switch_context("")

    watch.start()
    if tests(loop, lambda: os._exit(1)):
        os._exit(1)
    watch.stop()
    held = {path.stem: watch.get_data().contexts_by_lineno(str(path)) for path in modules()}
    to.write_text(json.dumps([held, cpu_s]), encoding="utf-8")


def forget() -> None:
    """Empty the caches of the package: who asks again has to run the lines again."""
    for name, module in [*sys.modules.items()]:
        for value in vars(module).values() if name.startswith("otgate.policy.") else ():
            getattr(value, "cache_clear", int)()


def modules() -> list[Path]:
    """Return the files of the package but for its `__init__`."""
    return sorted(PACKAGE.glob("[a-z]*.py"))


def reach() -> Reach:
    """Return which tests run which lines, learned in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        to = Path(folder, "reach.json")
        child = fork(folder, lambda: learn(to))
        if os.waitpid(child, 0)[1] or not to.exists():
            sys.exit("the tests fail without a mutant")
        held, cpu_s = json.loads(to.read_text(encoding="utf-8"))
    by_line = {
        module: {int(line): frozenset(names) for line, names in lines.items()}
        for module, lines in held.items()
    }
    return Reach(by_line, cpu_s)


def fork(folder: str, work: Callable[[], None]) -> int:
    """Run ``work`` in a silent child with its files in ``folder``; it ends 0 unless told else."""
    child = os.fork()
    if child:
        return child
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    os.environ["PYTEST_DEBUG_TEMPROOT"] = folder
    status: int = Verdict.UNJUDGED
    try:
        work()
        status = Verdict.SURVIVED
    finally:
        os._exit(status)


class Trial:
    """One mutant in a process of its own."""

    def __init__(self, mutant: Mutant, order: Sequence[str], allowed_s: Sequence[float]) -> None:
        self.mutant = mutant
        self.order = order
        self.allowed_s = allowed_s
        self.folder = tempfile.mkdtemp(prefix="mutate-")
        self.at = mmap.mmap(-1, 4)
        """The number of the test that is run, for the parent to see."""

    def judge(self, session: pytest.Session) -> NoReturn:
        """Run the tests in order until one fails."""
        by_name = {item.nodeid: item for item in session.items}
        signal.signal(signal.SIGPROF, lambda *_: os._exit(Verdict.UNENDING))
        for number, (name, allowed_s) in enumerate(zip(self.order, self.allowed_s, strict=True)):
            self.at[:] = number.to_bytes(4)
            signal.setitimer(signal.ITIMER_PROF, allowed_s)
            run(by_name[name])
        os._exit(Verdict.SURVIVED)

    def limit(self) -> None:
        """Bound what the process takes; the first bound of CPU is that of `judge`."""
        cpu_s = round(sum(self.allowed_s)) + 60
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(STUCK_S)

    def verdict(self, status: int) -> tuple[Verdict, str]:
        """Return what became of it, and which test said so."""
        shutil.rmtree(self.folder, ignore_errors=True)
        code = os.waitstatus_to_exitcode(status)
        ended_by = {-signal.SIGALRM: Verdict.UNJUDGED, -signal.SIGXCPU: Verdict.UNENDING}
        said = ended_by.get(code) or (Verdict.NOTICED if code < 0 else Verdict(code))
        return said, self.order[int.from_bytes(self.at)] if self.order else ""


class Runner:
    """Runs mutants, some at a time, and learns which tests notice what."""

    def __init__(self, known: Reach, jobs: int, *, verbose: bool) -> None:
        self.known = known
        self.jobs = jobs
        self.verbose = verbose
        self.keen: dict[tuple[str, str], list[str]] = defaultdict(list)
        """By module and function, the tests that noticed something there, the last one last."""
        self.found: dict[Mutant, Verdict] = {}

    def trial(self, mutant: Mutant) -> Trial:
        """Return how ``mutant`` is tried: by those who noticed its like, then by quick ones."""
        keen = self.keen[mutant.module, mutant.function]
        cpu_s = self.known.cpu_s
        order = sorted(
            self.known.of(mutant), key=lambda name: (name not in keen, cpu_s[name], name)
        )
        return Trial(mutant, order, [SLACK_S + SLACK * cpu_s[name] for name in order])

    def run(self, waiting: Sequence[Mutant], begin: Callable[[Trial], int]) -> None:
        """Try all of ``waiting``."""
        running: dict[int, Trial] = {}
        for mutant in waiting:
            trial = self.trial(mutant)
            running[begin(trial)] = trial
            if len(running) >= self.jobs:
                self.end_one(running)
        while running:
            self.end_one(running)

    def end_one(self, running: dict[int, Trial]) -> None:
        """Wait for the next of ``running`` and keep its verdict."""
        child, status = os.wait()
        trial = running.pop(child)
        verdict, by = trial.verdict(status)
        mutant = trial.mutant
        self.found[mutant] = verdict
        if verdict is Verdict.NOTICED:
            self.keen[mutant.module, mutant.function].append(by)
        if verdict is not Verdict.NOTICED or self.verbose:
            by = f"  {by}" if self.verbose else ""
            print(f"{verdict.name.lower():9} {mutant.module}.py:{mutant.line}  {mutant.name}{by}")

    def cold(self, waiting: Sequence[Mutant]) -> None:
        """Try mutants of code that runs before the first test: broken before it is loaded."""

        def begin(trial: Trial) -> int:
            def work() -> None:
                trial.limit()
                sys.meta_path.insert(0, Broken(trial.mutant))
                tests(trial.judge, lambda: os._exit(Verdict.NOTICED))
                os._exit(Verdict.NOTICED)  # the tests cannot even be collected

            return fork(trial.folder, work)

        self.run(waiting, begin)

    def warm(self, waiting: Sequence[Mutant]) -> None:
        """Try mutants of code that nothing has run when the first test begins."""

        def loop(session: pytest.Session) -> None:
            whole = functions()
            gc.freeze()

            def begin(trial: Trial) -> int:
                def work() -> None:
                    trial.limit()
                    put(trial.mutant, whole)
                    trial.judge(session)

                return fork(trial.folder, work)

            self.run(waiting, begin)

        if tests(loop, lambda: os._exit(Verdict.NOTICED)):
            sys.exit("the tests cannot be collected")


def functions() -> dict[tuple[str, str], list[FunctionType]]:
    """Return all functions of the package by module and name."""
    found: dict[tuple[str, str], list[FunctionType]] = defaultdict(list)
    for one in gc.get_objects():
        if isinstance(one, FunctionType) and Path(one.__code__.co_filename).parent == PACKAGE:
            module = Path(one.__code__.co_filename).stem
            found[module, one.__code__.co_qualname].append(one)
    return found


def put(mutant: Mutant, whole: dict[tuple[str, str], list[FunctionType]]) -> None:
    """Break a function, and those made by it, for everybody who holds one."""
    for (module, name), held in whole.items():
        if module == mutant.module and f"{name}.".startswith(f"{mutant.function}."):
            for function in held:
                function.__code__ = code_of(mutant.code, name)


class Broken:
    """Finds one module broken, and every other as it is."""

    def __init__(self, mutant: Mutant) -> None:
        self.name = f"otgate.policy.{mutant.module}"
        self.code = mutant.code

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        """Return how to load the broken module."""
        return importlib.util.spec_from_loader(name, self) if name == self.name else None  # type: ignore[arg-type]  # duck-typed, as importlib takes it

    def create_module(self, _: ModuleSpec) -> None:
        """Leave the module object to importlib."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the broken code in ``module``."""
        exec(self.code, vars(module))  # noqa: S102  that is the point


def report(found: dict[Mutant, Verdict]) -> int:
    """Say how many mutants of each module end how, and what is wrong; return the exit code."""
    explained = tomllib.loads(EXPLAINED.read_text(encoding="utf-8"))
    left = {mutant.name for mutant, verdict in found.items() if verdict is Verdict.SURVIVED}
    ran = {mutant.module for mutant in found}
    counted = Counter((mutant.module, verdict) for mutant, verdict in found.items())
    for module in sorted(ran):
        said = (f"{counted[module, verdict]:5} {verdict.name.lower()}" for verdict in Verdict)
        print(f"{module:12}", *said)
    idle = sorted(name for name in explained.keys() - left if name.split(".")[0] in ran)
    odd = sorted(left - explained.keys())
    unjudged = Verdict.UNJUDGED in found.values()
    print(f"{len(found)} mutants, {len(left)} names survive, {len(odd)} of them unexplained")
    for name in idle:
        print(f"explained, but noticed or gone: {name}")
    for name in odd:
        print(f"unexplained: {name}")
    return 1 if odd or idle or unjudged else 0


def main() -> int:
    """Break what is asked for, and say what nothing noticed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", help="all but __init__ where none is named")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--like", default="", help="only mutants whose name has this in it")
    parser.add_argument("--verbose", action="store_true", help="say which test noticed what")
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a forked child repeats what is buffered
    wanted = options.modules or [path.stem for path in modules()]
    everything = [mutant for name in wanted for mutant in mutants(PACKAGE / f"{name}.py")]
    chosen = [mutant for mutant in everything if options.like in mutant.name]
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = folder
        runner = Runner(reach(), options.jobs, verbose=options.verbose)
        warm = [one for one in chosen if one.in_place and not runner.known.is_early(one)]
        runner.cold([one for one in chosen if one not in warm])
        runner.warm(warm)
    return report(runner.found)


if __name__ == "__main__":
    sys.exit(main())
