"""The browser contract: a live device in, a table or a point map out. It changes nothing there.

Packages announce theirs in the entry point group ``otgate.browsers``; the entry's name is the
scheme of the URLs that it reads.
"""

from importlib.metadata import entry_points
from typing import Protocol, runtime_checkable

BROWSERS = "otgate.browsers"
"""Entry point group in which browsers announce themselves."""


@runtime_checkable
class Browser(Protocol):
    """A protocol whose devices say what they have."""

    example: str
    """A URL, as it is written."""
    about: str
    """What is read and printed, in a sentence or two of help."""

    def browse(self, url: str, timeout_s: float, *, as_csv: bool) -> str:
        """Read a device and return what it has: a table, or a point map.

        Raises:
            Refused: the URL is none of this protocol's, or the device says nothing of use.
            LinkLost: there is no connection.
        """


def browsers() -> dict[str, Browser]:
    """Return an instance of every browser installed on this machine, by scheme."""
    return {entry.name: entry.load()() for entry in entry_points(group=BROWSERS)}
