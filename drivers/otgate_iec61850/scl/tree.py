"""The elements of an SCL file with their lines, read by expat without entities.

Foreign namespaces, Private sections and what no resolver reads are passed over while parsing, so
that a file costs what its model costs.
"""

from pathlib import Path
from xml.parsers import expat

from otgate_iec61850.scl.notes import Notes, SclRefused

MAX_BYTES = 64 << 20
MAX_DEPTH = 64
"""Elements inside each other; a real file nests about 15 deep."""

MAX_ELEMENTS = 1_000_000
"""Elements that are kept, of about 500 bytes each."""

PASSED_OVER = frozenset(
    {
        *("Private", "Text", "History", "Inputs", "GSEControl", "SampledValueControl"),
        *("SettingControl", "LogControl", "Log", "GSE", "SMV", "PhysConn", "Services"),
        *("Terminal", "ConnectivityNode", "BitRate", "SCLControl", "Symbol", "ProtNs"),
    }
)
WITH_TEXT = frozenset({"P", "Val", "EnumVal"})
MAX_TEXT = 1024
"""Characters of an element's text that are kept."""

UNBOUND_PREFIX = expat.errors.codes[expat.errors.XML_ERROR_UNBOUND_PREFIX]


class Node:
    """One element: its name without prefix, its attributes, its children, its line."""

    __slots__ = ("attributes", "children", "line", "tag", "text")

    def __init__(self, tag: str, attributes: dict[str, str], line: int) -> None:
        self.tag = tag
        self.attributes = attributes
        self.line = line
        self.children: list[Node] = []
        self.text = ""

    def get(self, name: str) -> str:
        """Return an attribute without surrounding space, empty where it is missing."""
        return self.attributes.get(name, "").strip()

    def all(self, *tags: str) -> "list[Node]":
        """Return the children of these names, in order."""
        return [child for child in self.children if child.tag in tags]


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
    try:
        return Parsing(file, " ").run(raw)
    except Unbound as unbound:
        notes.say(unbound.line, "a prefix is used that no `xmlns` declares; what has it is skipped")
        return Parsing(file, ":").run(raw)


class Unbound(Exception):
    """A prefix has no namespace; the file can still be read without namespaces."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


class Parsing:
    """One pass of expat over a file; names come as space and name, or prefix and name."""

    def __init__(self, file: str, separator: str) -> None:
        self.file = file
        self.separator = separator
        self.space: str | None = None
        self.known: dict[str, str | None] = {}
        self.open: list[Node] = []
        self.root: Node | None = None
        self.skipped = 0
        self.depth = 0
        self.elements = 0
        self.parser = expat.ParserCreate(namespace_separator=" " if separator == " " else None)
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.characters
        self.parser.StartDoctypeDeclHandler = self.doctype

    def run(self, raw: bytes) -> Node:
        """Return the root.

        Raises:
            SclRefused: the file is no SCL.
            Unbound: it has a prefix without a namespace.
        """
        try:
            self.parser.Parse(raw, True)  # noqa: FBT003  expat's own signature
        except expat.ExpatError as error:
            if error.code == UNBOUND_PREFIX and self.separator == " ":
                raise Unbound(error.lineno) from None
            why = expat.ErrorString(error.code)
            raise SclRefused(
                self.file, f"this is not XML: {why}", error.lineno, error.offset + 1
            ) from None
        except (ValueError, LookupError) as error:
            raise SclRefused(self.file, f"its encoding cannot be read: {error}") from None
        if self.root is None:
            raise SclRefused(self.file, "this file has no element")
        return self.root

    def refuse(self, message: str) -> SclRefused:
        """Return a refusal at the place where the parser is."""
        parser = self.parser
        return SclRefused(
            self.file, message, parser.CurrentLineNumber, parser.CurrentColumnNumber + 1
        )

    def doctype(self, *_: object) -> None:
        """Refuse a DTD: SCL has none, and entities are declared there."""
        raise self.refuse("a document type (DTD) is declared; SCL has none, delete it")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Open an element."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.refuse(f"elements are nested deeper than {MAX_DEPTH}")
        if self.skipped:
            self.skipped += 1
            return
        if name not in self.known:
            self.known[name] = self.meant(name)
        tag = self.known[name]
        if tag is None:
            self.skipped = 1
            return
        self.elements += 1
        if self.elements > MAX_ELEMENTS:
            raise self.refuse(f"the file has more than {MAX_ELEMENTS:,} elements")
        node = Node(tag, attributes, self.parser.CurrentLineNumber)
        if self.open:
            self.open[-1].children.append(node)
        else:
            self.root = node
        self.open.append(node)

    def meant(self, name: str) -> str | None:
        """Return an element's name without its namespace, None where it is passed over."""
        space, _, tag = name.rpartition(self.separator)
        if self.space is None:
            if tag != "SCL":
                raise self.refuse(f"the file begins with `{tag[:40]}`; SCL begins with `SCL`")
            self.space = space
        return tag if space in {self.space, ""} and tag not in PASSED_OVER else None

    def end(self, _: str) -> None:
        """Close an element."""
        self.depth -= 1
        if self.skipped:
            self.skipped -= 1
        else:
            self.open.pop()

    def characters(self, text: str) -> None:
        """Keep the text of the few elements that have one."""
        if self.open and not self.skipped and self.open[-1].tag in WITH_TEXT:
            node = self.open[-1]
            node.text = (node.text + text)[:MAX_TEXT]
