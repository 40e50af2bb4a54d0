import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from otgate.observe import clock
from otgate.observe.clock import STEP_S, ClockWatch, Kernel, kernel
from otgate.observe.metrics import CLOCK_ERROR, CLOCK_STEPPED, CLOCK_STEPS, CLOCK_SYNCHRONISED


class Clocks:
    """A wall clock that can be set, beside one that cannot."""

    def __init__(self) -> None:
        self.wall_s, self.steady_s = 1e9, 50.0
        self.watch = ClockWatch(lambda: self.wall_s, lambda: self.steady_s)

    def pass_(self, seconds: float, step_s: float = 0.0) -> None:
        self.steady_s += seconds
        self.wall_s += seconds + step_s
        self.watch.look()

    def told(self) -> dict[str, float]:
        return {metric.name: value for metric, _, value in self.watch.found()}


def test_a_step_is_counted_and_said_with_its_length() -> None:
    clocks = Clocks()
    with capture_logs() as logs:
        clocks.pass_(1.0, step_s=-3600.0)
        clocks.pass_(1.0)
    assert [(entry["event"], entry["by_s"]) for entry in logs] == [("clock_stepped", -3600.0)]
    assert clocks.told()[CLOCK_STEPS.name] == 1
    assert clocks.told()[CLOCK_STEPPED.name] == pytest.approx(-3600.0)


def test_slewing_and_a_late_look_are_no_steps() -> None:
    clocks = Clocks()
    for _ in range(1000):
        clocks.pass_(1.0, step_s=500e-6)
    clocks.pass_(900.0)
    assert clocks.watch.steps == 0


def test_the_clocks_of_this_machine_go_together() -> None:
    watch = ClockWatch()
    watch.look()
    assert watch.steps == 0
    assert abs(watch._apart_s - (time.time() - time.clock_gettime(time.CLOCK_BOOTTIME))) < STEP_S


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
