"""The wheel brings the lab site and the units along."""

import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UV = shutil.which("uv")


@pytest.mark.slow
@pytest.mark.skipif(UV is None, reason="uv is not installed")
def test_the_wheel_holds_every_file_of_the_lab_site_and_every_unit(tmp_path: Path) -> None:
    command = [str(UV), "build", "--quiet", "--wheel", "--out-dir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, timeout=100)
    (wheel,) = tmp_path.glob("otgate-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    lab = ROOT / "config" / "lab"
    files = {
        path.relative_to(lab): path.read_bytes()
        for folder in (".", "points", "bus")
        for path in (lab / folder).glob("*.*")
    }
    assert len(files) > 8
    assert all(held[f"otgate_sim/lab_site/{name}"] == content for name, content in files.items())
    units = {path.name: path.read_bytes() for path in (ROOT / "config/systemd").iterdir()}
    assert len(units) == 5
    assert all(held[f"otgate/units/{name}"] == content for name, content in units.items())
