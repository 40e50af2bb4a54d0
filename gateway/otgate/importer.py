"""The importer contract: files of other tools in, device entries and points out.

An importer only reads and names what it found; `otgate import` writes the site's files. Packages
announce theirs in the entry point group ``otgate.imports``; the entry's name is the word after
`otgate import`.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from otgate.model import Point

IMPORTS = "otgate.imports"
"""Entry point group in which importers announce themselves."""


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that a person should know of the import."""

    text: str
    line: int = 0
    """Of the file; 0 is none."""
    place: str = ""
    """Where no line says it: a cell of a workbook, a table of a configuration."""

    @property
    def where(self) -> str:
        """The place in words; empty where there is none."""
        return self.place or (f"line {self.line}" if self.line else "")


@dataclass(frozen=True, slots=True)
class ImportedDevice:
    """One device: what goes into the site's device entry and its point map."""

    id: str
    driver: str
    source: str
    """Where it comes from, in words: ``IED1, access point P1``."""
    settings: Mapping[str, Any]
    """The driver's block of the entry; plain values."""
    files: Mapping[str, Path]
    """Keys of the block that name files, to be written relative to the site."""
    scans: Mapping[str, float]
    points: Sequence[Point]
    left_out: Mapping[str, int] = field(default_factory=dict)
    """How much was left out, by the reason in words."""
    said: Mapping[str, Collection[str]] = field(default_factory=dict)
    """By point: columns that are written even where they say what an empty cell does, so that no
    default of a site takes their place."""


@dataclass(frozen=True, slots=True)
class Imported:
    """Everything that an importer made of a file."""

    devices: Sequence[ImportedDevice]
    remarks: Sequence[Remark] = ()
    printed: str = ""
    """What goes to standard output instead: nothing was imported, and nothing is written."""

    @property
    def complete(self) -> bool:
        """Whether everything was carried over, and nothing has to be looked at."""
        return not self.remarks and not any(device.left_out for device in self.devices)


@runtime_checkable
class Importer(Protocol):
    """A format of another tool."""

    summary: str
    """What it reads, in one line of help."""
    description: str
    """The text of ``--help``."""

    def arguments(self, parser: ArgumentParser) -> None:
        """Add the importer's own arguments."""

    def read(self, options: Namespace) -> Imported:
        """Read what the arguments name.

        Raises:
            Refused: it cannot be read; the message says where and why.
        """


def importers() -> dict[str, Importer]:
    """Return an instance of every importer installed on this machine, by name."""
    return {entry.name: entry.load()() for entry in entry_points(group=IMPORTS)}
