"""IEDs, their access points, logical devices and nodes, with the values that instances have."""

import re
from collections.abc import Iterator, Mapping

from otgate.foreign.names import quoted
from otgate_iec61850.address import LOGICAL_DEVICE, LOGICAL_NODE
from otgate_iec61850.scl.budget import Budget
from otgate_iec61850.scl.communication import Addresses
from otgate_iec61850.scl.data_sets import DataSets, Shape
from otgate_iec61850.scl.model import AccessPoint, Ied, LogicalDevice, LogicalNode
from otgate_iec61850.scl.notes import Notes
from otgate_iec61850.scl.reports import report_controls
from otgate_iec61850.scl.substation import Places
from otgate_iec61850.scl.templates import Templates, value_in
from otgate_iec61850.scl.tree import Node

INDEX = re.compile("[0-9]{1,5}")
MAX_LEVELS, MAX_NAME = 10, 64
"""Of the values that an instance configures: steps of a path, and characters of a step."""


class Instances:
    """Resolves IEDs one at a time, as they are asked for."""

    def __init__(
        self, file: str, templates: Templates, places: Places, addresses: Addresses, notes: Notes
    ) -> None:
        self.budget = Budget(file)
        self.templates = templates
        self.places = places
        self.addresses = addresses
        self.notes = notes

    def ied(self, node: Node) -> Ied:
        """Resolve one IED.

        Raises:
            SclRefused: the file has become larger than any real one.
        """
        servers = {
            point.get("name"): server
            for point in node.all("AccessPoint")
            for server in point.all("Server")[:1]
        }
        points = [
            self.access_point(node, point, server)
            for point in node.all("AccessPoint")
            if (server := self.server(point, servers)) is not None
        ]
        return Ied(
            node.get("name"), node.get("desc"), node.get("manufacturer"), node.get("type"), points
        )

    def server(self, point: Node, servers: Mapping[str, Node]) -> Node | None:
        """Return the server of an access point, its own or the one it shares."""
        if point.get("name") in servers:
            return servers[point.get("name")]
        for shared in point.all("ServerAt"):
            if shared.get("apName") in servers:
                return servers[shared.get("apName")]
            message = f"ServerAt names {quoted(shared.get('apName'))}, which has no server"
            self.notes.say(shared.line, message)
        return None

    def access_point(self, ied: Node, point: Node, server: Node) -> AccessPoint:
        """Resolve one server: its nodes first, then the data sets that speak of them."""
        drafts = list(self.drafts(ied, server))
        leaves = sum(one.leaves for _, _, nodes in drafts for n, _ in nodes for one in n.objects)
        self.budget.resolve(leaves, ied.line)
        domains = {inst: domain for domain, inst, _ in drafts}
        shape = Shape({(n.domain, n.name): n for _, _, nodes in drafts for n, _ in nodes}, domains)
        reader = DataSets(shape, self.budget, self.notes)
        devices = tuple(
            LogicalDevice(
                domain,
                inst,
                descriptions(ied, server, inst),
                tuple(self.complete(draft, node, reader) for draft, node in nodes),
            )
            for domain, inst, nodes in drafts
        )
        address = self.addresses.of(ied.get("name"), point)
        return AccessPoint(point.get("name"), address, devices)

    def drafts(
        self, ied: Node, server: Node
    ) -> Iterator[tuple[str, str, list[tuple[LogicalNode, Node]]]]:
        """Yield each logical device's domain, instance, and nodes without data sets."""
        seen: set[str] = set()
        for device in server.all("LDevice"):
            inst = device.get("inst")
            domain = device.get("ldName") or ied.get("name") + inst
            if not LOGICAL_DEVICE.fullmatch(domain) or domain in seen:
                why = "declared twice" if domain in seen else "no name of a logical device"
                self.notes.say(device.line, f"LDevice {quoted(domain)} is {why}; it is left out")
                continue
            seen.add(domain)
            yield domain, inst, list(self.nodes(ied, device, domain))

    def nodes(self, ied: Node, device: Node, domain: str) -> Iterator[tuple[LogicalNode, Node]]:
        """Yield the nodes of a logical device with their elements."""
        seen: set[str] = set()
        for node in device.all("LN0", "LN"):
            name = node.get("prefix") + (node.get("lnClass") or "LLN0") + node.get("inst")
            if not LOGICAL_NODE.fullmatch(name) or name in seen:
                why = "declared twice" if name in seen else "no name of a logical node"
                self.notes.say(node.line, f"{quoted(f'{domain}/{name}')} is {why}; it is left out")
                continue
            seen.add(name)
            yield self.draft(ied, device, domain, name, node), node

    def draft(self, ied: Node, device: Node, domain: str, name: str, node: Node) -> LogicalNode:
        """Resolve a node but for its data sets and reports."""
        values: dict[str, str] = {}
        texts = {"": node.get("desc")} if node.get("desc") else {}
        for one in node.all("DOI"):
            overrides(one, "", values, texts)
        key = (ied.get("name"), device.get("inst"), node.get("prefix"))
        return LogicalNode(
            domain=domain,
            name=name,
            cls=node.get("lnClass") or "LLN0",
            type=node.get("lnType"),
            description=node.get("desc"),
            place=self.places.of((*key, node.get("lnClass") or "LLN0", node.get("inst"))),
            objects=self.templates.objects(node.get("lnType"), node.line),
            values=values,
            descriptions=texts,
            line=node.line,
        )

    def complete(self, draft: LogicalNode, node: Node, reader: DataSets) -> LogicalNode:
        """Add the data sets and the reports of a node."""
        if not node.all("DataSet", "ReportControl"):
            return draft
        data_sets = tuple(reader.of(draft, node))
        known = {one.name.name for one in data_sets}
        reports = []
        for control in report_controls(draft, node, known, self.notes):
            self.budget.instantiate(len(control.instances), control.line)
            reports.append(control)
        return LogicalNode(
            domain=draft.domain,
            name=draft.name,
            cls=draft.cls,
            type=draft.type,
            description=draft.description,
            place=draft.place,
            objects=draft.objects,
            values=draft.values,
            descriptions=draft.descriptions,
            data_sets=data_sets,
            reports=tuple(reports),
            line=draft.line,
        )


def descriptions(ied: Node, server: Node, inst: str) -> str:
    """Return what is said of a logical device, else of its IED."""
    said = (one.get("desc") for one in server.all("LDevice") if one.get("inst") == inst)
    return next(said, "") or ied.get("desc")


def overrides(node: Node, before: str, values: dict[str, str], texts: dict[str, str]) -> None:
    """Collect the values and descriptions of a DOI, SDI or DAI and what is below it, by path."""
    if len(node.get("name")) > MAX_NAME or before.count(".") >= MAX_LEVELS:
        return
    index = f"({node.get('ix')})" if INDEX.fullmatch(node.get("ix")) else ""
    path = f"{before}{node.get('name')}{index}"
    if node.get("desc"):
        texts.setdefault(path, node.get("desc"))
    if any(val.tag == "Val" for val in node.children):
        values.setdefault(path, value_in(node))
    for child in node.all("SDI", "DAI"):
        overrides(child, f"{path}.", values, texts)
