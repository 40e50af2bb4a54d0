from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from audit_logs import audit, records
from otgate.observe.audit.hearing import HOUR_S, MOST_KINDS, ONE_BY_ONE, Hearing
from otgate.observe.audit.log import Audit
from otgate.observe.logs import LogForm, configure, overheard


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Audit]:
    with audit(tmp_path) as opened:
        yield opened


def recorded(log: Audit, directory: Path) -> list[tuple[str, dict[str, object]]]:
    log.close()
    found = [(record["event"], record["what"]) for record in records(directory)]
    return [each for each in found if each[0] != "checkpoint"]


def test_warnings_and_edges_are_recorded_and_the_rest_is_not(log: Audit, tmp_path: Path) -> None:
    hearing = Hearing(log)
    hearing("warning", "device_lost", {"event": "device_lost", "device": "f1", "exc_info": 1})
    hearing("info", "device_back", {"device": "f1"})
    hearing("info", "field_side_started", {})
    hearing("error", "audit_failing", {})
    told = recorded(log, tmp_path)
    assert told == [("device_lost", {"device": "f1"}), ("device_back", {"device": "f1"})]


def test_what_comes_again_and_again_is_counted_by_device(log: Audit, tmp_path: Path) -> None:
    now_s = [0.0]
    hearing = Hearing(log, lambda: now_s[0])
    for _ in range(ONE_BY_ONE + 7):
        hearing("warning", "device_lost", {"device": "f1"})
    hearing("warning", "device_lost", {"device": "f2"})
    now_s[0] = HOUR_S
    hearing("warning", "device_lost", {"device": "f1"})
    told = recorded(log, tmp_path)
    assert [what["device"] for _, what in told if "device" in what] == [
        *["f1"] * ONE_BY_ONE, "f2", "f1"
    ]  # fmt: skip
    assert told[-2] == ("repeated", {"event": "device_lost", "of": "f1", "more": 7})


def test_what_is_urgent_is_never_merely_counted(log: Audit, tmp_path: Path) -> None:
    hearing = Hearing(log)
    for _ in range(ONE_BY_ONE * 2):
        hearing("warning", "conduit_shut", {"conduit": "analytics"})
    assert len(recorded(log, tmp_path)) == ONE_BY_ONE * 2


def test_names_without_end_take_no_room_without_end(log: Audit, tmp_path: Path) -> None:
    hearing = Hearing(log)
    for number in range(MOST_KINDS + 100):
        hearing("warning", "device_lost", {"device": number})
    assert len(hearing._counts) == MOST_KINDS + 1
    hearing.count_out()
    assert recorded(log, tmp_path)[-1][1]["more"] == 100 - ONE_BY_ONE


def test_a_level_that_hides_an_event_does_not_hide_it_from_a_listener(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure(LogForm.JSON, level="error")
    heard: list[tuple[str, str, object]] = []
    with overheard(lambda level, event, fields: heard.append((level, event, fields["device"]))):
        structlog.get_logger().info("device_back", device="f1")
        structlog.get_logger().debug("polled", device="f1")
    structlog.get_logger().info("device_back", device="f2")
    assert heard == [("info", "device_back", "f1")]
    assert capsys.readouterr().err == ""
