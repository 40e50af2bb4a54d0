"""Controlled objects at the server's end: select, operate, cancel, and how commands end.

IEC 61850-7-2 and -8-1. What is refused is told as LastApplError before the negative response.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from otgate_iec61850.mms.access import InformationReport
from otgate_iec61850.mms.control import (
    AddCause,
    ApplicationError,
    ControlModel,
    error_report,
    part,
    termination_report,
)
from otgate_iec61850.mms.errors import AccessError
from otgate_iec61850.mms.naming import Name
from otgate_iec61850.mms.typespec import Kind, Scalar
from otgate_iec61850.mms.values import Bits, Failure, Value
from otgate_sim.iec61850.holding import Branch, Client, Holding, Leaf, below
from otgate_sim.iec61850.scalars import first_value

DENIED = Failure(AccessError.OBJECT_ACCESS_DENIED)
ON, OFF = 2, 1
NS = 1_000_000_000
OTHER_ERROR = 1
"""Error of a LastApplError: unknown."""

Operated = Callable[["Controlled", Value], None]


@dataclass(slots=True, eq=False)
class Controlled:
    """One object that can be commanded, and what became of it."""

    name: Name
    """``LN$CO$DO``."""
    holding: Holding
    clock: Callable[[], int]
    select_s: float
    operated: Operated
    """Makes the process do what was commanded."""
    refuses: AddCause | None = None
    """Refuse every select and operate for that cause."""
    ends_with: AddCause | None = None
    """Let enhanced commands end without success for that cause."""
    commands: list[Value] = field(default_factory=list)
    """The values operated, in order."""
    selected_by: Client | None = None
    until: int = 0

    def leaf(self, fc: str, *names: str) -> Leaf | None:
        """Return an attribute of the object under another constraint."""
        node, _, path = self.name.item.split("$", 2)
        at = self.holding.domains[self.name.domain]
        found = below(at, [node, fc, *path.split("$"), *names])
        return found if isinstance(found, Leaf) else None

    @property
    def model(self) -> ControlModel:
        """What ctlModel says now; a code that means nothing is status only."""
        leaf = self.leaf("CF", "ctlModel")
        if leaf is None:
            return ControlModel.DIRECT_NORMAL
        known = (each for each in ControlModel if each == leaf.value)
        return next(known, ControlModel.STATUS_ONLY)

    def selected(self, client: Client | None) -> Value:
        """Answer a read of SBO: select, and return the reference; empty where refused."""
        if client is None or self.model is not ControlModel.SBO_NORMAL:
            return ""
        if self.refuses is not None or self._locked(client):
            return ""
        self._select(client)
        return f"{self.name.domain}/{self.name.item}$SBO"

    def select(self, value: Value, client: Client) -> Failure | None:
        """Take a write of SBOw."""
        if self.model is not ControlModel.SBO_ENHANCED:
            return self._refused("SBOw", value, client, AddCause.NOT_SUPPORTED)
        if self.refuses is not None:
            return self._refused("SBOw", value, client, self.refuses)
        if self._locked(client):
            return self._refused("SBOw", value, client, AddCause.LOCKED_BY_OTHER_CLIENT)
        self._select(client)
        return None

    def operate(self, value: Value, client: Client) -> Failure | None:
        """Take a write of Oper."""
        cause = self._objection(client)
        if cause is not None:
            return self._refused("Oper", value, client, cause)
        model = self.model
        self.selected_by = None
        if self.ends_with is None or not model.terminates:
            command = value[0] if isinstance(value, tuple) else value
            self.commands.append(command)
            self.operated(self, command)
        if model.terminates:
            error = self._error("Oper", value, self.ends_with) if self.ends_with else None
            client.report(self._termination(value, error))
        return None

    def cancel(self, value: Value, client: Client) -> Failure | None:
        """Take a write of Cancel."""
        if self._locked(client):
            return self._refused("Cancel", value, client, AddCause.LOCKED_BY_OTHER_CLIENT)
        self.selected_by = None
        return None

    def lost(self, client: Client) -> None:
        """Forget a client's selection."""
        if self.selected_by is client:
            self.selected_by = None

    def _objection(self, client: Client) -> AddCause | None:
        if self.model is ControlModel.STATUS_ONLY:
            return AddCause.NOT_SUPPORTED
        if self._locked(client):
            return AddCause.LOCKED_BY_OTHER_CLIENT
        if self.model.selects and not self._mine(client):
            return AddCause.OBJECT_NOT_SELECTED
        return self.refuses

    def _select(self, client: Client) -> None:
        leaf = self.leaf("CF", "sboTimeout")
        ms = leaf.value if leaf is not None and isinstance(leaf.value, int) else 0
        seconds = ms / 1000 or self.select_s
        self.selected_by, self.until = client, self.clock() + int(seconds * NS)

    def _mine(self, client: Client) -> bool:
        return self.selected_by is client and self.clock() < self.until

    def _locked(self, client: Client) -> bool:
        other = self.selected_by is not None and self.selected_by is not client
        return other and self.clock() < self.until

    def _refused(self, what: str, value: Value, client: Client, cause: AddCause) -> Failure:
        category, identity = _origin(value)
        client.tell(error_report(self._error(what, value, cause), category, identity))
        return DENIED

    def _error(self, what: str, value: Value, cause: AddCause) -> ApplicationError:
        control = f"{self.name.domain}/{self.name.item}${what}"
        return ApplicationError(control, OTHER_ERROR, _number(value), int(cause))

    def _termination(self, value: Value, error: ApplicationError | None) -> InformationReport:
        return termination_report(part(self.name, "Oper"), value, error)


