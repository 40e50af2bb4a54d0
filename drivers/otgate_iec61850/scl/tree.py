"""The elements of an SCL file with their lines.

Foreign namespaces, Private sections and what no resolver reads are passed over while parsing, so
that a file costs what its model costs.
"""

from pathlib import Path

from otgate.foreign import markup
from otgate.foreign.markup import MAX_DEPTH, Form, Node
from otgate_iec61850.scl.notes import Notes, SclRefused

__all__ = ["MAX_BYTES", "MAX_DEPTH", "Node", "parse", "read_tree"]

MAX_BYTES = 64 << 20
PASSED_OVER = frozenset(
    {
        *("Private", "Text", "History", "Inputs", "GSEControl", "SampledValueControl"),
        *("SettingControl", "LogControl", "Log", "GSE", "SMV", "PhysConn", "Services"),
        *("Terminal", "ConnectivityNode", "BitRate", "SCLControl", "Symbol", "ProtNs"),
    }
)
SCL = Form("SCL", "SCL", PASSED_OVER, frozenset({"P", "Val", "EnumVal"}), refusal=SclRefused)


def read_tree(path: Path, notes: Notes) -> Node:
    """Read the file at ``path``.

    Raises:
        SclRefused: it is unreadable, too large, too deep, declares entities, or is no SCL.
    """
    try:
        if path.exists() and not path.is_file():
            raise SclRefused(str(path), "this is not a file")
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise SclRefused(str(path), f"cannot be read: {why.lower()}") from error
    return parse(raw, str(path), notes)


def parse(raw: bytes, file: str, notes: Notes) -> Node:
    """Parse the bytes of a file called ``file``.

    Raises:
        SclRefused: as `read_tree` does.
    """
    if len(raw) > MAX_BYTES:
        raise SclRefused(file, f"the file is larger than {MAX_BYTES >> 20} MB")
    return markup.parse(raw, file, SCL, notes.say)
