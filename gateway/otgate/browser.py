"""The browser contract: a live device in, what it has out. It changes nothing there.

Packages announce theirs in the entry point group ``otgate.browsers``; the entry's name is the
scheme of the URLs that it reads. `otgate browse` prints, and writes the site's files.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, Protocol, runtime_checkable

from otgate.importer import ImportedDevice

BROWSERS = "otgate.browsers"
"""Entry point group in which browsers announce themselves."""


@dataclass(frozen=True, slots=True)
class Browsed:
    """What a device was found to have."""

    table: str
    """For a person, line by line."""
    document: Mapping[str, Any]
    """For a program: what JSON can hold."""
    device: ImportedDevice | None = None
    """Its device entry and points, where it has any; the id is a proposal."""
    shortfall: str = ""
    """What could not be found out, in a sentence; empty where nothing is missing."""


@runtime_checkable
class Browser(Protocol):
    """A protocol whose devices say what they have."""

    example: str
    """A URL, as it is written."""
    about: str
    """What is read and printed, in a sentence or two of help."""

    def browse(self, url: str, timeout_s: float) -> Browsed:
        """Read a device and return what it has.

        Raises:
            Refused: the URL is none of this protocol's, or the device says nothing of use.
            LinkLost: there is no connection.
        """


def browsers() -> dict[str, Browser]:
    """Return an instance of every browser installed on this machine, by scheme."""
    return {entry.name: entry.load()() for entry in entry_points(group=BROWSERS)}
