"""Which leaves of a server become points, and why the others do not."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from otgate.model import Kind
from otgate_iec61850.address import Fc, Reference
from otgate_iec61850.scl.classes import ARRAYS, BESIDES, CLASSES, DESCRIBING, TYPES, Class
from otgate_iec61850.scl.model import (
    AccessPoint,
    Attribute,
    DataObject,
    Leaf,
    LogicalNode,
    attribute_leaves,
    leaves_of,
)

READ = frozenset({Fc.ST, Fc.MX, Fc.SP, Fc.SG, Fc.SE})
"""Constraints of values that change or are set; SG and SE are two views of one setting."""

CONTROL = "controls: this gateway sends no commands"
CONFIGURATION = "configuration, description and substitution (CF, DC, EX, SV, ...)"
BESIDE = "come with their value: quality, time, origin"
ARRAY = "in arrays: name one element by hand, as `Har(3)`"
DESCRIPTION = "nameplates: they never change"
OTHER_FORM = "another form of an imported value, as instMag or mag.i"
NOT_LISTED = "in no data set"
NOT_A_VALUE = "of a type that is no value, as octet strings"


@dataclass(frozen=True, slots=True)
class Chosen:
    """One leaf that becomes a point."""

    leaf: Leaf
    fc: Fc
    kind: Kind
    owner: str
    """Path of the data object that has it."""
    description: str
    """What the type says of that object."""
    best: bool
    """Whether it is what its class is read for; else a data set names it."""


@dataclass(frozen=True, slots=True)
class Listed:
    """The leaves that data sets hold."""

    any: frozenset[Reference]
    named: frozenset[Reference]
    """Those that a data set names as attributes, not within a whole data object."""


def listed_in(server: AccessPoint) -> Listed:
    """Return the leaves of a server's data sets."""
    members = [member for one in server.data_sets() for member in one.members]
    return Listed(
        frozenset(leaf for member in members for leaf in member.leaves),
        frozenset(leaf for member in members if not member.whole for leaf in member.leaves),
    )


def chosen(
    node: LogicalNode, listed: Listed, left_out: Counter[str], *, only_listed: bool
) -> Iterator[Chosen]:
    """Yield a node's points; count everything else in ``left_out``.

    What a data set names is a point even where its class has a better value.
    """
    for top in node.objects:
        for one, path in objects_of(top, top.name):
            yield from from_object(node, one, path, listed, left_out, only_listed=only_listed)


def objects_of(one: DataObject, path: str) -> Iterator[tuple[DataObject, str]]:
    """Yield a data object and those below it that are no arrays, with their paths."""
    yield one, path
    if one.count:
        return
    for member in one.members:
        if isinstance(member, DataObject):
            yield from objects_of(member, f"{path}.{member.name}")


def from_object(
    node: LogicalNode,
    one: DataObject,
    path: str,
    listed: Listed,
    left_out: Counter[str],
    *,
    only_listed: bool,
) -> Iterator[Chosen]:
    """Yield the points among the leaves that a data object has itself."""
    leaves = list(own_leaves(one, path))
    best = best_paths(one, path, {leaf.path for leaf in leaves if leaf.fc in READ})
    kind = kind_of(one)
    for leaf in leaves:
        fc = Fc.SG if leaf.fc is Fc.SE else leaf.fc
        reference = Reference(node.domain, node.name, leaf.path, leaf.fc)
        is_best = not best or leaf.path in best
        why = reason(one, leaf)
        if why is None and not is_best and reference not in listed.named:
            why = OTHER_FORM
        if why is None and only_listed and reference not in listed.any:
            why = NOT_LISTED
        if why is not None:
            left_out[why] += 1
        else:
            yield Chosen(leaf, fc, kind, path, one.description, is_best)


def own_leaves(one: DataObject, path: str) -> Iterator[Leaf]:
    """Yield the leaves of a data object but for those of objects below that are yielded too."""
    if one.count:
        yield from leaves_of(one, path)
        return
    for member in one.members:
        if isinstance(member, Attribute) and member.fc is not None:
            yield from attribute_leaves(member, f"{path}.{member.name}", member.fc)


def best_paths(one: DataObject, path: str, there: Collection[str]) -> frozenset[str]:
    """Return the paths of the values that a class is read for, as far as the type has them."""
    known = CLASSES.get(one.cdc, Class(Kind.STATUS, ()))
    found = (
        next((full for way in ways.split("|") if (full := f"{path}.{way}") in there), None)
        for ways in known.values
    )
    return frozenset(full for full in found if full is not None)


def kind_of(one: DataObject) -> Kind:
    """Return the kind of a data object's values."""
    known = CLASSES.get(one.cdc)
    if known is not None:
        return Kind.EVENT if known.kind is Kind.STATUS and one.transient else known.kind
    constraints = {member.fc for member in one.members if isinstance(member, Attribute)}
    if Fc.MX in constraints:
        return Kind.MEASUREMENT
    return Kind.STATUS if Fc.ST in constraints else Kind.SETTING


def reason(one: DataObject, leaf: Leaf) -> str | None:
    """Return why a leaf can be no point, None where it can."""
    names = leaf.path.split(".")
    if leaf.fc is Fc.CO:
        return CONTROL
    if leaf.fc not in READ:
        return CONFIGURATION
    if leaf.attribute.b_type in {"Quality", "Timestamp"} or BESIDES.intersection(names[1:]):
        return BESIDE
    if leaf.array or one.cdc in ARRAYS:
        return ARRAY
    if one.cdc in DESCRIBING:
        return DESCRIPTION
    return None if leaf.attribute.b_type in TYPES else NOT_A_VALUE


def first_seen(counts: Counter[str]) -> Mapping[str, int]:
    """Return counts, the largest first."""
    return dict(counts.most_common())
