"""Files of several vendors and tools, where the folder with them is there."""

import os
from pathlib import Path

import pytest

from otgate.cli import main
from otgate.config.diagnostic import Severity
from scl_driver import checked

ROOT = Path(__file__).parents[3]
FOLDERS = [ROOT.parent / "shared/data/scl", ROOT.parents[1] / "shared/data/scl"]
FOLDER = Path(
    os.environ.get("OTGATE_SCL_SAMPLES") or next((f for f in FOLDERS if f.is_dir()), FOLDERS[0])
)
SAMPLES = sorted(path for path in FOLDER.glob("*.?[cis]d") if path.is_file())


@pytest.mark.skipif(
    not SAMPLES, reason=f"no SCL samples in {FOLDER}; OTGATE_SCL_SAMPLES names a folder"
)
@pytest.mark.parametrize("sample", [pytest.param(path, id=path.name) for path in SAMPLES])
def test_a_sample_is_imported_and_checks_without_an_error(sample: Path, tmp_path: Path) -> None:
    assert main(["import", "scl", str(sample), "--output", str(tmp_path), "--site", "s"]) == 0
    if (tmp_path / "site.yaml").is_file():
        said = checked(tmp_path / "site.yaml")
        assert [one.message for one in said if one.severity is Severity.ERROR] == []
