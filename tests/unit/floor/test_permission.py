"""A closed file says whose it is and what opens it."""

import errno
import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from otgate.cli import main
from otgate.permission import CONFINED, Use, opened_by, why

NOBODY = 65534


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory that everybody can enter, unlike pytest's own."""
    with TemporaryDirectory(dir="/tmp") as made:
        Path(made).chmod(0o755)
        yield Path(made)


@contextmanager
def nobody() -> Iterator[None]:
    """Be a user without rights; where we are not root we are one already."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


def site(folder: Path) -> Path:
    (folder / "site").mkdir(mode=0o755)
    (folder / "site" / "site.yaml").write_text("config_version: 1\n")
    (folder / "site" / "site.yaml").chmod(0)
    return folder / "site" / "site.yaml"


def test_the_first_closed_directory_is_named(folder: Path) -> None:
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a").chmod(0)
    with nobody():
        told = opened_by(folder / "a" / "b" / "file")
    (folder / "a").chmod(0o755)
    assert told.startswith(f"`{folder / 'a'}` is ")
    assert " 0 and we are " in told


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file that is another's")
def test_the_command_opens_what_is_anothers(folder: Path) -> None:
    path = folder / "state file"
    path.touch(mode=0o600)
    with nobody():
        told = opened_by(path)
        assert told.startswith(
            f"`{path}` is root:root 600 and we are nobody: run this as root, or "
        )
    subprocess.run(shlex.split(told.split("`")[3]), check=True)
    with nobody():
        assert not opened_by(path)


def test_the_command_opens_what_is_ours(folder: Path) -> None:
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    with nobody():
        path = folder / "file"
        path.touch(mode=0o200)
        told = opened_by(path)
        assert f"run `chmod u+rwX {path}`" in told
        subprocess.run(shlex.split(told.split("`")[3]), check=True)
        assert not opened_by(path)


def test_a_directory_that_cannot_be_written_is_told_of_a_file_that_is_not_there(
    folder: Path,
) -> None:
    folder.chmod(0o555)
    with nobody():
        told = opened_by(folder / "spool")
    folder.chmod(0o755)
    assert told.startswith(f"`{folder}` is ")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file that is another's")
def test_reading_takes_no_offence_at_what_only_its_owner_may_write(folder: Path) -> None:
    path = folder / "map.csv"
    path.touch(mode=0o644)
    with nobody():
        assert "chown" in opened_by(path)
        assert not opened_by(path, Use.READ)
        told = why(PermissionError(errno.EACCES, "Permission denied"), path, Use.READ)
        nowhere = why(PermissionError(errno.EACCES, "no"), folder / "none" / "map.csv", Use.READ)
    assert told == f"Permission denied; {CONFINED}"
    assert nowhere == "no"


def test_other_errors_speak_for_themselves(folder: Path) -> None:
    assert (
        why(OSError(errno.ENOSPC, "No space left on device"), folder) == "No space left on device"
    )
    assert why(OSError("odd"), folder) == "odd"


@pytest.mark.parametrize("verb", ["check", "plan"])
def test_every_verb_says_what_opens_a_closed_site(
    folder: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    path = site(folder)
    with nobody():
        code = main([verb, str(path)])
    printed = capsys.readouterr()
    assert code != 0
    assert f"`{path}` is " in printed.out + printed.err
    assert "run " in printed.out + printed.err


def test_a_closed_directory_of_point_maps_is_no_traceback(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = site(folder)
    path.write_text(SITE)
    path.chmod(0o644)
    (path.parent / "points").mkdir(mode=0o700)
    with nobody():
        code = main(["check", str(path)])
    printed = capsys.readouterr()
    assert code == 1
    assert f"`{path.parent / 'points'}` is " in printed.out + printed.err


SITE = """\
config_version: 1
site: {id: sub7, name: Substation 7, gateway: gw1}
devices:
  - id: f1
    driver: modbus
    zone: bay
    points: points/f1.csv
    modbus: {url: "tcp://10.0.0.5:502", unit: 1, base: 0}
defaults: {sensitivity: internal, max_age_s: 5}
spool: {directory: spool, size_mb: 64, age_h: 24}
policy: policy.yaml
"""
