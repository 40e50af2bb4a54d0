"""The elements of an XML file with their lines, read by expat without entities.

Foreign namespaces and what a form passes over are dropped while parsing, so that a file costs
what is wanted of it.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from xml.parsers import expat

from otgate.errors import Refused
from otgate.foreign.text import ForeignRefused

MAX_DEPTH = 64
"""Elements inside each other; a real file nests about 15 deep."""

MAX_ELEMENTS = 1_000_000
"""Elements that are kept, of about 500 bytes each."""

CHUNK = 1 << 18
MAX_TAG = 1 << 20
"""Bytes of one tag with its attributes, or of one comment."""

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

    def at(self, *tags: str) -> "Node | None":
        """Return the first element on this way down, or None."""
        node: Node | None = self
        for tag in tags:
            node = None if node is None else next(iter(node.all(tag)), None)
        return node

    def below(self, *tags: str) -> "list[Node]":
        """Return the elements of the last name, below the first on the way there."""
        inner = self.at(*tags[:-1])
        return [] if inner is None else inner.all(tags[-1])

    def said(self, *tags: str) -> str:
        """Return the text of the first element on this way down, without surrounding space."""
        node = self.at(*tags)
        return "" if node is None else node.text.strip()


@dataclass(frozen=True, slots=True)
class Form:
    """What a kind of file looks like, and what of it is wanted."""

    what: str
    """Its name in a sentence."""
    root: str
    """Its outermost element."""
    passed_over: Collection[str] = ()
    """Elements that nobody reads."""
    with_text: Collection[str] | None = None
    """Elements whose text is kept; None is all."""
    most_elements: int = MAX_ELEMENTS
    refusal: Callable[[str, str, int, int], Refused] = ForeignRefused
    """From file, message, line and column."""


class Unbound(Exception):
    """A prefix has no namespace; the file can still be read without namespaces."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


def parse(raw: bytes, file: str, form: Form, note: Callable[[int, str], None]) -> Node:
    """Parse the bytes of a file and return its outermost element.

    Raises:
        Refused: it is no XML of this form, is too deep, or declares entities.
    """
    try:
        return Parsing(file, " ", form).run(raw)
    except Unbound as unbound:
        note(unbound.line, "a prefix is used that no `xmlns` declares; what has it is skipped")
        return Parsing(file, ":", form).run(raw)


class Parsing:
    """One pass of expat over a file; names come as space and name, or prefix and name."""

    def __init__(self, file: str, separator: str, form: Form) -> None:
        self.file = file
        self.separator = separator
        self.form = form
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
            Refused: the file is not of this form.
            Unbound: it has a prefix without a namespace.
        """
        try:
            self.feed(raw)
        except expat.ExpatError as error:
            if error.code == UNBOUND_PREFIX and self.separator == " ":
                raise Unbound(error.lineno) from None
            why = expat.ErrorString(error.code)
            raise self.form.refusal(
                self.file, f"this is not XML: {why}", error.lineno, error.offset + 1
            ) from None
        except (ValueError, LookupError) as error:
            message = f"its encoding cannot be read: {error}"
            raise self.form.refusal(self.file, message, 1, 1) from None
        if self.root is None:
            raise self.form.refusal(self.file, "this file has no element", 1, 1)
        return self.root

    def feed(self, raw: bytes) -> None:
        """Give the parser all bytes, as long as it finds the ends of what they begin."""
        for start in range(0, len(raw), CHUNK):
            self.parser.Parse(raw[start : start + CHUNK], False)  # noqa: FBT003  expat's signature
            if start - self.parser.CurrentByteIndex > MAX_TAG:
                raise self.refuse(f"one element begins with more than {MAX_TAG >> 20} MB")
        self.parser.Parse(b"", True)  # noqa: FBT003  expat's own signature

    def refuse(self, message: str) -> Refused:
        """Return a refusal at the place where the parser is."""
        parser = self.parser
        return self.form.refusal(
            self.file, message, parser.CurrentLineNumber, parser.CurrentColumnNumber + 1
        )

    def doctype(self, *_: object) -> None:
        """Refuse a DTD: entities are declared there."""
        what = self.form.what
        raise self.refuse(f"a document type (DTD) is declared; {what} has none, delete it")

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
        if self.elements > self.form.most_elements:
            raise self.refuse(f"the file has more than {self.form.most_elements:,} elements")
        node = Node(tag, attributes, self.parser.CurrentLineNumber)
        if self.open:
            self.open[-1].children.append(node)
        else:
            self.root = node
        self.open.append(node)

    def meant(self, name: str) -> str | None:
        """Return an element's name without its namespace, None where it is passed over."""
        space, _, tag = name.rpartition(self.separator)
        form = self.form
        if self.space is None:
            if tag != form.root:
                raise self.refuse(
                    f"the file begins with `{tag[:40]}`; {form.what} begins with `{form.root}`"
                )
            self.space = space
        return tag if space in {self.space, ""} and tag not in form.passed_over else None

    def end(self, _: str) -> None:
        """Close an element."""
        self.depth -= 1
        if self.skipped:
            self.skipped -= 1
        else:
            self.open.pop()

    def characters(self, text: str) -> None:
        """Keep the text of the elements whose text is wanted."""
        if not self.open or self.skipped:
            return
        node = self.open[-1]
        if self.form.with_text is None or node.tag in self.form.with_text:
            node.text = (node.text + text)[:MAX_TEXT]
