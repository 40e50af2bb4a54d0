"""Points of one server: ids, names, units, states, places."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from otgate.foreign.names import Ids, prose
from otgate.model import NO_STATES, Kind, Point
from otgate_iec61850.address import Reference
from otgate_iec61850.scl.model import AccessPoint, LogicalDevice, LogicalNode
from otgate_iec61850.scl.naming import described, name_of, phase_of, short_path
from otgate_iec61850.scl.selection import Chosen, chosen, listed_in
from otgate_iec61850.scl.units import Settled

LABELS = frozenset({"BOOLEAN", "Enum", "Dbpos", "Tcmd"})
MAX_LABEL = 64
SLOW, NORMAL = "slow", "normal"
SCANS: Mapping[str, float] = {NORMAL: 2.0, SLOW: 60.0}
"""Seconds between polls of what no report covers; settings change by hand."""


def points_of(
    server: AccessPoint, left_out: Counter[str], *, only_listed: bool = False
) -> Iterator[Point]:
    """Yield the points of a server; count what is none in ``left_out``."""
    ids, labels = Ids(), Labels()
    listed = listed_in(server)
    for device in server.devices:
        for node in device.nodes:
            settled = Settled(node)
            for one in chosen(node, listed, left_out, only_listed=only_listed):
                yield point(one, device, node, settled, ids, labels)


def point(
    one: Chosen,
    device: LogicalDevice,
    node: LogicalNode,
    settled: Settled,
    ids: Ids,
    labels: "Labels",
) -> Point:
    """Return one leaf as a point."""
    path = one.leaf.path
    said = spoken(one, node, settled)
    substation, level, bay, equipment, placed = map(prose, node.place)
    angle = ".ang." in path
    return Point(
        id=ids.give(device.inst, node.name, short_path(path) if one.best else path),
        kind=kind_of(one),
        address=str(Reference(node.domain, node.name, path, one.fc)),
        name=name_of(node, device.inst, path if not one.best else short_path(path), said),
        description=prose(node.description or device.description),
        unit="°" if angle else prose(settled.unit(one.owner)) if numeric(one) else "",
        type=one.leaf.attribute.b_type,
        states=labels.of(one.leaf.attribute.states),
        scan=SLOW if one.kind is Kind.SETTING else "",
        place=(substation, level, bay, equipment, phase_of(path, placed)),
        **scaling(one, settled),
    )


def kind_of(one: Chosen) -> Kind:
    """Return a point's kind: a label or a bit of a measurement's class, as `range`, is a status."""
    if one.kind in {Kind.MEASUREMENT, Kind.COUNTER} and one.leaf.attribute.b_type in LABELS:
        return Kind.STATUS
    return one.kind


def spoken(one: Chosen, node: LogicalNode, settled: Settled) -> str:
    """Return what the file says that a point is, its unicode description first."""
    texts = (settled.text(f"{one.owner}.dU"), settled.text(f"{one.owner}.d"))
    configured = next((prose(text) for text in texts if text), "")
    return configured or described(node, one.leaf.path) or prose(one.description)


def numeric(one: Chosen) -> bool:
    """Tell whether a value has a unit."""
    return one.kind in {Kind.MEASUREMENT, Kind.COUNTER, Kind.SETTING, Kind.STATUS} and (
        one.leaf.attribute.b_type.startswith(("FLOAT", "INT"))
    )


class Labels:
    """The labels of enums as a cell can hold them, made once for each enum."""

    def __init__(self) -> None:
        self.made: dict[int, tuple[Mapping[int, str], Mapping[int, str]]] = {}

    def of(self, states: Mapping[int, str]) -> Mapping[int, str]:
        """Return labels that are printable, without `|` and `=`, each once."""
        if not states:
            return NO_STATES
        if id(states) not in self.made:
            self.made[id(states)] = states, distinct(states)
        return self.made[id(states)][1]


def distinct(states: Mapping[int, str]) -> Mapping[int, str]:
    """Return clean labels; one that is empty or given before gets its code."""
    kept: dict[int, str] = {}
    given: set[str] = set()
    for code, label in states.items():
        clean = prose(label.replace("|", "/").replace("=", " "))[:MAX_LABEL].strip() or str(code)
        while clean in given:
            clean = f"{clean} ({code})"
        kept[code] = clean
        given.add(clean)
    return kept


def scaling(one: Chosen, settled: Settled) -> dict[str, Any]:
    """Return scale, offset and range as far as the file configures them."""
    found: dict[str, Any] = {}
    if one.leaf.path.endswith(".i"):
        add(found, "scale", settled.number(f"{one.owner}.sVC.scaleFactor"))
        add(found, "offset", settled.number(f"{one.owner}.sVC.offset"))
    if one.leaf.path.endswith(".actVal"):
        add(found, "scale", settled.number(f"{one.owner}.pulsQty"))
    low = settled.number(f"{one.owner}.rangeC.min.f")
    high = settled.number(f"{one.owner}.rangeC.max.f")
    if low is not None and high is not None and low < high and ".ang." not in one.leaf.path:
        found |= {"eu_lo": low, "eu_hi": high}
    return found


def add(found: dict[str, Any], name: str, number: float | None) -> None:
    """Keep a number that changes something."""
    if number is not None and (number or name != "scale"):
        found[name] = number
