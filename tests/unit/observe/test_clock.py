import time
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from otgate.observe import clock
from otgate.observe.clock import ClockWatch, Kernel, kernel
from otgate.observe.metrics import (
    CLOCK_DOUBTED,
    CLOCK_ERROR,
    CLOCK_STEPPED,
    CLOCK_STEPS,
    CLOCK_SYNCHRONISED,
)

NOON_2026 = 1_790_000_000 * 10**9
DAY_S = 86_400.0


class Clocks:
    """A wall clock that can be set, beside one that cannot."""

    def __init__(self, wall_ns: int = NOON_2026, **more: Any) -> None:
        self.wall_ns, self.steady_ns = wall_ns, 50 * 10**9
        self.watch = ClockWatch(lambda: self.wall_ns, lambda: self.steady_ns, **more)

    def pass_(self, seconds: float, step_s: float = 0.0) -> None:
        """Let time pass, and let somebody set the clock meanwhile."""
        self.steady_ns += round(seconds * 1e9)
        self.wall_ns += round((seconds + step_s) * 1e9)

    @property
    def doubtful(self) -> bool:
        return self.watch.doubtful(self.wall_ns)

    def told(self) -> dict[str, float]:
        return {metric.name: value for metric, _, value in self.watch.found()}


@pytest.fixture(autouse=True)
def nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the kernel nor timesyncd says anything, unless a test lets them."""
    monkeypatch.setattr(clock, "kernel", lambda: None)
    monkeypatch.setattr(clock, "TIMESYNC", Path("/nowhere/at/all"))


def says(monkeypatch: pytest.MonkeyPatch, *, synchronised: bool) -> None:
    monkeypatch.setattr(clock, "kernel", lambda: Kernel(synchronised, 0.02))


@pytest.mark.parametrize("step_s", [-3600.0, DAY_S, -DAY_S, -1.0, 0.6])
def test_a_step_is_counted_and_said_with_its_length(step_s: float) -> None:
    clocks = Clocks()
    with capture_logs() as logs:
        clocks.pass_(1.0, step_s)
        clocks.watch.look()
        clocks.pass_(1.0)
        clocks.watch.look()
    assert [entry["by_s"] for entry in logs if entry["event"] == "clock_stepped"] == [step_s]
    assert clocks.told()[CLOCK_STEPS.name] == 1
    assert clocks.told()[CLOCK_STEPPED.name] == pytest.approx(step_s)


def test_the_first_stamp_after_a_step_is_doubted_already() -> None:
    clocks = Clocks()
    assert not clocks.doubtful
    clocks.pass_(0.01, -DAY_S)
    assert clocks.doubtful
    assert clocks.told()[CLOCK_DOUBTED.name] == 1


def test_a_step_is_doubted_for_ten_minutes_where_nobody_says_more() -> None:
    clocks = Clocks()
    clocks.pass_(1.0, 5.0)
    assert clocks.doubtful
    clocks.pass_(599.0)
    clocks.watch.look()
    assert clocks.doubtful
    clocks.pass_(1.0)
    clocks.watch.look()
    assert not clocks.doubtful


def test_a_step_is_doubted_until_the_system_says_that_it_is_in_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clocks = Clocks()
    says(monkeypatch, synchronised=False)
    clocks.pass_(1.0, 5.0)
    assert clocks.doubtful
    says(monkeypatch, synchronised=True)
    with capture_logs() as logs:
        clocks.watch.look()
    assert not clocks.doubtful
    assert [entry["event"] for entry in logs] == ["clock_trusted"]


def test_a_start_in_1970_is_doubted_until_the_clock_is_set() -> None:
    clocks = Clocks(wall_ns=30 * 10**9)
    assert clocks.doubtful
    assert clocks.watch.doubt == "it shows a time before 2026-01-01 00:00 UTC"
    clocks.pass_(1.0, NOON_2026 / 1e9)
    clocks.watch.look()
    assert clocks.watch.doubt.startswith("it stepped by ")
    clocks.pass_(601.0)
    clocks.watch.look()
    assert not clocks.doubtful


def test_a_time_that_has_passed_already_is_doubted() -> None:
    assert Clocks(passed_ns=NOON_2026 + 1).doubtful
    assert not Clocks(passed_ns=NOON_2026).doubtful


@pytest.mark.parametrize("told", [True, False, None])
def test_checked_asks_the_system(monkeypatch: pytest.MonkeyPatch, *, told: bool | None) -> None:
    if told is not None:
        says(monkeypatch, synchronised=told)
    assert Clocks(checked=True).doubtful is not bool(told)
    assert not Clocks().doubtful


def test_slewing_sleep_and_a_late_look_are_no_steps() -> None:
    clocks = Clocks()
    for _ in range(1000):
        clocks.pass_(1.0, step_s=500e-6)
        clocks.watch.look()
    clocks.pass_(900.0)
    assert not clocks.doubtful
    assert clocks.watch.steps == 0


def test_the_clocks_of_this_machine_go_together() -> None:
    watch = ClockWatch()
    watch.look()
    assert watch.steps == 0
    assert not watch.doubtful(time.time_ns())


def test_what_the_kernel_tells_is_possible() -> None:
    told = kernel()
    if told is None:
        pytest.skip("a sandbox keeps adjtimex(2) from us")
    assert 0 <= told.error_bound_s < 3600


def test_what_the_kernel_tells_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "kernel", lambda: Kernel(synchronised=True, error_bound_s=0.02))
    told = Clocks().told()
    assert (told[CLOCK_SYNCHRONISED.name], told[CLOCK_ERROR.name]) == (1, 0.02)


@pytest.mark.parametrize(
    ("made", "expected"), [([], None), (["x"], 0), (["x", "x/synchronized"], 1)]
)
def test_where_the_kernel_is_out_of_reach_timesyncd_is_asked_or_nothing_said(
    made: list[str], expected: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "kernel", lambda: None)
    monkeypatch.setattr(clock, "TIMESYNC", tmp_path / "x" / "synchronized")
    for name in made:
        (tmp_path / name).mkdir()
    told = Clocks().told()
    assert told.get(CLOCK_SYNCHRONISED.name) == expected
    assert CLOCK_ERROR.name not in told
