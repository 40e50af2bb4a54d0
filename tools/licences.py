"""Licences of what ships: read, held against those that may ship, and listed.

``python tools/licences.py`` prints docs/reference/licences.md.
"""

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from locked import GATEWAY, LAB, Lock, Target

FILE = Path(__file__).with_name("licences.toml")
WORDS = re.compile(r"[^\s()]+")
HEAD = """\
# Licences

What ships and under which licence, as `uv.lock`, the packages' metadata and `tools/licences.toml`
say. otgate itself is Apache-2.0. Of `A OR B` we choose a permissive one. Texts are in a bundle's
folder `licences/`. Written by `python tools/licences.py`.

`always` comes with otgate, `bundle` with its optional parts, which a bundle installs, `lab` with
`./install.sh --lab` alone.

| package | licence | comes |
|---|---|---|
"""
INSIDE = """
Wheels bring these along:

| in | what | licence | why that is in order |
|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Inside:
    """Something that a wheel brings along under a licence of its own."""

    package: str
    what: str
    licence: str
    why: str
    files: str = ""


class Licences:
    """What `licences.toml` says."""

    def __init__(self, path: Path = FILE) -> None:
        read: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        self._permissive = frozenset(read["permissive"])
        self._read: Mapping[str, str] = read["read"]
        self.inside = tuple(Inside(**entry) for entry in read["inside"])

    def of(self, name: str, metadata: Message) -> str:
        """Return the SPDX expression of a package.

        Raises:
            LookupError: neither its metadata nor we say.
        """
        said = metadata.get("License-Expression") or self._read.get(name)
        if not said:
            raise LookupError(f"{name} names no licence: read its file, add it to {FILE.name}")
        return said

    def permits(self, expression: str) -> bool:
        """Say whether an SPDX expression can be had by permissive licences alone."""
        words = WORDS.findall(expression)
        choices = " ".join(words).split(" OR ")
        return any(set(choice.split()) - {"AND"} <= self._permissive for choice in choices)

    def unnamed(self, package: str, libraries: Iterable[str]) -> list[str]:
        """Return the shared libraries copied into a wheel that no entry names."""
        known = [each.files for each in self.inside if each.package == package and each.files]
        return [name for name in libraries if not name.startswith(tuple(known))]


def installed(name: str) -> Message:
    """Return the metadata of an installed package."""
    text = distribution(name).read_text("METADATA")
    return parsed(text or "")


def parsed(text: str) -> Message:
    """Return the headers of a METADATA file."""
    return HeaderParser().parsestr(text)


def listed(rows: Sequence[tuple[str, str, str]], inside: Iterable[Inside]) -> str:
    """Return the page: rows of package, licence and what installs it."""
    table = "".join(f"| {name} | {licence} | {part} |\n" for name, licence, part in rows)
    more = "".join(
        f"| {each.package} | {each.what} | {each.licence} | {each.why} |\n" for each in inside
    )
    return f"{HEAD}{table}{INSIDE}{more}"


def rows(lock: Lock, licences: Licences, target: Target) -> Iterator[tuple[str, str, str]]:
    """Yield every package that a bundle may install, by the metadata of what is installed here."""
    always = {package.name for package in lock.packages((), target)}
    gateway = {package.name for package in lock.packages(GATEWAY, target)}
    for package in lock.packages(LAB, target):
        name = package.name
        part = "always" if name in always else "bundle" if name in gateway else "lab"
        yield name, licences.of(name, installed(name)), part


if __name__ == "__main__":
    here = Target((sys.version_info[0], sys.version_info[1]), "x86_64")
    known = Licences()
    sys.stdout.write(listed([*rows(Lock(), known, here)], known.inside))
