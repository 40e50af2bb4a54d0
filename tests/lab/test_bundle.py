"""Bundles as they are packed: the same bytes anywhere, and what their script refuses."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CACHE = ROOT / "build/wheels"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def packed(checkout: Path, umask: int) -> bytes:
    """Pack a bundle of a checkout; return the archive, and leave no wheel but the cache's."""
    command = [sys.executable, str(checkout / "tools/bundle.py"), "--cache", str(CACHE)]
    done = subprocess.run(
        [*command, "--out", str(checkout / "out")],
        capture_output=True, text=True, timeout=200, check=False, umask=umask,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1790000000"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip()).read_bytes()


def copied(to: Path, umask: int) -> Path:
    """Copy what git knows of this checkout; every file is new, and has other modes."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, to / name)
        (to / name).chmod(0o666 & ~umask)
    return to


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unpacked bundle for this interpreter."""
    folder = tmp_path_factory.mktemp("bundle")
    (folder / "bundle.tar").write_bytes(packed(copied(folder / "one", 0o022), 0o022))
    subprocess.run(["tar", "-C", folder, "-xf", folder / "bundle.tar"], check=True, timeout=60)
    return next(folder.glob("otgate-*/"))


def installed(bundle: Path, into: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(bundle / "install.sh"), "--into", str(into), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)


def test_another_folder_time_and_umask_give_the_same_bytes(bundle: Path, tmp_path: Path) -> None:
    other = packed(copied(tmp_path / "a/longer/name", 0o077), 0o077)
    assert other == (bundle.parent / "bundle.tar").read_bytes()


def test_its_papers_name_every_wheel_that_is_in_it(bundle: Path) -> None:
    told = json.loads((bundle / "sbom.cdx.json").read_text())
    named = {
        one["value"]
        for each in (told["metadata"]["component"], *told["components"])
        for one in each["properties"]
    }
    wheels = {
        f"{path.name} sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
        for path in (bundle / "wheels").iterdir()
    }
    assert named == wheels
    (listed,) = (bundle / "requirements").glob("lab-*.txt")
    hashes = {line.split("sha256:")[1] for line in listed.read_text().splitlines()}
    rest = [each for each in named if each.split("sha256:")[1] not in hashes]
    assert len(rest) == 1, "pip, which is run and not installed"
    assert rest[0].startswith("pip-")
    without_text = {each["name"] for each in told["components"]} - {
        path.name for path in (bundle / "licences").iterdir()
    }
    assert without_text == {"pyserial"}, "whose wheel has none"


def test_a_changed_file_is_refused_before_anything_is_written(bundle: Path, tmp_path: Path) -> None:
    spoilt = tmp_path / "bundle"
    shutil.copytree(bundle, spoilt)
    with (spoilt / "docs/guide/airgap.md").open("ab") as page:
        page.write(b"x")
    done = installed(spoilt, tmp_path / "into")
    assert done.returncode == 1
    assert "docs/guide/airgap.md: FAILED" in done.stdout
    assert "a file of the bundle is not as it was packed: copy it again" in done.stderr
    assert not (tmp_path / "into").exists()


def test_a_python_that_it_has_no_packages_for_is_refused(bundle: Path, tmp_path: Path) -> None:
    done = installed(bundle, tmp_path / "into", "--python", "/bin/true")
    assert done.returncode == 1
    assert "/bin/true is no Python; this bundle holds packages for cp3" in done.stderr
    assert not (tmp_path / "into").exists()


def test_another_processor_is_refused_with_the_target_that_packs_for_it(
    bundle: Path, tmp_path: Path
) -> None:
    (tmp_path / "uname").write_text("#!/bin/sh\necho riscv64\n")
    (tmp_path / "uname").chmod(0o755)
    done = subprocess.run(
        ["sh", str(bundle / "install.sh")],
        capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.returncode == 1
    assert "make bundle PLATFORM=riscv64 packs one for it" in done.stderr


def test_a_folder_that_holds_something_else_is_left_as_it_is(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("kept")
    done = installed(bundle, tmp_path)
    assert done.returncode == 1
    assert f"{tmp_path} is there and no environment of Python" in done.stderr
    assert (tmp_path / "precious").read_text() == "kept"


def test_what_is_not_an_option_is_told_how_to_use_it(bundle: Path) -> None:
    done = subprocess.run(
        ["sh", str(bundle / "install.sh"), "--prefix"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("usage: ./install.sh [--into DIR]")
