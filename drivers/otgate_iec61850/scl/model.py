"""A server as its SCL file describes it: plain values, shared between nodes of one type.

``Ied → AccessPoint → LogicalDevice → LogicalNode → DataObject → Attribute``. Objects and
attributes are types, shared by every logical node of one ``lnType``; what a node instance says
otherwise (values, descriptions) stands in its ``values`` and ``descriptions``, by path.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from otgate_iec61850.address import ControlBlock, DataSetName, Fc, Reference

Place = tuple[str, str, str, str, str]
"""Substation, voltage level, bay, equipment, phase."""

NOWHERE: Place = ("", "", "", "", "")


@dataclass(frozen=True, slots=True)
class Attribute:
    """A data attribute or a member of one; a leaf has no members."""

    name: str
    b_type: str
    """``FLOAT32``, ``Dbpos``, ``Enum``, ``Struct`` …, as SCL writes it."""
    type: str = ""
    """Id of the DAType or EnumType."""
    fc: Fc | None = None
    """Functional constraint; None for members, which have their attribute's."""
    count: int = 0
    """Elements where it is an array, 0 where it is none, -1 where another attribute says."""
    value: str = ""
    """Default of the type, as written."""
    states: Mapping[int, str] = field(default_factory=dict)
    """Labels of an enum."""
    triggers: frozenset[str] = frozenset()
    """Of ``dchg``, ``qchg``, ``dupd``."""
    members: "tuple[Attribute, ...]" = ()
    leaves: int = 1
    line: int = 0


@dataclass(frozen=True, slots=True)
class DataObject:
    """A data object or sub-data object: its attributes and sub-objects in the type's order."""

    name: str
    cdc: str
    type: str
    description: str = ""
    count: int = 0
    transient: bool = False
    members: "tuple[DataObject | Attribute, ...]" = ()
    leaves: int = 0
    line: int = 0


class Leaf(NamedTuple):
    """One leaf below a logical node."""

    path: str
    """Names below the node, joined by ``.``; arrays without an index."""
    fc: Fc
    attribute: Attribute
    array: bool
    """Whether it lies in an array, so that an address needs an index."""


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of a data set, in order: one value of a report."""

    domain: str
    node: str
    path: str
    """A data object (all of its attributes under ``fc``) or an attribute; may be empty."""
    fc: Fc
    leaves: tuple[Reference, ...] = ()
    """What the value consists of, in the order of the structure."""
    whole: bool = False
    """Whether it is a data object (or a node), with all of its attributes under ``fc``."""

    def __str__(self) -> str:
        return f"{self.domain}/{self.node}{'.' * bool(self.path)}{self.path} [{self.fc}]"


@dataclass(frozen=True, slots=True)
class DataSet:
    """A persistent data set."""

    name: DataSetName
    members: tuple[Member, ...]
    line: int = 0


@dataclass(frozen=True, slots=True)
class ReportControl:
    """A report control with the instances that the server has of it."""

    name: str
    buffered: bool
    instances: tuple[ControlBlock, ...]
    clients: tuple[str, ...]
    """The client that each instance is meant for, in order; fewer than instances, or none."""
    data_set: DataSetName | None
    rpt_id: str = ""
    """As configured; where empty the server uses the instance's own reference."""
    conf_rev: int = 0
    integrity_ms: int = 0
    buffer_ms: int = 0
    triggers: frozenset[str] = frozenset()
    """Of ``dchg``, ``qchg``, ``dupd``, ``period``, ``gi``."""
    fields: frozenset[str] = frozenset()
    """Of ``seqNum``, ``timeStamp``, ``dataSet``, ``reasonCode``, ``dataRef``, ``entryID`` …"""
    line: int = 0


@dataclass(frozen=True, slots=True)
class LogicalNode:
    """A logical node instance."""

    domain: str
    name: str
    """Prefix, class and instance joined, as references write it."""
    cls: str
    type: str
    description: str
    place: Place
    objects: tuple[DataObject, ...]
    values: Mapping[str, str]
    """Values that this instance configures, by path, as written."""
    descriptions: Mapping[str, str]
    """Descriptions that this instance gives, by path; the empty path is the node."""
    data_sets: tuple[DataSet, ...] = ()
    reports: tuple[ReportControl, ...] = ()
    line: int = 0

    def leaves(self) -> Iterator[Leaf]:
        """Yield every leaf, in the order of the type."""
        for one in self.objects:
            yield from leaves_of(one, one.name)


@dataclass(frozen=True, slots=True)
class LogicalDevice:
    """A logical device: an MMS domain."""

    domain: str
    """``ldName``, else the IED's name and the instance."""
    inst: str
    description: str
    nodes: tuple[LogicalNode, ...]

    def node(self, name: str) -> LogicalNode | None:
        """Return the node of this name."""
        return next((node for node in self.nodes if node.name == name), None)


@dataclass(frozen=True, slots=True)
class Address:
    """Where an access point listens; selectors as bytes, None where the file says nothing."""

    host: str = ""
    port: int = 102
    ap_title: tuple[int, ...] | None = None
    ae_qualifier: int | None = None
    p_selector: bytes | None = None
    s_selector: bytes | None = None
    t_selector: bytes | None = None
    subnetwork: str = ""


@dataclass(frozen=True, slots=True)
class AccessPoint:
    """A server of an IED."""

    name: str
    address: Address | None
    devices: tuple[LogicalDevice, ...]

    def nodes(self) -> Iterator[LogicalNode]:
        """Yield the nodes of all logical devices."""
        for device in self.devices:
            yield from device.nodes

    def data_sets(self) -> Iterator[DataSet]:
        """Yield all data sets."""
        for node in self.nodes():
            yield from node.data_sets

    def reports(self) -> Iterator[ReportControl]:
        """Yield all report controls."""
        for node in self.nodes():
            yield from node.reports


@dataclass(frozen=True, slots=True)
class Ied:
    """One intelligent electronic device."""

    name: str
    description: str
    manufacturer: str
    type: str
    access_points: Sequence[AccessPoint]


def leaves_of(one: DataObject, path: str, *, array: bool = False) -> Iterator[Leaf]:
    """Yield the leaves of a data object that is at ``path``."""
    inside = array or one.count != 0
    for member in one.members:
        below = f"{path}.{member.name}"
        if isinstance(member, DataObject):
            yield from leaves_of(member, below, array=inside)
        elif member.fc is not None:
            yield from attribute_leaves(member, below, member.fc, array=inside)


def attribute_leaves(one: Attribute, path: str, fc: Fc, *, array: bool = False) -> Iterator[Leaf]:
    """Yield the leaves of an attribute that is at ``path``."""
    inside = array or one.count != 0
    if not one.members:
        if one.b_type != "Struct":
            yield Leaf(path, fc, one, inside)
        return
    for member in one.members:
        yield from attribute_leaves(member, f"{path}.{member.name}", fc, array=inside)
