"""Directories of a spool, as a hardened service makes them."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

STRACE = shutil.which("strace")
REFUSED = "chmod,fchmod,fchmodat:error=EPERM"
MAKE = """
import os, sys, pathlib
from otgate.spool.files import OperatingSystem
os.umask(int(sys.argv[2], 8))
OperatingSystem().mkdir(pathlib.Path(sys.argv[1]))
"""


def made(path: Path, umask: str, *before: str) -> subprocess.CompletedProcess[str]:
    command = [*before, sys.executable, "-c", MAKE, str(path), umask]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def modes(path: Path) -> list[int]:
    return [stat.S_IMODE(each.stat().st_mode) for each in (path.parent, path)]


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """A spool that is to be, in a directory like the one that `otgate install` makes."""
    parent = tmp_path / "spool"
    parent.mkdir()
    parent.chmod(0o2750)
    return parent / "analytics" / "data"


@pytest.mark.skipif(STRACE is None, reason="no strace (apt-get install strace)")
@pytest.mark.skipif(os.geteuid() != 0, reason="tracing may need root")
def test_where_no_mode_may_be_set_the_units_umask_suffices(spool: Path) -> None:
    done = made(spool, "027", str(STRACE), "-f", "-o", os.devnull, "-e", f"inject={REFUSED}")
    assert done.returncode == 0, done.stderr
    assert modes(spool) == [0o2750, 0o2750]


@pytest.mark.parametrize("umask", ["000", "077"])
def test_any_other_umask_makes_the_same(spool: Path, umask: str) -> None:
    assert made(spool, umask).returncode == 0
    assert modes(spool) == [0o2750, 0o2750]
