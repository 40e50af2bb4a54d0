"""What a server holds as its SCL file says: types, configured values, data sets, control blocks."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from otgate_iec61850.mms.naming import Name, Variable
from otgate_iec61850.mms.rcb import TRIGGER_BITS, Trigger
from otgate_iec61850.mms.reference import reference
from otgate_iec61850.mms.report import OPTION_BITS, Option
from otgate_iec61850.mms.values import Bits, UtcTime, Value
from otgate_iec61850.scl.model import (
    AccessPoint,
    Attribute,
    DataObject,
    DataSet,
    LogicalNode,
    ReportControl,
)
from otgate_iec61850.scl.values import value_of
from otgate_sim.iec61850.attributes import Configured
from otgate_sim.iec61850.holding import Branch, Elements, Holding, Leaf, Node
from otgate_sim.iec61850.scalars import first_value, scalar, spelled

WRITABLE = frozenset({"SP", "SE", "SV", "CF", "DC"})
"""Constraints of what a client may set: IEC 61850-7-2."""

FCS = ("ST", "MX", "SP", "SG", "SE", "SV", "CF", "DC", "CO", "SR", "OR", "BL", "EX")
"""In the order in which a node has them."""

TRIGGERS = {
    "dchg": Trigger.DATA_CHANGE, "qchg": Trigger.QUALITY_CHANGE, "dupd": Trigger.DATA_UPDATE,
    "period": Trigger.INTEGRITY, "gi": Trigger.GENERAL_INTERROGATION,
}  # fmt: skip
FIELDS = {
    "seqNum": Option.SEQUENCE_NUMBER, "timeStamp": Option.TIME_STAMP,
    "reasonCode": Option.REASON, "dataSet": Option.DATA_SET, "dataRef": Option.DATA_REFERENCE,
    "bufOvfl": Option.BUFFER_OVERFLOW, "entryID": Option.ENTRY_ID,
    "configRef": Option.CONF_REVISION,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Making:
    """One node under one constraint."""

    values: Mapping[str, str]
    fc: str
    now: UtcTime


def held(server: AccessPoint, now_ns: int, time_quality: int) -> Holding:
    """Return what a server holds; stamps begin at ``now_ns``."""
    holding = Holding()
    now = UtcTime.of(now_ns, time_quality)
    for node in server.nodes():
        for fc in FCS:
            _place(holding, node, _Making(node.values, fc, now))
        holding.domains.setdefault(node.domain, Branch()).members.setdefault(node.name, Branch())
    for data_set in server.data_sets():
        name = Name(data_set.name.domain, data_set.name.item)
        holding.lists[name] = tuple(_members(data_set, holding))
        holding.fixed.add(name)
    return holding


def configured_in(server: AccessPoint) -> Iterator[tuple[Name, Configured]]:
    """Yield each instance of the report control blocks, and what the file says of it."""
    for control in server.reports():
        for instance in control.instances:
            yield Name(instance.domain, instance.item), _configured(control)


def _configured(control: ReportControl) -> Configured:
    named = control.data_set
    return Configured(
        f"{named.domain}/{named.item}" if named is not None else "",
        control.rpt_id,
        control.conf_rev,
        Bits.of(OPTION_BITS, *(FIELDS[each] for each in control.fields if each in FIELDS)),
        Bits.of(TRIGGER_BITS, *(TRIGGERS[each] for each in control.triggers)),
        control.buffer_ms,
        control.integrity_ms,
    )


def _place(holding: Holding, node: LogicalNode, making: _Making) -> None:
    for one in node.objects:
        made = _object(one, one.name, making)
        if made is not None:
            holding.place(node.domain, [node.name, making.fc, one.name], made)


def _object(one: DataObject, path: str, making: _Making) -> Node | None:
    """Return what an object has under the constraint, None where it has nothing."""
    branch = Branch()
    for member in one.members:
        below = f"{path}.{member.name}"
        made: Node | None = None
        if isinstance(member, DataObject):
            made = _object(member, below, making)
        elif str(member.fc) == making.fc:
            made = _attribute(member, below, making, member.triggers)
        if made is not None:
            branch.members[member.name] = made
    if not branch.members:
        return None
    return _array([_object(one, path, making) for _ in range(one.count)]) or branch


def _attribute(one: Attribute, path: str, making: _Making, triggers: frozenset[str]) -> Node | None:
    if one.count > 0:
        return _array([_single(one, f"{path}({n})", making, triggers) for n in range(one.count)])
    return _single(one, path, making, triggers)


def _single(one: Attribute, path: str, making: _Making, triggers: frozenset[str]) -> Node | None:
    if one.b_type != "Struct":
        return _leaf(one, path, making, triggers)
    branch = Branch()
    for member in one.members:
        made = _attribute(member, f"{path}.{member.name}", making, triggers | member.triggers)
        if made is not None:
            branch.members[member.name] = made
    return branch if branch.members else None


def _array(members: list[Node | None]) -> Elements | None:
    found = [each for each in members if each is not None]
    return Elements(found) if found else None


def _leaf(one: Attribute, path: str, making: _Making, triggers: frozenset[str]) -> Leaf:
    type_ = scalar(one.b_type)
    value: Value = making.now if one.b_type == "Timestamp" else first_value(type_)
    text = making.values.get(path, one.value)
    said = value_of(one, text) if text else None
    if said is not None:
        with suppress(TypeError):  # text where the type wants octets
            value = spelled(type_, said)
    return Leaf(type_, value, triggers, making.fc in WRITABLE)


def _members(data_set: DataSet, holding: Holding) -> Iterator[Variable]:
    """Yield the members that the model has."""
    for member in data_set.members:
        path = f".{member.path}" if member.path else ""
        found = reference(f"{member.domain}/{member.node}{path} [{member.fc}]").variable
        if holding.find(found) is not None:
            yield found
