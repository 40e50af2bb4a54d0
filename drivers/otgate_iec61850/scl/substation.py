"""The Substation section: where the logical nodes of IEDs stand in the plant."""

from collections.abc import Mapping

from otgate_iec61850.scl.model import NOWHERE, Place
from otgate_iec61850.scl.tree import Node

SUBSTATION, VOLTAGE_LEVEL, BAY, EQUIPMENT, PHASE = range(5)
LEVELS: Mapping[str, int] = {
    "Substation": SUBSTATION,
    "VoltageLevel": VOLTAGE_LEVEL,
    "Bay": BAY,
    **dict.fromkeys(
        ("ConductingEquipment", "GeneralEquipment", "PowerTransformer", "Process", "Line"),
        EQUIPMENT,
    ),
}
PARTS = frozenset(
    {"TransformerWinding", "TapChanger", "SubEquipment", "EqFunction", "EqSubFunction"}
)
"""Parts of an equipment; the equipment is what people know."""

Key = tuple[str, str, str, str, str]
"""IED, logical device instance, prefix, class, instance of a node."""


class Places:
    """Where nodes stand; the most exact of several references counts, then the first."""

    def __init__(self, root: Node) -> None:
        self.known: dict[Key, Place] = {}
        for section in root.all("Substation", "Process", "Line"):
            self.walk(section, NOWHERE)

    def of(self, key: Key) -> Place:
        """Return where a node stands, empty texts where the file does not say."""
        ied, _, prefix, cls, inst = key
        return self.known.get(key) or self.known.get((ied, "", prefix, cls, inst)) or NOWHERE

    def walk(self, node: Node, above: Place) -> None:
        """Keep the places of all references below ``node``."""
        here = place_of(node, above)
        for child in node.children:
            if child.tag == "LNode":
                self.keep(child, here)
            else:
                self.walk(child, here)

    def keep(self, node: Node, place: Place) -> None:
        """Keep one reference."""
        ied = node.get("iedName")
        if not ied or ied == "None":
            return
        key = (ied, node.get("ldInst"), node.get("prefix"), node.get("lnClass"), node.get("lnInst"))
        known = self.known.get(key)
        if known is None or exactness(place) > exactness(known):
            self.known[key] = place


def place_of(node: Node, above: Place) -> Place:
    """Return the place that an element of the hierarchy is."""
    level = LEVELS.get(node.tag)
    place = list(above)
    if level is not None:
        place[level] = node.get("name")
    elif node.tag in PARTS and node.get("phase") not in {"", "all", "none"}:
        place[PHASE] = node.get("phase")
    return (place[0], place[1], place[2], place[3], place[4])


def exactness(place: Place) -> int:
    """Return how much a place says."""
    return sum(map(bool, place))
