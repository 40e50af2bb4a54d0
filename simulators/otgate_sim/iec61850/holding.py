"""What a simulated server holds: logical nodes as trees of named values, and lists of them.

``LN → FC → DO → … → leaf``: each branch is an MMS structure, so a variable's name is its path.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol, cast

from otgate_iec61850.mms.access import InformationReport
from otgate_iec61850.mms.naming import Name, Variable
from otgate_iec61850.mms.typespec import ArrayType, Scalar, Structure, Type
from otgate_iec61850.mms.values import Array, Failure, Value


class Client(Protocol):
    """One association, as what is served sees it."""

    address: bytes
    """Its network address, four octets."""
    lists: dict[str, tuple[Variable, ...]]
    """Variable lists that live as long as the association."""

    @property
    def largest_pdu(self) -> int:
        """Octets of the largest PDU agreed upon."""

    @property
    def ready(self) -> bool:
        """Whether it takes reports now; if not, a buffer keeps them."""

    def report(self, report: InformationReport) -> None:
        """Send values unasked, after the response that is being made."""

    def tell(self, report: InformationReport) -> None:
        """Send values unasked, before the response that is being made."""


Written = Callable[[Value, Client], Failure | None]
Shown = Callable[[Client | None], Value]


@dataclass(slots=True, eq=False)
class Leaf:
    """One value."""

    type: Scalar
    value: Value
    triggers: frozenset[str] = frozenset()
    """Of ``dchg``, ``qchg``, ``dupd``."""
    writable: bool = False
    written: Written | None = None
    """What a client's write does instead of setting the value."""
    shown: Shown | None = None
    """What a client reads instead of the value."""


@dataclass(slots=True, eq=False)
class Branch:
    """Named components."""

    members: dict[str, "Node"] = field(default_factory=dict)
    written: Written | None = None


@dataclass(slots=True, eq=False)
class Elements:
    """An array."""

    members: list["Node"]


Node = Leaf | Branch | Elements


def shown(node: Node, client: Client | None = None) -> Value:
    """Return a node's value as MMS carries it."""
    if isinstance(node, Leaf):
        return node.value if node.shown is None else node.shown(client)
    if isinstance(node, Branch):
        return tuple(shown(each, client) for each in node.members.values())
    return Array(shown(each, client) for each in node.members)


def described(node: Node) -> Type:
    """Return a node's type."""
    if isinstance(node, Leaf):
        return node.type
    if isinstance(node, Branch):
        return Structure(tuple((name, described(each)) for name, each in node.members.items()))
    return ArrayType(len(node.members), described(node.members[0]))


def leaves(node: Node) -> Iterator[Leaf]:
    """Yield the leaves of a node in the order of its value."""
    if isinstance(node, Leaf):
        yield node
        return
    members = node.members.values() if isinstance(node, Branch) else node.members
    for each in members:
        yield from leaves(each)


def below(node: Node, names: list[str]) -> Node | None:
    """Return what lies at a path below a node."""
    found: Node | None = node
    for name in names:
        if not isinstance(found, Branch):
            return None
        found = found.members.get(name)
    return found


class Holding:
    """The logical devices of one server."""

    def __init__(self) -> None:
        self.domains: dict[str, Branch] = {}
        """Logical nodes by name, below each logical device."""
        self.lists: dict[Name, tuple[Variable, ...]] = {}
        self.fixed: set[Name] = set()
        """Lists that the configuration declares; nobody deletes them."""

    def place(self, domain: str, names: list[str], node: Node) -> None:
        """Put a node at a path, with the branches that lead to it."""
        at = self.domains.setdefault(domain, Branch())
        for name in names[:-1]:
            at = cast("Branch", at.members.setdefault(name, Branch()))
        at.members[names[-1]] = node

    def find(self, variable: Variable) -> Node | None:
        """Return what a variable names, None where there is no such thing."""
        domain = self.domains.get(variable.name.domain)
        if domain is None or not variable.name.item:
            return None
        node = below(domain, variable.name.item.split("$"))
        if variable.index is None:
            return node
        if not isinstance(node, Elements) or variable.index >= len(node.members):
            return None
        inner = variable.component.split("$") if variable.component else []
        return below(node.members[variable.index], inner)

    def chain(self, name: Name) -> list[Node]:
        """Return every node from the logical node down to a name, as far as there are such."""
        found: list[Node] = []
        at: Node | None = self.domains.get(name.domain)
        for part in name.item.split("$"):
            at = at.members.get(part) if isinstance(at, Branch) else None
            if at is None:
                break
            found.append(at)
        return found

    def names(self, domain: str) -> list[str]:
        """Return the names of all variables of a domain, in order."""
        return sorted(_names(self.domains[domain], ""))


def _names(branch: Branch, before: str) -> Iterator[str]:
    for name, node in branch.members.items():
        yield before + name
        if isinstance(node, Branch):
            yield from _names(node, f"{before}{name}$")
