import asyncio
import json
import os
import time
from pathlib import Path

import pytest

from otgate.cli import main
from otgate.observe.control import serve

NOW_NS = time.time_ns()
SAID = {
    "side": "field",
    "error": None,
    "devices": {
        "f1": {"state": "lost", "since_ns": NOW_NS - 3_000_000_000, "last_good_ns": 0, "error": ""}
    },
}


async def shown(folder: Path, *options: str) -> int:
    async with serve(folder / "run" / "field.sock", {"status": lambda _: SAID}):
        return await asyncio.to_thread(main, ["status", str(folder), *options])


async def test_a_person_reads_how_long_ago_things_were(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await shown(tmp_path) == 0
    [row] = [line for line in capsys.readouterr().out.splitlines() if "f1" in line]
    assert row.split()[:2] == ["f1", "state=lost"]
    assert "s ago" in row
    assert "last_good=never" in row
    assert "_ns" not in row
    assert "error" not in row


async def test_a_program_reads_every_value(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await shown(tmp_path, "--format", "json") == 0
    assert json.loads(capsys.readouterr().out) == {"field": SAID}


def test_nothing_running_is_said_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", str(tmp_path)]) == 1
    assert "nothing runs" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() != 0, reason="taking another user's part needs root")
def test_a_closed_directory_is_said_to_be_closed_and_to_whom_it_is_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    os.seteuid(65534)
    try:
        assert main(["status", "--control", str(tmp_path / "run")]) == 1
    finally:
        os.seteuid(0)
    said = capsys.readouterr().err
    assert "closed to you: be root, or in its group" in said
    assert "usermod -aG otgate-admin" in said


def test_a_socket_that_nobody_answers_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "field.sock").touch()
    assert main(["status", str(tmp_path)]) == 1
    assert "does not answer" in capsys.readouterr().out


async def test_what_a_device_says_moves_no_cursor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = {"error": "\x1b[2Jgone", "devices": {"f1": {"error": "\x1b]0;title\x07\r\nfine"}}}
    async with serve(tmp_path / "run" / "field.sock", {"status": lambda _: said}):
        await asyncio.to_thread(main, ["status", str(tmp_path)])
    assert all(line.isprintable() for line in capsys.readouterr().out.split("\n"))