def _origin(value: Value) -> tuple[int, bytes]:
    """Return the originator in a command."""
    members = value if isinstance(value, tuple) else ()
    for each in members:
        if isinstance(each, tuple) and len(each) == 2 and isinstance(each[1], bytes):
            return int(each[0]), each[1]  # type: ignore[arg-type]  # it fits the model
    return 0, b""


def _number(value: Value) -> int:
    """Return the ctlNum in a command: what follows the originator."""
    members = value if isinstance(value, tuple) else ()
    after = [at + 1 for at, each in enumerate(members) if isinstance(each, tuple)]
    found = members[after[0]] if after and after[0] < len(members) else 0
    return int(found) if isinstance(found, int) else 0


def controlled_in(
    holding: Holding, clock: Callable[[], int], select_s: float, operated: Operated
) -> dict[str, Controlled]:
    """Return every controlled object by ``LD/LN$CO$DO``, its attributes tied to it."""
    found: dict[str, Controlled] = {}
    for domain, nodes in holding.domains.items():
        for node, constraints in nodes.members.items():
            objects = below(constraints, ["CO"])
            for name, one in objects.members.items() if isinstance(objects, Branch) else ():
                if isinstance(one, Branch) and isinstance(one.members.get("Oper"), Branch):
                    made = Controlled(
                        Name(domain, f"{node}$CO${name}"), holding, clock, select_s, operated
                    )
                    found[str(made.name)] = made
                    _tie(one, made)
    return found


def _tie(one: Branch, made: Controlled) -> None:
    takers = {"Oper": made.operate, "SBOw": made.select, "Cancel": made.cancel}
    for name, taken in takers.items():
        member = one.members.get(name)
        if isinstance(member, Branch):
            member.written = taken
    if made.model is ControlModel.SBO_NORMAL:
        text = Scalar(Kind.VISIBLE_STRING, -129)
        one.members.setdefault("SBO", Leaf(text, first_value(text)))
    sbo = one.members.get("SBO")
    if isinstance(sbo, Leaf):
        sbo.shown = made.selected


def position(status: Leaf, command: Value) -> Value:
    """Return the state that a command leads to, of the status's type."""
    if status.type.kind is Kind.BIT_STRING and isinstance(command, bool):
        return Bits(2, ON if command else OFF)
    return command
