"""What a person sees while something takes long: on a terminal, and nowhere else."""

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import pytest

from otgate.cli import main
from otgate.cli import progress as module
from otgate.cli.progress import Progress, progress
from otgate.config.site import check_sites
from otgate.driver import installed
from otgate.terminal import coloured, rewritable

OTGATE = Path(sys.executable).parent / "otgate"
WHOLE = re.compile(r"working  \[#{6}\.{18}\] 1 of 4  \d+ s")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.0)
    monkeypatch.setattr(module, "EVERY_S", 0.001)
    monkeypatch.setenv("TERM", "xterm")


def await_text(stream: io.StringIO) -> str:
    until = monotonic() + 30
    while not stream.getvalue() and monotonic() < until:
        sleep(0.001)
    return stream.getvalue()


def test_a_bar_shows_how_much_is_done() -> None:
    state = Progress("working")
    assert re.fullmatch(r"working  \d+ s", state.line())
    state("working", 1, 4)
    assert WHOLE.fullmatch(state.line())
    state("working", 40_000, 50_000)
    assert "40,000 of 50,000" in state.line()


@pytest.mark.usefixtures("soon")
def test_a_terminal_sees_it_and_keeps_nothing_of_it() -> None:
    terminal = Terminal()
    with progress("working", terminal) as step:
        step("working", 1, 4)
        told = await_text(terminal)
    assert "working" in told
    assert terminal.getvalue().endswith("\r\x1b[K")


@pytest.mark.usefixtures("soon")
def test_a_pipe_and_a_dumb_terminal_see_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe, terminal = io.StringIO(), Terminal()
    with progress("working", pipe):
        sleep(0.01)
    monkeypatch.setenv("TERM", "dumb")
    with progress("working", terminal):
        sleep(0.01)
    assert pipe.getvalue() == terminal.getvalue() == ""


def test_work_that_ends_within_a_second_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    with progress("working", terminal):
        pass
    assert terminal.getvalue() == ""


@pytest.mark.usefixtures("soon")
def test_work_that_fails_leaves_a_clean_line() -> None:
    terminal = Terminal()
    with pytest.raises(ZeroDivisionError), progress("working", terminal):
        1 / bool(not await_text(terminal))
    assert terminal.getvalue().endswith("\r\x1b[K")


@pytest.mark.parametrize(
    ("term", "no_colour", "rewrites", "colours"),
    [("xterm", "", True, True), ("xterm", "1", True, False), ("dumb", "", False, False)],
)
def test_a_terminals_user_says_what_it_takes(
    term: str, no_colour: str, monkeypatch: pytest.MonkeyPatch, *, rewrites: bool, colours: bool
) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("NO_COLOR", no_colour)
    assert (rewritable(Terminal()), coloured(Terminal())) == (rewrites, colours)
    assert not rewritable(io.StringIO())


def seen_by_a_terminal(directory: Path, **env: str) -> bytes:
    """Return what `otgate check` writes to a terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [OTGATE, "check", directory],
        stdin=theirs, stdout=theirs, stderr=theirs,
        env={**os.environ, "TERM": "xterm", **env},
    ):  # fmt: skip
        os.close(theirs)
        seen = b""
        try:
            while chunk := os.read(ours, 4096):
                seen += chunk
        except OSError:  # the other end is closed
            pass
    os.close(ours)
    return seen


def test_check_tells_which_device_it_is_at(tmp_path: Path) -> None:
    main(["new", "site", str(tmp_path), "--driver", "modbus", "--driver", "dnp3"])
    told: list[tuple[str, int, int]] = []
    site = tmp_path / "site.yaml"
    check_sites([site], installed(), lambda *state: told.append(state))
    devices, judging = f"{site}: devices", f"{site}: what may cross"
    assert told == [(devices, 0, 2), (devices, 1, 2), (judging, 0, 0)]


@pytest.mark.usefixtures("soon")
def test_check_tells_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    main(["new", "site", str(tmp_path)])
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert main(["check", str(tmp_path)]) == 0
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_mistakes_are_coloured_unless_their_reader_takes_no_colours(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text("config_version: 1\n")
    assert b"\x1b[1;31merror" in seen_by_a_terminal(tmp_path)
    plain = seen_by_a_terminal(tmp_path, NO_COLOR="1")
    assert b"error[missing-key]" in plain
    assert b"\x1b[1" not in plain
