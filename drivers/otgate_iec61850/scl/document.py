"""An SCL file, read: which edition, which IEDs, and each IED resolved when it is asked for."""

import re
from collections.abc import Sequence
from pathlib import Path

from otgate.foreign.names import quoted
from otgate_iec61850.scl.communication import Addresses
from otgate_iec61850.scl.instances import Instances
from otgate_iec61850.scl.model import Ied
from otgate_iec61850.scl.notes import Note, Notes
from otgate_iec61850.scl.substation import Places
from otgate_iec61850.scl.templates import Templates
from otgate_iec61850.scl.tree import Node, read_tree

IED_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")


class Scl:
    """One SCL file: ICD, CID, IID, SCD or SSD, of any edition."""

    def __init__(self, file: str, root: Node, notes: Notes) -> None:
        self.file = file
        self.edition = edition_of(root)
        self._notes = notes
        templates = Templates(root, notes)
        self._instances = Instances(file, templates, Places(root), Addresses(root, notes), notes)
        self._nodes = named_ieds(root, notes)
        self._resolved: dict[str, Ied] = {}

    @property
    def ieds(self) -> Sequence[str]:
        """The names of the IEDs, in the file's order."""
        return list(self._nodes)

    @property
    def notes(self) -> Sequence[Note]:
        """Oddities noted so far, by line; those of an IED once it has been resolved."""
        return sorted(self._notes, key=lambda note: note.line)

    @property
    def unsaid(self) -> int:
        """How many further oddities were not kept."""
        return self._notes.unsaid

    def ied(self, name: str) -> Ied:
        """Return an IED, resolved.

        Raises:
            KeyError: the file has none of this name.
            SclRefused: it is larger than any real one.
        """
        if name not in self._resolved:
            self._resolved[name] = self._instances.ied(self._nodes[name])
        return self._resolved[name]


def read_scl(path: Path) -> Scl:
    """Read an SCL file leniently: what cannot be resolved is noted and left out.

    Raises:
        SclRefused: it is unreadable, no XML, no SCL, hostile or beyond all measure.
    """
    notes = Notes()
    return Scl(str(path), read_tree(path, notes), notes)


def edition_of(root: Node) -> str:
    """Return ``1``, ``2`` or ``2.1``: schema version 2007B4 and later is the last."""
    if not root.get("version"):
        return "1"
    revision, release = root.get("revision"), root.get("release")
    newer = release.isdecimal() and len(release) < 4 and int(release) >= 4
    return "2.1" if revision > "B" or (revision == "B" and newer) else "2"


def named_ieds(root: Node, notes: Notes) -> dict[str, Node]:
    """Return the IED elements by name; note those that no reference could name."""
    found: dict[str, Node] = {}
    for node in root.all("IED"):
        name = node.get("name")
        if not IED_NAME.fullmatch(name):
            notes.say(node.line, f"IED {quoted(name)} is no name; it is left out")
        elif found.setdefault(name, node) is not node:
            notes.say(node.line, f"IED {quoted(name)} is declared twice; the first counts")
    return found
