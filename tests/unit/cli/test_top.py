import asyncio
import os
import pty
import subprocess
import sys
import termios
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from otgate.cli import main
from otgate.cli.top import ENTER, HOME, LEAVE
from otgate.observe.control import Request, serve
from statuses import bus, device, field


@asynccontextmanager
async def sides(folder: Path) -> AsyncIterator[list[int]]:
    """Serve both sides' status; yield how often the field side was asked."""
    asked: list[int] = []

    def status(_: Request) -> dict[str, object]:
        asked.append(1)
        return field({"f1": device(scans=10 * len(asked))})

    async with (
        serve(folder / "run" / "field.sock", {"status": status}),
        serve(folder / "run" / "bus-analytics.sock", {"status": lambda _: bus()}),
    ):
        yield asked


async def test_into_a_pipe_it_looks_twice_and_prints_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otgate.cli.top.ONCE_S", 0.05)
    async with sides(tmp_path) as asked:
        assert await asyncio.to_thread(main, ["top", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert len(asked) == 2
    assert told.count("scans/s") == 1
    assert "\x1b" not in told


def test_nothing_running_is_said_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["top", str(tmp_path)]) == 1
    assert "nothing runs" in capsys.readouterr().err


class Terminal:
    """A terminal on which `otgate top` runs."""

    def __init__(self, folder: Path) -> None:
        self.ours, self.theirs = pty.openpty()
        self.before = termios.tcgetattr(self.theirs)
        self.said = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "otgate", "top", str(folder), "--every", "0.1s"],
            stdin=self.theirs,
            stdout=self.theirs,
            stderr=self.theirs,
            env={**os.environ, "TERM": "xterm"},
            start_new_session=True,
        )

    def read_until(self, words: str, times: int = 1) -> None:
        while self.said.count(words) < times:
            self.said += os.read(self.ours, 65_536).decode()

    def close(self) -> None:
        with suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        os.close(self.ours)
        os.close(self.theirs)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    opened = Terminal(tmp_path)
    yield opened
    opened.close()


async def test_on_a_terminal_it_goes_on_until_q_and_leaves_all_as_it_was(
    tmp_path: Path, terminal: Terminal
) -> None:
    async with sides(tmp_path) as asked:
        await asyncio.to_thread(terminal.read_until, HOME, 4)
        os.write(terminal.ours, b"q")
        await asyncio.to_thread(terminal.read_until, LEAVE)
        assert await asyncio.to_thread(terminal.process.wait, 20) == 0
    assert len(asked) > 2
    assert terminal.said.startswith(ENTER)
    assert termios.tcgetattr(terminal.theirs) == terminal.before
