"""Every point on every conduit: what crosses, and what stops the rest."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from otgate.model import Device, ValueType
from otgate.policy.decide import Reason, Traits, Verdict, decide
from otgate.policy.explain import in_force, names
from otgate.policy.language import Policy


class Row(NamedTuple):
    """One point: its path, what rules see of it, and its verdict on every conduit in order."""

    path: str
    seen: Traits
    verdicts: tuple[Verdict, ...]


def matrix(
    policy: Policy, devices: Sequence[Device], value_types: Mapping[str, Sequence[ValueType]]
) -> Iterator[Row]:
    """Yield the points of ``devices`` in their order; ``value_types`` is by device id."""
    for device in devices:
        types = value_types[device.id]
        for point, value_type in zip(device.points, types, strict=True):
            verdicts = tuple(
                decide(policy, conduit, device, point, value_type)
                for conduit in policy.conduits.values()
            )
            seen = verdicts[0].seen if verdicts else None
            if seen is not None:
                yield Row(f"{device.id}/{point.id}", seen, verdicts)


def cell(verdict: Verdict) -> str:
    """Say in a few words what becomes of a point on a conduit."""
    match verdict.reason:
        case Reason.ALLOWED:
            return " ".join(("crosses", *limits(verdict)))
        case Reason.GUARD:
            return f"guard {', '.join(verdict.stopped_by)}"
        case Reason.DENIED:
            return f"denied {names(verdict.denies)}"
        case Reason.NOT_ALLOWED | Reason.UNENFORCEABLE as reason:
            return str(reason)


def limits(verdict: Verdict) -> Iterator[str]:
    """Yield the joined limits in a spelling that fits a cell."""
    for key, value in in_force(verdict.restriction).items():
        said = f"{value:g}" if isinstance(value, float | int) else ",".join(value)
        yield f"{key}={said}"
