"""Giving up the rights of root, also where a service manager refuses the call for it."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from confined import needs_landlock

STRACE, SETPRIV = shutil.which("strace"), shutil.which("setpriv")
REFUSED = ["-f", "-o", os.devnull, "-e", "trace=capset", "-e", "inject=capset:error=EPERM"]
CONFINED = """
import json
from otgate.sandbox.confine import confine
from otgate.sandbox.needs import Needs
held = confine(Needs([], []))
print(json.dumps([list(held.by), list(held.lacking)]))
"""

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to give up"),
    pytest.mark.skipif(not (STRACE and SETPRIV), reason="no strace (apt-get install strace)"),
]


def held(*before: str) -> list[list[str]]:
    """What confines a process that may not call capset, and what does not."""
    command = [*before, str(STRACE), *REFUSED, sys.executable, "-c", CONFINED]
    env = {"OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=env)
    found: list[list[str]] = json.loads(done.stdout)
    return found


def test_who_has_none_asks_for_nothing_that_a_unit_refuses() -> None:
    needs_landlock()
    by, lacking = held(str(SETPRIV), "--bounding-set=-all", "--inh-caps=-all")
    assert [word.split()[0] for word in by] == ["Landlock", "a"]
    assert lacking == []


def test_rights_that_stay_are_said_and_the_rest_is_confined_all_the_same() -> None:
    needs_landlock()
    by, lacking = held()
    assert [word.split()[0] for word in by] == ["Landlock", "a"]
    assert lacking == ["the rights of root are kept: Operation not permitted"]
