"""The data set that a report control block watches: its members, and what waits to be reported."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from otgate_iec61850.mms.naming import Variable
from otgate_iec61850.mms.rcb import Trigger
from otgate_iec61850.mms.report import Reason
from otgate_iec61850.mms.values import Bits, Value
from otgate_sim.iec61850.holding import Leaf, Node, leaves, shown

REASONS = (
    (Reason.DATA_CHANGE, Trigger.DATA_CHANGE),
    (Reason.QUALITY_CHANGE, Trigger.QUALITY_CHANGE),
    (Reason.DATA_UPDATE, Trigger.DATA_UPDATE),
)

DataSet = Sequence[tuple[Variable, Node]]


@dataclass(slots=True)
class Pending:
    """What has changed since ``since`` and waits for the end of BufTm."""

    since: int
    values: dict[int, Value] = field(default_factory=dict)
    reasons: dict[int, int] = field(default_factory=dict)

    def columns(self) -> tuple[list[int], list[Value], list[int]]:
        """Return members by place, their values, their reasons."""
        places = sorted(self.reasons)
        values = [self.values[place] for place in places]
        return places, values, [self.reasons[place] for place in places]


class Watched:
    """The members of a data set."""

    def __init__(self, members: DataSet) -> None:
        self._nodes = [node for _, node in members]
        self.references = [str(variable.name) for variable, _ in members]
        self._places: dict[Leaf, list[int]] = {}
        for place, node in enumerate(self._nodes):
            for leaf in leaves(node):
                self._places.setdefault(leaf, []).append(place)

    def __bool__(self) -> bool:
        return bool(self._nodes)

    def touched(self, changes: Mapping[Leaf, int], triggers: Bits) -> dict[int, int]:
        """Return the members that leaves have changed, each with the reasons asked for."""
        asked = sum(reason for reason, trigger in REASONS if trigger in triggers.places)
        found: dict[int, int] = {}
        for leaf, reason in changes.items():
            if reason & asked:
                for place in self._places.get(leaf, ()):
                    found[place] = found.get(place, 0) | reason & asked
        return found

    def add(self, pending: Pending, reasons: Mapping[int, int]) -> None:
        """Add members as they are now to what waits."""
        for place, reason in reasons.items():
            pending.values[place] = shown(self._nodes[place])
            pending.reasons[place] = reason

    def all(self) -> list[Value]:
        """Return every member's value."""
        return [shown(node) for node in self._nodes]
