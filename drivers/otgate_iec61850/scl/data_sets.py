"""Data sets: FCDAs resolved to the leaves that a report carries for them."""

import re
from collections.abc import Iterator, Mapping

from otgate.foreign.names import quoted
from otgate_iec61850.address import FCS, LOGICAL_NODE, DataSetName, Fc, Reference
from otgate_iec61850.scl.budget import Budget
from otgate_iec61850.scl.model import (
    Attribute,
    DataObject,
    DataSet,
    Leaf,
    LogicalNode,
    Member,
    attribute_leaves,
    leaves_of,
)
from otgate_iec61850.scl.notes import Notes
from otgate_iec61850.scl.tree import Node

INDEX = re.compile("[0-9]{1,5}")


class Shape:
    """The nodes of one server by name, and its domains by instance."""

    def __init__(
        self, nodes: Mapping[tuple[str, str], LogicalNode], domains: Mapping[str, str]
    ) -> None:
        self.nodes = nodes
        self.domains = domains
        self.objects: dict[tuple[str, str], Mapping[str, DataObject]] = {}

    def top(self, node: LogicalNode) -> Mapping[str, DataObject]:
        """Return a node's data objects by name."""
        key = (node.domain, node.name)
        if key not in self.objects:
            self.objects[key] = {one.name: one for one in node.objects}
        return self.objects[key]

    def steps(self, node: LogicalNode, path: str) -> list[DataObject | Attribute]:
        """Return what each name of a path leads to, as far as the model has it."""
        names = plain_names(path)
        at: DataObject | Attribute | None = self.top(node).get(names[0])
        found = []
        for name in [*names[1:], ""]:
            if at is None:
                break
            found.append(at)
            at = next((one for one in at.members if one.name == name), None)
        return found

    def indexed(self, node: LogicalNode, path: str, index: str) -> str:
        """Put an index behind the first array of a path."""
        names = path.split(".")
        for number, step in enumerate(self.steps(node, path)):
            if step.count and "(" not in names[number]:
                names[number] = f"{names[number]}({index})"
                break
        return ".".join(names)

    def below(self, node: LogicalNode, path: str) -> Iterator[Leaf]:
        """Yield every leaf at or below ``path``; an empty path is the node."""
        if not path:
            yield from node.leaves()
            return
        steps = self.steps(node, path)
        if len(steps) != len(path.split(".")):
            return
        last = steps[-1]
        if isinstance(last, DataObject):
            yield from leaves_of(last, path)
            return
        constraints = (step.fc for step in steps if isinstance(step, Attribute))
        fc = next((one for one in constraints if one is not None), None)
        if fc is not None:
            yield from attribute_leaves(last, path, fc)


class DataSets:
    """Reads the data sets of one server."""

    def __init__(self, shape: Shape, budget: Budget, notes: Notes) -> None:
        self.shape = shape
        self.budget = budget
        self.notes = notes

    def of(self, node: LogicalNode, element: Node) -> Iterator[DataSet]:
        """Yield the data sets that a node declares."""
        for one in element.all("DataSet"):
            if not LOGICAL_NODE.fullmatch(one.get("name")):
                self.notes.say(one.line, f"data set {quoted(one.get('name'))} is no name; left out")
                continue
            name = DataSetName(node.domain, node.name, one.get("name"))
            members = (self.member(node, fcda) for fcda in one.all("FCDA"))
            yield DataSet(name, tuple(member for member in members if member), one.line)

    def member(self, home: LogicalNode, fcda: Node) -> Member | None:
        """Resolve one FCDA; what the model lacks stays a member, without leaves."""
        domain = self.shape.domains.get(fcda.get("ldInst"))
        if domain is None:
            domain = home.domain
            if fcda.get("ldInst"):
                message = f"a data set names logical device {quoted(fcda.get('ldInst'))}"
                self.notes.say(fcda.line, f"{message}, which the server does not have")
                return None
        name = fcda.get("prefix") + (fcda.get("lnClass") or "LLN0") + fcda.get("lnInst")
        path = ".".join(part for part in (fcda.get("doName"), fcda.get("daName")) if part)
        if fcda.get("fc") not in FCS:
            self.notes.say(fcda.line, f"data set member {quoted(path)} has no known fc; left out")
            return None
        fc = Fc(fcda.get("fc"))
        node = self.shape.nodes.get((domain, name))
        if node is not None and INDEX.fullmatch(fcda.get("ix")):
            path = self.shape.indexed(node, path, fcda.get("ix"))
        leaves = () if node is None else tuple(self.leaves(node, path, fc))
        if not leaves:
            said = quoted(f"{domain}/{name}.{path} [{fc}]")
            self.notes.say(fcda.line, f"data set member {said} is not in the server's model")
        return Member(domain, name, path, fc, leaves, whole=not fcda.get("daName"))

    def leaves(self, node: LogicalNode, path: str, fc: Fc) -> Iterator[Reference]:
        """Yield the leaves of a member, in the order of its structure.

        Raises:
            SclRefused: the data sets hold more than any real ones.
        """
        for leaf in self.shape.below(node, path):
            self.budget.expand(node.line)
            if leaf.fc is fc:
                yield Reference(node.domain, node.name, leaf.path, fc)


def plain_names(path: str) -> list[str]:
    """Return the names of a path without indices."""
    return [name.partition("(")[0] for name in path.split(".")]
