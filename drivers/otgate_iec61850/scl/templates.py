"""DataTypeTemplates: types by id, resolved once and shared by every node that has them.

A type's leaves are counted as it is built, so that one whose size multiplies with each level is
left out before anything walks it.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TypeVar

from otgate.foreign.names import quoted
from otgate_iec61850.address import FCS, Fc
from otgate_iec61850.scl.model import Attribute, DataObject
from otgate_iec61850.scl.notes import Notes
from otgate_iec61850.scl.tree import Node

MAX_LEVELS = 16
"""Structures inside each other; IEC 61850-7-3 needs five."""

MAX_LABELS = 256
"""Labels of one enum; SIUnit, the longest of IEC 61850-7-3, has below 100."""

MAX_LEAVES = 50_000
"""Leaves of one type; a data object of a real file has below 500."""

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
TRIGGERS = ("dchg", "qchg", "dupd")
NO_STATES: Mapping[int, str] = MappingProxyType({})
DBPOS = MappingProxyType({0: "intermediate", 1: "off", 2: "on", 3: "bad"})
"""Codes of a double point: IEC 61850-7-3."""

TCMD = MappingProxyType({0: "stop", 1: "lower", 2: "higher", 3: "reserved"})
CODED = {"Dbpos": DBPOS, "Tcmd": TCMD}
T = TypeVar("T")


class Templates:
    """The types of a file."""

    def __init__(self, root: Node, notes: Notes) -> None:
        self.notes = notes
        self.nodes: dict[str, dict[str, Node]] = {
            tag: {} for tag in ("LNodeType", "DOType", "DAType", "EnumType")
        }
        for templates in root.all("DataTypeTemplates"):
            for node in templates.children:
                self.index(node)
        self.enums: dict[str, Mapping[int, str]] = {}
        self.structures: dict[str, tuple[Attribute, ...]] = {}
        self.object_types: dict[str, tuple[DataObject | Attribute, ...]] = {}
        self.node_types: dict[str, tuple[DataObject, ...]] = {}
        self.building: list[str] = []

    def index(self, node: Node) -> None:
        """Keep a type by its id; the first of one id counts."""
        known = self.nodes.get(node.tag)
        if known is None:
            return
        if known.setdefault(node.get("id"), node) is not node:
            self.notes.say(
                node.line,
                f"{node.tag} {quoted(node.get('id'))} is declared twice; the first counts",
            )

    def objects(self, type_id: str, line: int) -> tuple[DataObject, ...]:
        """Return the data objects of a logical node type; none where the file lacks it."""
        if type_id not in self.node_types:
            node = self.find("LNodeType", type_id, line)
            made = () if node is None else (self.object(one) for one in node.all("DO"))
            self.node_types[type_id] = tuple(unique(made, self.notes))
        return self.node_types[type_id]

    def object(self, node: Node) -> DataObject | None:
        """Return a DO or SDO with everything below it, None where it cannot be resolved."""
        type_id = node.get("type")
        members = self.resolved(
            "DOType", type_id, node.line, self.object_types, self.object_members
        )
        if members is None or not self.named(node):
            return None
        declared = self.nodes["DOType"][type_id]
        count = self.count(node)
        return DataObject(
            name=node.get("name"),
            cdc=declared.get("cdc"),
            type=type_id,
            description=node.get("desc") or declared.get("desc"),
            count=count,
            transient=node.get("transient") == "true",
            members=members,
            leaves=max(1, sum(member.leaves for member in members)),
            line=node.line,
        )

    def object_members(self, node: Node) -> Iterable[DataObject | Attribute | None]:
        """Return the members of a DOType in its order."""
        for child in node.children:
            if child.tag == "SDO":
                yield self.object(child)
            elif child.tag == "DA":
                yield self.data_attribute(child)

    def data_attribute(self, node: Node) -> Attribute | None:
        """Return a DA, which says its functional constraint."""
        if node.get("fc") not in FCS:
            message = f"attribute {quoted(node.get('name'))} has no known fc; it is left out"
            self.notes.say(node.line, message)
            return None
        return self.attribute(node, Fc(node.get("fc")))

    def attribute(self, node: Node, fc: Fc | None = None) -> Attribute | None:
        """Return a DA or BDA with everything below it."""
        if not self.named(node):
            return None
        b_type, type_id = node.get("bType"), node.get("type")
        members = self.structure(type_id, node.line) if b_type == "Struct" else ()
        if members is None:
            return None
        return Attribute(
            name=node.get("name"),
            b_type=b_type,
            type=type_id,
            fc=fc,
            count=self.count(node),
            value=value_in(node),
            states=self.states(b_type, type_id, node.line),
            triggers=frozenset(name for name in TRIGGERS if node.get(name) == "true"),
            members=members,
            leaves=max(1, sum(member.leaves for member in members)),
            line=node.line,
        )

    def structure(self, type_id: str, line: int) -> tuple[Attribute, ...] | None:
        """Return the members of a structure, None where it cannot be resolved."""
        return self.resolved("DAType", type_id, line, self.structures, self.structure_members)

    def structure_members(self, node: Node) -> Iterable[Attribute | None]:
        """Return the members of a DAType."""
        return (self.attribute(child) for child in node.all("BDA"))

    def resolved(
        self,
        tag: str,
        type_id: str,
        line: int,
        known: dict[str, tuple[T, ...]],
        members: Callable[[Node], Iterable[T | None]],
    ) -> tuple[T, ...] | None:
        """Return the members of a type, built once; None where it is missing or contains itself."""
        if type_id in known:
            return known[type_id]
        node = self.find(tag, type_id, line)
        if node is None:
            return None
        key = f"{tag} {type_id}"
        if key in self.building or len(self.building) >= MAX_LEVELS:
            why = "contains itself" if key in self.building else f"is deeper than {MAX_LEVELS}"
            self.notes.say(line, f"{tag} {quoted(type_id)} {why}; it is left out there")
            return None
        self.building.append(key)
        try:
            made = self.bounded(node, tuple(unique(members(node), self.notes)))
        finally:
            self.building.pop()
        known[type_id] = made
        return made

    def bounded(self, node: Node, members: tuple[T, ...]) -> tuple[T, ...]:
        """Return the members of a type, none where they hold too many leaves."""
        if sum(getattr(member, "leaves", 0) for member in members) <= MAX_LEAVES:
            return members
        message = f"{node.tag} {quoted(node.get('id'))} has more than {MAX_LEAVES:,} attributes"
        self.notes.say(node.line, f"{message}; they are left out")
        return ()

    def find(
        self, tag: str, type_id: str, line: int, instead: str = "what has it is left out"
    ) -> Node | None:
        """Return a type's element; note that it is missing."""
        node = self.nodes[tag].get(type_id)
        if node is None:
            self.notes.say(line, f"{tag} {quoted(type_id)} is not in the file; {instead}")
        return node

    def named(self, node: Node) -> bool:
        """Tell whether an element has a name that a reference can carry."""
        if NAME.fullmatch(node.get("name")):
            return True
        self.notes.say(
            node.line, f"{node.tag} {quoted(node.get('name'))} is no name; it is left out"
        )
        return False

    def count(self, node: Node) -> int:
        """Return an array's elements: 0 for no array, -1 where another attribute says."""
        text = node.get("count")
        if not text:
            return 0
        return int(text) if text.isdecimal() and len(text) < 7 else -1

    def states(self, b_type: str, type_id: str, line: int) -> Mapping[int, str]:
        """Return the labels of an enum's codes."""
        if b_type in CODED:
            return CODED[b_type]
        if b_type != "Enum":
            return NO_STATES
        if type_id not in self.enums:
            node = self.find("EnumType", type_id, line, "its codes have no labels")
            self.enums[type_id] = NO_STATES if node is None else self.labels(node)
        return self.enums[type_id]

    def labels(self, node: Node) -> Mapping[int, str]:
        """Return the labels of an EnumType; an ordinal that is no number is noted."""
        labels: dict[int, str] = {}
        values = node.all("EnumVal")
        if len(values) > MAX_LABELS:
            message = f"EnumType {quoted(node.get('id'))} has {len(values):,} values"
            self.notes.say(node.line, f"{message}; the first {MAX_LABELS} are taken")
        for one in values[:MAX_LABELS]:
            try:
                labels.setdefault(int(one.get("ord")[:20]), one.text.strip())
            except ValueError:
                message = f"EnumType {quoted(node.get('id'))} has an ordinal that is no number"
                self.notes.say(one.line, message)
        return MappingProxyType(labels)


def unique(members: Iterable[T | None], notes: Notes) -> Iterable[T]:
    """Yield what was resolved, the first of each name."""
    names: set[str] = set()
    for member in members:
        if member is None:
            continue
        name = str(getattr(member, "name", ""))
        if name in names:
            notes.say(getattr(member, "line", 0), f"{quoted(name)} is declared twice in one type")
        else:
            names.add(name)
            yield member


def value_in(node: Node) -> str:
    """Return the first Val of a DA, BDA or DAI, as written."""
    return next((val.text.strip() for val in node.children if val.tag == "Val"), "")
