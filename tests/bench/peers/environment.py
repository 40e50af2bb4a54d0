"""Throw-away environments for peers, kept under `build/peers`; a missing one is made anew."""

import json
import shutil
import subprocess
import venv
from collections.abc import Sequence
from pathlib import Path

from bench.results import ROOT

PLACE = ROOT / "build" / "peers"
INSTALLED_WITHIN_S = 400


class Missing(Exception):
    """A peer cannot be had on this machine; says why."""


def asked(command: Sequence[str | Path], folder: Path | None = None) -> str:
    """Return what a command prints.

    Raises: Missing where it fails, with the last that it said.
    """
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
            timeout=INSTALLED_WITHIN_S,
        )
    except (OSError, subprocess.TimeoutExpired) as refused:
        raise Missing(str(refused)) from refused
    except subprocess.CalledProcessError as failed:
        said = [line for line in failed.stderr.splitlines() if line.strip()]
        raise Missing(said[-1] if said else f"{command[0]} failed") from failed
    return done.stdout


def pypi(name: str, *requirements: str) -> Path:
    """Return the programs' folder of a virtual environment with these packages."""
    folder = PLACE / name
    done = folder / "installed"
    if not done.exists():
        venv.create(folder, clear=True, with_pip=True)
        asked([folder / "bin" / "pip", "install", "--quiet", *requirements])
        done.touch()
    return folder / "bin"


def pypi_versions(programs: Path, *names: str) -> str:
    """Return the versions of packages in a virtual environment."""
    wanted = f"print(*(f'{{name}} {{version(name)}}' for name in {names}), sep=', ')"
    wanted = f"from importlib.metadata import version; {wanted}"
    return asked([programs / "python", "-c", wanted]).strip()


def npm(name: str, *packages: str) -> Path:
    """Return a folder with these packages of the npm registry in it; their scripts are not run."""
    folder = PLACE / name
    done = folder / "installed"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "package.json").write_text("{}")
        quiet = ("--no-audit", "--no-fund", "--omit=optional", "--ignore-scripts")
        asked(["npm", "install", *quiet, *packages], folder)
        done.touch()
    return folder


def npm_version(folder: Path, name: str) -> str:
    """Return the version of an installed package."""
    told = json.loads((folder / "node_modules" / name / "package.json").read_text())
    return f"{name} {told['version']}"


def debian(name: str, *packages: str) -> Path:
    """Return a folder that packages of the distribution are unpacked in, not installed."""
    folder = PLACE / name
    done = folder / "installed"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        asked(["apt-get", "download", *packages], folder)
        for archive in folder.glob("*.deb"):
            asked(["dpkg", "-x", archive, folder])
        done.touch()
    return folder
