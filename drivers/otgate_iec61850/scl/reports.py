"""Report controls, and the names of the instances that a server makes of each."""

from collections.abc import Iterator

from otgate.foreign.names import quoted
from otgate_iec61850.address import ControlBlock, DataSetName
from otgate_iec61850.scl.model import LogicalNode, ReportControl
from otgate_iec61850.scl.notes import Notes
from otgate_iec61850.scl.templates import NAME
from otgate_iec61850.scl.tree import Node

MAX_INSTANCES = 99
"""Indexed instances have two digits: IEC 61850-8-1."""

TRIGGERS = ("dchg", "qchg", "dupd", "period", "gi")
FIELDS = (
    *("seqNum", "timeStamp", "dataSet", "reasonCode", "dataRef", "entryID", "configRef", "bufOvfl"),
    "segmentation",
)


def report_controls(
    node: LogicalNode, element: Node, data_sets: set[str], notes: Notes
) -> Iterator[ReportControl]:
    """Yield the report controls of a node whose data sets are ``data_sets``."""
    for one in element.all("ReportControl"):
        if not NAME.fullmatch(one.get("name")):
            notes.say(one.line, f"report control {quoted(one.get('name'))} is no name; left out")
            continue
        name = one.get("datSet")
        if name and name not in data_sets:
            message = f"report control {quoted(one.get('name'))} has data set {quoted(name)}"
            notes.say(one.line, f"{message}, which its node does not declare")
        yield report_control(node, one, notes)


def report_control(node: LogicalNode, one: Node, notes: Notes) -> ReportControl:
    """Resolve one report control."""
    buffered = one.get("buffered") == "true"
    name = one.get("datSet")
    return ReportControl(
        name=one.get("name"),
        buffered=buffered,
        instances=tuple(
            ControlBlock(node.domain, node.name, buffered, instance)
            for instance in instance_names(one, notes)
        ),
        clients=tuple(clients(one)),
        data_set=DataSetName(node.domain, node.name, name) if name else None,
        rpt_id=one.get("rptID"),
        conf_rev=number(one, "confRev"),
        integrity_ms=number(one, "intgPd"),
        buffer_ms=number(one, "bufTime"),
        triggers=switches(one, "TrgOps", TRIGGERS, {"gi"}),
        fields=switches(one, "OptFields", FIELDS, set()),
        line=one.line,
    )


def instance_names(one: Node, notes: Notes) -> Iterator[str]:
    """Yield the names that the server's instances have."""
    enabled = one.all("RptEnabled")
    most = number(enabled[0], "max") if enabled and enabled[0].get("max") else 1
    if most > MAX_INSTANCES:
        message = f"report control {quoted(one.get('name'))} has {most} instances"
        notes.say(one.line, f"{message}; {MAX_INSTANCES} are taken")
    if one.get("indexed") == "false":
        yield one.get("name")
        return
    for index in range(1, max(1, min(most, MAX_INSTANCES)) + 1):
        yield f"{one.get('name')}{index:02d}"


def clients(one: Node) -> Iterator[str]:
    """Yield the IEDs that instances are meant for, in order of the instances."""
    for enabled in one.all("RptEnabled"):
        yield from (client.get("iedName") for client in enabled.all("ClientLN"))


def switches(one: Node, tag: str, names: tuple[str, ...], default: set[str]) -> frozenset[str]:
    """Return which of ``names`` an element switches on; ``default`` where it does not say."""
    found = next(iter(one.all(tag)), None)
    if found is None:
        return frozenset(default)
    return frozenset(
        name for name in names if (found.get(name) or str(name in default).lower()) == "true"
    )


def number(one: Node, name: str) -> int:
    """Return a whole number, 0 where there is none."""
    text = one.get(name)
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 11 else 0
