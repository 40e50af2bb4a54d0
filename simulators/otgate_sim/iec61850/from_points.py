"""What a server holds where no SCL file tells: the points of a site, and reports of all of them.

Each point's data object gets a quality and a time beside the value.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from otgate.errors import Refused
from otgate.model import Device, Kind, Point
from otgate_iec61850.address import BadReference, Reference, read_reference
from otgate_iec61850.mms.naming import Name, Variable
from otgate_iec61850.mms.typespec import Scalar
from otgate_iec61850.mms.values import UtcTime
from otgate_sim.iec61850.attributes import Configured
from otgate_sim.iec61850.holding import Branch, Elements, Holding, Leaf, Node
from otgate_sim.iec61850.scalars import GOOD, QUALITY, SCALARS, TIMESTAMP, first_value, scalar

ATTRIBUTES = frozenset(
    {
        *("stVal", "mag", "instMag", "cVal", "instCVal", "actVal", "frVal", "general"),
        *("dirGeneral", "setVal", "setMag", "mxVal", "valWTr", "cnt", "setSrcRef"),
    }
)
"""Attributes that hold values; the data object is what comes before."""

BY_KIND = {
    Kind.MEASUREMENT: "FLOAT32", Kind.COUNTER: "INT64", Kind.TEXT: "VisString255",
    Kind.SETTING: "FLOAT32",
}  # fmt: skip
DEFAULT_BLOCKS = ("LLN0$BR$brcb01", "LLN0$RP$urcb01")


def address_of(point: Point) -> Reference:
    """Read a point's address.

    Raises:
        Refused: it is none of IEC 61850.
    """
    try:
        return read_reference(point.address)
    except BadReference as bad:
        raise Refused(f"point {point.id}: {bad.message}") from None


def type_of(point: Point, where: Reference) -> Scalar:
    """Return the type of a point's value: from the type column, its address, its kind."""
    if point.type in SCALARS or point.type.startswith("VisString"):
        return scalar(point.type)
    last = where.names[-1]
    if last in {"f", "i"}:
        return SCALARS["FLOAT32" if last == "f" else "INT32"]
    if point.kind in BY_KIND:
        return scalar(BY_KIND[point.kind])
    if where.node.rstrip("0123456789")[-4:] in {"XCBR", "XSWI", "CSWI"} and "Pos" in where.names:
        return SCALARS["Dbpos"]
    return SCALARS["INT32" if len(point.states) > 2 else "BOOLEAN"]


def object_depth(names: Sequence[str]) -> int:
    """Return how many of a path's names are the data object."""
    known = (at for at, name in enumerate(names) if at and name in ATTRIBUTES)
    return next(known, max(1, len(names) - 1))


def held(device: Device, now_ns: int, time_quality: int) -> Holding:
    """Return what a device without SCL holds.

    Raises:
        Refused: an address is none, or two points exclude each other.
    """
    holding = Holding()
    now = UtcTime.of(now_ns, time_quality)
    for point in device.points:
        where = address_of(point)
        type_ = type_of(point, where)
        leaf = Leaf(type_, first_value(type_), frozenset({"dchg"}), where.fc in {"SP", "SE", "CF"})
        _add(holding, where, leaf, now)
    return holding


def _add(holding: Holding, where: Reference, leaf: Leaf, now: UtcTime) -> None:
    names = where.item.split("$")
    depth = object_depth(where.names) + 2
    variable = Variable(Name(where.domain, where.item))
    if where.indices:
        _grow(holding, where, names, leaf)
    elif holding.find(variable) is None:
        holding.place(where.domain, names, leaf)
    owner = holding.find(Variable(Name(where.domain, "$".join(names[:depth]))))
    if isinstance(owner, Branch) and where.fc in {"ST", "MX"}:
        owner.members.setdefault("q", Leaf(QUALITY, GOOD, frozenset({"qchg"})))
        owner.members.setdefault("t", Leaf(TIMESTAMP, now))


def _grow(holding: Holding, where: Reference, names: list[str], leaf: Leaf) -> None:
    """Put a leaf into an array, which is as long as its points need."""
    parts = where.path.split(".")
    at = next(n for n, part in enumerate(parts) if "(" in part)
    if len(where.indices) > 1:
        raise Refused(f"{where} has two indices")
    array = holding.find(Variable(Name(where.domain, "$".join(names[: at + 3]))))
    if array is None:
        array = Elements([])
        holding.place(where.domain, names[: at + 3], array)
    if not isinstance(array, Elements):
        raise Refused(f"{where} is an array and is none")
    while len(array.members) <= where.indices[0]:
        array.members.append(_nested(names[at + 3 :], Leaf(leaf.type, leaf.value, leaf.triggers)))


def _nested(names: Sequence[str], leaf: Leaf) -> Node:
    node: Node = leaf
    for name in reversed(names):
        node = Branch({name: node})
    return node


def configured_for(
    device: Device, holding: Holding, reports: Iterable[Any]
) -> Iterator[tuple[Name, Configured]]:
    """Yield the control blocks that a site configures, or two for each logical device.

    The data sets they need are made: of every value of the logical device, by data object.
    """
    wanted = [_wanted(each) for each in reports] or [
        (Name(domain, block), f"{domain}/LLN0$points", 1)
        for domain in holding.domains
        for block in DEFAULT_BLOCKS
    ]
    for block, data_set, conf_rev in wanted:
        domain, _, item = data_set.partition("/")
        name = Name(domain, item)
        if name not in holding.lists:
            holding.lists[name] = tuple(_everything(device, block.domain))
            holding.fixed.add(name)
        yield block, Configured(data_set, conf_rev=conf_rev)


def _wanted(report: Any) -> tuple[Name, str, int]:
    domain, _, item = report.rcb.partition("/")
    data_set = report.data_set or f"{domain}/LLN0.points"
    at, _, name = data_set.partition("/")
    revision = 1 if report.conf_rev is None else report.conf_rev
    return Name(domain, item.replace(".", "$")), f"{at}/{name.replace('.', '$')}", revision


def _everything(device: Device, domain: str) -> Iterator[Variable]:
    seen: set[str] = set()
    for point in device.points:
        where = address_of(point)
        item = "$".join((where.node, where.fc, *where.names[: object_depth(where.names)]))
        if where.domain == domain and where.fc in {"ST", "MX"} and item not in seen:
            seen.add(item)
            yield Variable(Name(domain, item))
