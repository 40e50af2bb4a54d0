import io
import json
import os
import subprocess
import sys

import pytest
import structlog

from otgate.observe.logs import LogForm, configure


def test_a_json_line_carries_time_level_side_and_fields(capsys: pytest.CaptureFixture[str]) -> None:
    configure(LogForm.JSON, side="field")
    structlog.get_logger().warning("device_lost", device="f1", retry_in_s=4.2)
    line = json.loads(capsys.readouterr().err)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "device_lost",
        "device": "f1",
        "retry_in_s": 4.2,
        "level": "warning",
        "side": "field",
    }


def test_the_console_form_has_no_colours_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    configure(LogForm.CONSOLE)
    structlog.get_logger().info("device_back", device="f1")
    written = capsys.readouterr().err
    assert "device_back" in written
    assert "\x1b" not in written


def test_a_level_hides_what_lies_below_it(capsys: pytest.CaptureFixture[str]) -> None:
    configure(LogForm.JSON, level="warning")
    structlog.get_logger().info("quiet")
    assert capsys.readouterr().err == ""


def test_a_closed_standard_error_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    configure(LogForm.JSON)
    for gone in (closed, None):
        monkeypatch.setattr(sys, "stderr", gone)
        structlog.get_logger().error("unheard")


def test_a_pipe_that_nobody_reads_stops_nothing() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    code = (
        "from otgate.observe.logs import *; import structlog; configure(LogForm.JSON);"
        "[structlog.get_logger().info('unheard') for _ in range(9)]; print('alive')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], stderr=write_end, stdout=subprocess.PIPE, check=False
    )
    os.close(write_end)
    assert done.stdout == b"alive\n"


def test_nothing_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    configure(LogForm.JSON)
    structlog.get_logger().error("loud")
    assert capsys.readouterr().out == ""
