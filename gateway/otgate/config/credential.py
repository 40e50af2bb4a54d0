"""Secrets by name: from systemd, from a directory with safe modes, or from the environment."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from otgate.errors import Refused
from otgate.secrecy import shared

MAX_BYTES = 64 << 10
NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret and where it came from. Neither `repr` nor a message shows it."""

    text: str
    path: Path | None = None
    """The file it was read from; None for the environment."""
    warning: str = ""

    def __repr__(self) -> str:
        return f"Secret(path={self.path!r}, warning={self.warning!r})"


def resolve(
    name: str, directory: Path | None, environment: Mapping[str, str] = os.environ
) -> Secret:
    """Find a credential: systemd's directory, then ``directory``, then the environment.

    Raises:
        Refused: there is none, or others than its owner can read it.
    """
    if not NAME.fullmatch(name) or name in {".", ".."}:
        raise Refused(f"`{name}` cannot be the name of a credential")
    for path in given_by_systemd(name, environment):
        if path.exists():
            return Secret(content(path), path)
    if directory is not None and (directory / name).exists():
        refuse_shared(directory)
        refuse_shared(directory / name)
        return Secret(content(directory / name), directory / name)
    variable = variable_of(name)
    if variable in environment:
        warning = f"credential `{name}` comes from the environment; use a credential directory"
        return Secret(environment[variable], None, warning)
    looked = f"`{directory}`" if directory is not None else "a `credentials` directory"
    raise Refused(f"credential `{name}` is neither in {looked} nor systemd's")


def given_by_systemd(name: str, environment: Mapping[str, str]) -> list[Path]:
    """Return where systemd puts a credential of its own, and one out of a directory that it loads.

    ``LoadCredential=otgate:/some/directory`` loads each file there as ``otgate_FILE``.
    """
    given = environment.get("CREDENTIALS_DIRECTORY")
    return [Path(given) / name, Path(given) / f"otgate_{name}"] if given else []


def places(
    name: str, directory: Path | None, environment: Mapping[str, str] = os.environ
) -> list[Path]:
    """Return what `resolve` looks at; a credential changes only where one of these does."""
    found = given_by_systemd(name, environment)
    return found if directory is None else [*found, directory, directory / name]


def variable_of(name: str) -> str:
    """Return the environment variable that may hold a credential."""
    return "OTGATE_CREDENTIAL_" + re.sub(r"[^A-Z0-9]", "_", name.upper())


def content(path: Path, what: str = "credential") -> str:
    """Return a small text file without its last line end; messages call it ``what``.

    Raises:
        Refused: it cannot be read, is too large, or is no text.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Refused(f"cannot read {what} `{path}`: {error.strerror}") from None
    if len(raw) > MAX_BYTES:
        raise Refused(f"{what} `{path}` is larger than {MAX_BYTES >> 10} kB")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(f"{what} `{path}` is not UTF-8 text") from None
    return text.removesuffix("\n").removesuffix("\r")


def refuse_shared(path: Path) -> None:
    """Refuse what its group or others may read or write.

    Raises:
        Refused: they may, or it is not there.
    """
    try:
        how = shared(path)
    except OSError as error:
        raise Refused(f"cannot read `{path}`: {error.strerror}") from None
    if how:
        raise Refused(how)
