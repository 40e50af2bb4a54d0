from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog

from otgate.app.shutters import KEEP_S, JudgedClock, Shutters, Stops
from policies import allow, policy

HELD = replace(policy(allow()), valid_until="2027-11-30")


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


class Clocks:
    """The system's clock and one that only goes on, set by hand."""

    def __init__(self, now: str) -> None:
        self.now_ns, self.now_s = at(now), 0.0

    def shutters(self, directory: Path) -> Shutters:
        return Shutters(directory, lambda: self.now_ns, lambda: self.now_s)

    def judged(self, directory: Path) -> JudgedClock:
        return JudgedClock(directory, lambda: self.now_ns, lambda: self.now_s)


def test_a_stop_holds_over_restarts_and_a_start_undoes_it(tmp_path: Path) -> None:
    Stops(tmp_path).stop("analytics", "root")
    assert Stops(tmp_path).why("analytics") == "root"
    assert Stops(tmp_path).why("operations") == ""
    Stops(tmp_path).start("analytics")
    assert Stops(tmp_path).why("analytics") == ""


def test_where_it_cannot_be_read_what_was_stopped_everything_is(tmp_path: Path) -> None:
    (tmp_path / "stopped.json").write_bytes(b"\x00garbage")
    stops = Stops(tmp_path)
    assert stops.why("analytics") == stops.why("any") == "a file that cannot be read"
    stops.start("analytics")
    assert Stops(tmp_path).why("any") == ""


def test_setting_the_clock_back_revives_no_policy(tmp_path: Path) -> None:
    clocks = Clocks("2027-12-01")
    shutters = clocks.shutters(tmp_path)
    clocks.now_s = KEEP_S
    shutters.look(HELD)
    clocks.now_ns = at("2020-01-01")
    for judging in (shutters, clocks.shutters(tmp_path)):
        assert judging.why(HELD, "analytics") == "the policy ended on 2027-11-30"


def test_a_leap_into_the_future_that_is_mended_soon_leaves_no_trace(tmp_path: Path) -> None:
    clocks = Clocks("2099-01-01")
    shutters = clocks.shutters(tmp_path)
    shutters.look(HELD)
    assert shutters.why(HELD, "analytics")
    clocks.now_ns, clocks.now_s = at("2027-01-01"), KEEP_S - 1
    assert shutters.why(HELD, "analytics") == ""


@pytest.mark.parametrize("content", [b"", b"[]", b'{"kept_ns": "soon"}', b"\xff"])
def test_a_clock_file_that_says_nothing_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "clock.json").write_bytes(content)
    assert Clocks("2027-01-01").judged(tmp_path).now_ns() == at("2027-01-01")


def test_the_end_is_said_once_at_each_threshold(tmp_path: Path) -> None:
    clocks = Clocks("2027-08-01")
    shutters = clocks.shutters(tmp_path)
    with structlog.testing.capture_logs() as logs:
        for day in ("2027-08-01", "2027-10-30", "2027-10-31", "2027-11-29", "2027-12-01"):
            clocks.now_ns = at(day)
            shutters.look(HELD)
            shutters.look(HELD)
    told = [(one["event"], one["within_days"]) for one in logs]
    assert told == [("policy_expires", 90), ("policy_expires", 7), ("policy_expired", 0)]
