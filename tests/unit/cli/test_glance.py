from collections.abc import Mapping
from typing import Any

from otgate.cli.glance import Look, lines
from statuses import bus, device, field

WIDE, HIGH = 200, 50


def shown(
    now: Mapping[str, Any], before: Mapping[str, Any] | None, height: int = HIGH
) -> list[str]:
    earlier = None if before is None else Look(95.0, before)
    return list(lines(Look(100.0, now), earlier, WIDE, height))


def row(told: list[str], first: str) -> list[str]:
    (found,) = [line for line in told if line.split()[:1] == [first]]
    return found.split()


def test_counts_are_told_as_what_they_grew_by_each_second() -> None:
    told = shown(
        {"field": field({"f1": device(scans=35)}, samples=200), "bus-analytics": bus(samples=100)},
        {"field": field({"f1": device()}), "bus-analytics": bus()},
    )
    assert row(told, "f1") == ["f1", "good", "2.0", "s", "5.0", "0", "0", "0.0", "75", "%"]
    in_spool, at_broker = [line.split() for line in told if line.startswith("analytics")]
    assert in_spool == ["analytics", "yes", "8", "20.0", "0.0", "0", "2.5", "writing"]
    assert at_broker[:4] == ["analytics", "yes", "10.0", "0.0"]


def test_a_first_look_and_a_side_that_began_anew_tell_no_rate() -> None:
    now = {"field": field({"f1": device(scans=3)})}
    assert row(shown(now, None), "f1")[4] == "-"
    assert row(shown(now, {"field": field({"f1": device(scans=9)})}), "f1")[4] == "-"
    assert row(shown(now, {"field": field({})}), "f1")[4] == "-"


def test_what_is_not_well_comes_first_and_what_finds_no_room_is_counted() -> None:
    devices = {f"f{number}": device() for number in range(60)}
    devices["z"] = device("lost", last_good_ns=0, error="no route to host")
    told = shown({"field": field(devices), "bus-analytics": bus()}, None, height=20)
    assert len(told) == 20
    assert told[1].split()[:3] == ["z", "lost", "never"]
    assert told[1].endswith("no route to host")
    (more,) = [line for line in told if line.startswith("and ")]
    assert more == f"and {61 - (told.index(more) - 1)} more"
    assert "connected" in told[-2]


def test_a_shut_conduit_says_why_and_a_lost_broker_too() -> None:
    told = shown(
        {
            "field": field({}, shut="stopped by ann"),
            "bus-analytics": bus(connected=False, error="connection refused"),
        },
        None,
    )
    assert told[-1].endswith("connection refused")
    assert any(line.endswith("stopped by ann") for line in told)


def test_a_side_that_is_silent_is_named_and_the_others_shown() -> None:
    told = shown({"bus-analytics": bus(), "field": {"does not answer": "nobody at x.sock"}}, None)
    assert told[-1] == "field: nobody at x.sock"
    assert row(told, "analytics")[1] == "yes"


def test_what_a_device_says_moves_no_cursor_and_breaks_no_line() -> None:
    error = "\x1b[2J\x1b]0;title\x07gone\r\nfield: fine"
    told = shown({"field": field({"f1": device("lost", error=error)})}, None)
    assert all(line.isprintable() for line in told)
    assert len(told) == 5


def test_lines_are_cut_to_the_terminal() -> None:
    told = lines(Look(1.0, {"field": field({"f1": device(error="e" * 300)})}), None, 40, 20)
    assert max(map(len, told)) == 40
