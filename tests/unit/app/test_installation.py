"""An installation below a prefix: what it writes, keeps and undoes; how exposed units are."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from otgate.app.installation import unit_files
from otgate.cli import main

ANALYZE = shutil.which("systemd-analyze")
ROOT = Path(__file__).parents[3]
UNITS = ROOT / "config/systemd"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="installing needs root")
with_systemd = pytest.mark.skipif(
    shutil.which("systemd-sysusers") is None, reason="systemd-sysusers is not on this machine"
)


@pytest.fixture
def box(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    return tmp_path


def install(box: Path, *words: str) -> int:
    return main(["install", "--prefix", str(box), *words])


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not on this machine")
@pytest.mark.parametrize("unit", ["otgate-field.service", "otgate-bus@.service"])
def test_a_unit_is_hardly_exposed(unit: str) -> None:
    command = [str(ANALYZE), "security", "--offline=yes", "--no-pager", "--threshold=12"]
    done = subprocess.run(
        [*command, str(UNITS / unit)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not on this machine")
def test_the_units_are_understood(tmp_path: Path) -> None:
    for name, text in unit_files().items():
        if name.startswith("etc/systemd"):
            (tmp_path / Path(name).name).write_text(text)
    units = [str(path) for path in tmp_path.iterdir() if "@" not in path.name]
    done = subprocess.run(
        [str(ANALYZE), "verify", "--man=no", *units],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    ours = [line for line in done.stderr.splitlines() if "otgate" in line]
    assert not [line for line in ours if "Unknown" in line or "ignoring" in line], ours


def test_the_units_start_the_program_that_installs() -> None:
    field = unit_files()["etc/systemd/system/otgate-field.service"]
    (line,) = [line for line in field.splitlines() if line.startswith("ExecStart=")]
    program, *words = line.removeprefix("ExecStart=").split()
    assert Path(program).is_file()
    assert words[:2] == ["run", "/etc/otgate/field/site.yaml"]


def test_a_dry_run_writes_nothing(box: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert install(box, "--dry-run") == 0
    said = capsys.readouterr().out
    assert f"write {box}/etc/systemd/system/otgate-field.service" in said
    assert "systemd-sysusers" in said
    assert [path.name for path in box.rglob("*")] == ["etc"]


@as_root
@with_systemd
def test_modes_keep_the_sides_apart(box: Path) -> None:
    assert install(box, "--driver", "dnp3") == 0
    ids = {
        words[0]: int(words[2])
        for line in (box / "etc/group").read_text().splitlines()
        if (words := line.split(":"))
    }
    held = {
        name: (stat.S_IMODE(told.st_mode), told.st_gid)
        for name in ("etc/otgate/field/site.yaml", "etc/otgate/bus", "var/lib/otgate/spool")
        if (told := (box / name).stat())
    }
    assert held == {
        "etc/otgate/field/site.yaml": (0o640, ids["otgate-field"]),
        "etc/otgate/bus": (0o750, ids["otgate-bus"]),
        "var/lib/otgate/spool": (0o2750, ids["otgate-bus"]),
    }
    assert ids["otgate-field"] != ids["otgate-bus"]
    assert "otgate-admin" in ids
    assert (box / "var/lib/otgate/field").stat().st_mode & 0o077 == 0


@as_root
@with_systemd
def test_each_conduit_has_credentials_that_its_bus_side_alone_is_given(box: Path) -> None:
    assert install(box) == 0
    (box / "etc/otgate/bus/market.yaml").write_text("conduit: market\n")
    assert install(box) == 0
    secrets = box / "etc/otgate/bus-credentials"
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in secrets.iterdir()} == {
        "analytics": 0o700,
        "market": 0o700,
    }
    unit = (UNITS / "otgate-bus@.service").read_text()
    assert "LoadCredential=otgate:/etc/otgate/bus-credentials/%i\n" in unit


@as_root
@with_systemd
def test_the_site_to_begin_with_is_right(box: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert install(box, "--driver", "modbus", "--driver", "iec61850") == 0
    capsys.readouterr()
    assert main(["check", str(box / "etc/otgate/field")]) == 0, capsys.readouterr().out
    assert "2 devices" in capsys.readouterr().out


@as_root
@with_systemd
def test_a_second_time_keeps_the_site_and_refuses_to_overwrite_what_people_changed(
    box: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(box)
    site = box / "etc/otgate/field/site.yaml"
    site.write_text("mine")
    assert install(box) == 0
    assert site.read_text() == "mine"
    unit = box / "etc/systemd/system/otgate-field.service"
    unit.write_text("theirs")
    capsys.readouterr()
    assert install(box) == 1
    assert "was changed by hand; put changes into a drop-in" in capsys.readouterr().err
    assert unit.read_text() == "theirs"


@as_root
@with_systemd
def test_undoing_leaves_data_site_and_what_people_changed(
    box: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(box)
    changed = box / "etc/systemd/system/otgate.target"
    changed.write_text("theirs")
    assert install(box, "--undo") == 0
    assert not (box / "etc/systemd/system/otgate-field.service").exists()
    assert changed.read_text() == "theirs"
    assert (box / "etc/otgate/field/site.yaml").exists()
    assert (box / "var/lib/otgate/spool").is_dir()
    capsys.readouterr()
    assert install(box, "--undo") == 1
    assert "nothing is installed below" in capsys.readouterr().err
