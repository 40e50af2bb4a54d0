"""What `uv.lock` names for a machine, and the one wheel of each package that suits it."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from packaging.markers import Marker
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "uv.lock"
PROJECT = "otgate"
GATEWAY = ("complete", "fast", "sign", "sunspec")
LAB = (*GATEWAY, "lab")
"""Extras of the two lists that a bundle installs from."""
NEWEST_GLIBC = 28
"""Minor version of the C library (2.28: 2018) that every box is taken to have."""


@dataclass(frozen=True, slots=True)
class Target:
    """The interpreter and the processor of a box."""

    python: tuple[int, int]
    machine: str

    @property
    def short(self) -> str:
        """The interpreter as wheels name it."""
        return f"cp{self.python[0]}{self.python[1]}"

    def platforms(self) -> list[str]:
        """Return the platforms whose wheels run there, the best first."""
        found = []
        for minor in range(NEWEST_GLIBC, 4, -1):
            found.append(f"manylinux_2_{minor}_{self.machine}")
            old = {17: "2014", 12: "2010", 5: "1"}.get(minor)
            found += [f"manylinux{old}_{self.machine}"] if old else []
        return found

    def tags(self) -> Sequence[Tag]:
        """Return what wheels may be called, the best first."""
        platforms = self.platforms()
        own = cpython_tags(self.python, platforms=platforms, abis=[self.short])
        return [*own, *compatible_tags(self.python, self.short, platforms)]

    def environment(self) -> dict[str, str]:
        """Return what markers ask for."""
        version = ".".join(map(str, self.python))
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{version}.0",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_system": "Linux",
            "python_full_version": f"{version}.0",
            "python_version": version,
            "sys_platform": "linux",
        }


@dataclass(frozen=True, slots=True)
class Package:
    """One package of the lock, at the version that a target gets."""

    name: str
    version: str
    wheels: Mapping[str, str]
    """SHA-256 by file name."""
    needs: tuple[str, ...]

    def wheel(self, target: Target) -> str:
        """Return the file name of the wheel that suits best.

        Raises:
            LookupError: none does.
        """
        ranks = {tag: rank for rank, tag in enumerate(target.tags())}
        suited = {
            min(ranks[tag] for tag in tags if tag in ranks): name
            for name in self.wheels
            if not (tags := parse_wheel_filename(name)[3]).isdisjoint(ranks)
        }
        if not suited:
            raise LookupError(
                f"{self.name} {self.version} has no wheel for {target.short} on {target.machine}"
            )
        return suited[min(suited)]


class Lock:
    """The packages of `uv.lock`."""

    def __init__(self, path: Path = LOCK) -> None:
        read = tomllib.loads(path.read_text(encoding="utf-8"))
        self._entries: list[dict[str, Any]] = read["package"]

    def packages(self, extras: Iterable[str], target: Target) -> list[Package]:
        """Return what the project needs with ``extras`` on a target, itself excluded, by name."""
        environment = target.environment()
        found: dict[str, Package] = {}
        todo = [*self._needed(self._entry(PROJECT, None), extras, environment)]
        seen = set()
        while todo:
            need = todo.pop()
            entry = self._entry(need["name"], need.get("version"))
            wanted = (entry["name"], *need.get("extra", ()))
            if wanted in seen:
                continue
            seen.add(wanted)
            needs = [*self._needed(entry, need.get("extra", ()), environment)]
            todo += needs
            known = found[entry["name"]].needs if entry["name"] in found else ()
            names = sorted({*known, *(each["name"] for each in needs)})
            found[entry["name"]] = package(entry, names)
        return [found[name] for name in sorted(found)]

    def one(self, name: str) -> Package:
        """Return a package by its name alone, without what it needs."""
        return package(self._entry(name, None), ())

    def _entry(self, name: str, version: str | None) -> dict[str, Any]:
        (entry,) = [
            entry
            for entry in self._entries
            if entry["name"] == name and version in {None, entry["version"]}
        ]
        return entry

    def _needed(
        self, entry: Mapping[str, Any], extras: Iterable[str], environment: Mapping[str, str]
    ) -> Iterator[dict[str, Any]]:
        optional = entry.get("optional-dependencies", {})
        needs = [*entry.get("dependencies", ())]
        needs += [need for extra in extras for need in optional[extra]]
        for need in needs:
            if "marker" not in need or Marker(need["marker"]).evaluate(dict(environment)):
                yield need


def package(entry: Mapping[str, Any], needs: Iterable[str]) -> Package:
    """Read an entry of the lock."""
    wheels = {
        PurePosixPath(wheel["url"]).name: wheel["hash"].removeprefix("sha256:")
        for wheel in entry.get("wheels", ())
    }
    return Package(entry["name"], entry["version"], wheels, tuple(needs))
