"""Deeds that are tried in a sandbox: a process of its own enters it, and says what came of them."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from otgate.sandbox.landlock import version

HEAD = """\
import errno, json, os, socket, sys
from pathlib import Path
from otgate.sandbox.confine import confine
from otgate.sandbox.needs import Needs

def tried(deed):
    try:
        exec(deed, globals())
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
    return "done"

needs, deeds = json.load(sys.stdin)
paths = {kind: [Path(path) for path in needs.pop(kind, ())] for kind in ("read", "write")}
ports = {kind: frozenset(needs.pop(kind, ())) for kind in ("connect", "listen")}
held = confine(Needs(paths["read"], paths["write"], **ports, **needs))
json.dump([held.lacking, {deed: tried(deed) for deed in deeds}], sys.stdout)
"""


def needs_landlock(abi: int = 6) -> None:
    """Skip the test where the kernel cannot withhold what it looks at."""
    if version() < abi:
        pytest.skip(f"this kernel has no Landlock, or an older one than version {abi}")


def deeds(*texts: str, **needs: object) -> Mapping[str, str]:
    """Try each deed, a line of Python, in a sandbox: `done`, or the name of its error."""
    done = subprocess.run(
        [sys.executable, "-c", HEAD],
        input=json.dumps([needs, texts], default=str),
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent,
        env={"OPENBLAS_NUM_THREADS": "1"},
    )
    lacking, found = json.loads(done.stdout)
    assert lacking == []
    return dict(found)
