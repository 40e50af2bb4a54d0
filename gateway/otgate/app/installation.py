"""What an installation consists of: units, users, directories and a site to begin with."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from otgate.errors import Refused

BINARY = "/opt/otgate/bin/otgate"
"""As the units name the program; replaced by the one that installs."""
TARGETS = {
    "otgate.target": "etc/systemd/system",
    "otgate-field.service": "etc/systemd/system",
    "otgate-bus@.service": "etc/systemd/system",
    "otgate.sysusers": "etc/sysusers.d/otgate.conf",
    "otgate.tmpfiles": "etc/tmpfiles.d/otgate.conf",
}
"""Each file that ships, and where it goes below the prefix: a folder, or its name there."""
MANIFEST = "var/lib/otgate/installed.json"
FIELD, BUS = "etc/otgate/field", "etc/otgate/bus"
SECRETS = "etc/otgate/bus-credentials"
SPOOL, STATE = "/var/lib/otgate/spool", "/var/lib/otgate/field"


def shipped() -> Path:
    """Return where the units are that ship with the package, or the checkout's.

    Raises:
        Refused: neither is there.
    """
    package = Path(str(files("otgate")))
    for place in (package / "units", package.parents[1] / "config" / "systemd"):
        if (place / "otgate.target").is_file():
            return place
    raise Refused("the systemd units are missing from this installation")


def unit_files() -> dict[str, str]:
    """Return every file that belongs to the service manager: its text by its path."""
    program = str(Path(sys.prefix) / "bin" / "otgate")
    found = {}
    for name, target in TARGETS.items():
        path = target if target.endswith(".conf") else f"{target}/{name}"
        found[path] = (shipped() / name).read_text(encoding="utf-8").replace(BINARY, program)
    return found


class Installation:
    """Files below a prefix, and what was written there before."""

    def __init__(self, prefix: Path) -> None:
        self._prefix = prefix
        self._manifest = prefix / MANIFEST

    def plan(self, wanted: Mapping[str, str], begin: Mapping[str, str]) -> Iterator[str]:
        """Say what `write` would do."""
        for name, text in wanted.items():
            yield f"{self._verb(name, text)} {self._prefix / name}"
        for name in begin:
            there = (self._prefix / name).exists()
            yield f"{'keep' if there else 'write'} {self._prefix / name}"
        yield "make users and directories: systemd-sysusers, systemd-tmpfiles"

    def write(self, wanted: Mapping[str, str], begin: Mapping[str, str]) -> None:
        """Write the files of the service manager, and those to begin with that are not there.

        Raises:
            Refused: one was changed by hand, or cannot be written.
        """
        ours = self._ours()
        for name, text in wanted.items():
            path = self._prefix / name
            if path.exists() and digest(path) not in {ours.get(name), text_digest(text)}:
                raise Refused(
                    f"{path} was changed by hand; put changes into a drop-in, then remove it"
                )
        missing = {name: text for name, text in begin.items() if not (self._prefix / name).exists()}
        try:
            for name, text in {**wanted, **missing}.items():
                path = self._prefix / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            told = {**ours, **{name: text_digest(text) for name, text in wanted.items()}}
            self._manifest.parent.mkdir(parents=True, exist_ok=True)
            self._manifest.write_text(json.dumps(told, indent=2), encoding="utf-8")
        except OSError as error:
            raise Refused(f"cannot write {error.filename}: {error.strerror}") from error

    def make(self) -> list[str]:
        """Make users and directories; return what could not be done."""
        complaints = []
        for command in ("systemd-sysusers", "systemd-tmpfiles"):
            words = [command, f"--root={self._prefix}"]
            words += ["--create"] if command == "systemd-tmpfiles" else []
            conf = "sysusers.d" if command == "systemd-sysusers" else "tmpfiles.d"
            complaints += ran([*words, str(self._prefix / f"etc/{conf}/otgate.conf")])
        return complaints

    def keep_secrets(self) -> list[str]:
        """Make a directory of credentials for each bus file; return what could not be done."""
        complaints = []
        for file in sorted((self._prefix / BUS).glob("*.yaml")):
            folder = self._prefix / SECRETS / file.stem
            try:
                for path in (folder.parent, folder):
                    path.mkdir(mode=0o700, exist_ok=True)
            except OSError as error:
                complaints.append(f"cannot make {error.filename}: {error.strerror}")
        return complaints

    def own(self, begin: Mapping[str, str]) -> list[str]:
        """Give the files to begin with to who reads them; return what could not be done."""
        complaints = []
        for name in begin:
            folder, group = (
                (FIELD, "otgate-field") if name.startswith(FIELD) else (BUS, "otgate-bus")
            )
            path = self._prefix / name
            below = [each for each in path.parents if self._prefix / folder in each.parents]
            try:
                gid = self._group(group)
                for each in (path, *below):
                    os.chown(each, 0, gid)
                    each.chmod(0o750 if each.is_dir() else 0o640)
            except (OSError, LookupError) as error:
                complaints.append(f"{path} stays as it is: {error}")
        return complaints

    def remove(self) -> Iterator[str]:
        """Remove what was written for the service manager and is as it was; say what stays.

        Raises:
            Refused: nothing was installed here.
        """
        ours = self._ours()
        if not ours:
            raise Refused(f"nothing is installed below {self._prefix}")
        for name, told in ours.items():
            path = self._prefix / name
            if not path.exists():
                continue
            if digest(path) == told:
                path.unlink()
                yield f"removed {path}"
            else:
                yield f"kept {path}, which was changed by hand"
        self._manifest.unlink()
        for name in ("etc/otgate", "var/lib/otgate", "var/lib/otgate-bus"):
            yield f"kept {self._prefix / name} and the users: remove them by hand"

    def _verb(self, name: str, text: str) -> str:
        path = self._prefix / name
        if not path.exists():
            return "write"
        return "keep" if digest(path) == text_digest(text) else "overwrite"

    def _ours(self) -> dict[str, str]:
        try:
            found: dict[str, str] = json.loads(self._manifest.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found

    def _group(self, name: str) -> int:
        """Return a group's number by the prefix's own list of groups."""
        for line in (self._prefix / "etc/group").read_text(encoding="utf-8").splitlines():
            words = line.split(":")
            if words[0] == name:
                return int(words[2])
        raise LookupError(f"no group {name}")


def ran(command: Sequence[str]) -> list[str]:
    """Run a command of the system; return why it failed, if it did."""
    program = shutil.which(command[0])
    if program is None:
        return [f"{command[0]} is not on this machine"]
    words = [program, *command[1:]]
    done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603  ours
    return [f"{command[0]}: {done.stderr.strip()}"] if done.returncode else []


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def text_digest(text: str) -> str:
    """Return the SHA-256 of a text as it is written."""
    return hashlib.sha256(text.encode()).hexdigest()
