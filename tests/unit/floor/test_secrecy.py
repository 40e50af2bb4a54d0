"""Secrets stay with their owner."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from otgate.secrecy import shared

CRASH = "import os; {}; os.abort()"
CLOSED = "from otgate.secrecy import leave_no_core; leave_no_core()"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.touch(mode=0o600)
    return path


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_what_is_the_owners_alone_is_not_shared(key: Path, mode: int) -> None:
    key.chmod(mode)
    assert not shared(key)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_what_others_may_use_is_told_with_the_command_that_mends_it(key: Path, mode: int) -> None:
    key.chmod(mode)
    told = shared(key)
    assert told.endswith(f"run `chmod go= {key}`")
    assert f"(mode {mode:o})" in told
    subprocess.run(told.split("`")[3].split(), check=True)
    assert not shared(key)


def test_what_systemd_handed_over_is_guarded_by_it(
    key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key.chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(key.parent))
    assert not shared(key)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(key.parent / "other"))
    assert shared(key)


def left_a_core(folder: Path, preparation: str) -> bool:
    """Crash a process that may leave a core file of any size."""
    pid = os.fork()
    if pid == 0:
        os.chdir(folder)
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
        os.execv(sys.executable, [sys.executable, "-c", CRASH.format(preparation)])
    return os.WCOREDUMP(os.waitpid(pid, 0)[1])


def test_a_crash_leaves_no_core(tmp_path: Path) -> None:
    if not left_a_core(tmp_path, "pass"):
        pytest.skip("no process leaves a core file on this machine")
    assert not left_a_core(tmp_path, CLOSED)
