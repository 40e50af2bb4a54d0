"""A side's own sandbox: what is required, and what was made after it."""

import subprocess
import sys
from pathlib import Path

import pytest

from confined import needs_landlock
from daemons import write_site
from otgate.app.confinement import shut_out

WITHOUT = [sys.executable, str(Path(__file__).parents[2] / "without_landlock.py")]

CODE = """\
import asyncio, sys
from pathlib import Path
from otgate.app.confinement import Outgrown, enter, staying
from otgate.sandbox.needs import Needs
spool = Path(sys.argv[1])
print(enter(Needs(read=[spool]), "required"), flush=True)
try:
    asyncio.run(staying([spool, spool / "none"]))
except Outgrown as why:
    print(why)
"""


def side(*words: str, prefix: tuple[str, ...] = ()) -> tuple[int, str]:
    command = [*prefix, sys.executable, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, (done.stdout + done.stderr).strip()


@pytest.mark.parametrize("which", [pytest.param("field", marks=pytest.mark.slow), "bus"])
def test_a_side_that_requires_a_sandbox_does_not_start_without(tmp_path: Path, which: str) -> None:
    site = write_site(tmp_path, 1883)
    file = site / ("site.yaml" if which == "field" else "bus/analytics.yaml")
    file.write_text(file.read_text() + "sandbox: required\n")
    verb = ["run", str(site), "--field"] if which == "field" else ["bus", str(file)]
    (site / "spool/analytics").mkdir(parents=True)
    code, said = side("-m", "otgate", *verb, prefix=tuple(WITHOUT))
    assert code == 78
    assert said.startswith("otgate: `sandbox: required` cannot be had here: Landlock: no file is")
    assert "Traceback" not in said


def test_what_was_made_after_the_sandbox_ends_the_side(tmp_path: Path) -> None:
    needs_landlock()
    spool = tmp_path / "spool"
    spool.mkdir()
    command = [sys.executable, "-c", CODE, str(spool)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Landlock")
        spool.rename(tmp_path / "old")
        spool.mkdir()
        told = process.communicate(timeout=30)[0]
    assert told == f"{spool} was made after the sandbox, which keeps it from this side\n"


def test_what_nobody_shuts_is_not_shut_out(tmp_path: Path) -> None:
    assert not shut_out(tmp_path)
    assert not shut_out(tmp_path / "none")
    (tmp_path / "closed").mkdir(mode=0)
    assert not shut_out(tmp_path / "closed")
