"""What crosses otherwise after a change of policy or point map: gained, lost, and by how much.

A point is known by its path and by what describes it; a change of its limits is a gain where one
of them is looser, and a loss where one is stricter. It may be both.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from otgate.model import Device, ValueType
from otgate.policy.crossing import Judge
from otgate.policy.decide import Restriction
from otgate.policy.language import Policy, UnderTest
from otgate.policy.rounding import fraction


class What(StrEnum):
    """How a point's crossing changed."""

    GAIN = "gain"
    LOSS = "loss"
    LOOSER = "looser"
    STRICTER = "stricter"
    OTHER = "other"
    """Some limits are looser, some stricter."""


GAINS = frozenset({What.GAIN, What.LOOSER, What.OTHER})
"""What lets more cross than before, in some way."""


class Crossed(NamedTuple):
    """How a point crosses a conduit."""

    restriction: Restriction
    test: UnderTest


class Change(NamedTuple):
    """One point on one conduit that crosses otherwise than before."""

    conduit: str
    path: str
    what: What
    before: Crossed | None
    after: Crossed | None

    @property
    def is_gain(self) -> bool:
        """Whether more crosses than before, in some way."""
        return self.what in GAINS


Crossings = Mapping[tuple[str, str], Crossed]
"""By conduit and ``device/point``."""


def crossings(
    policy: Policy, devices: Sequence[Device], value_types: Mapping[str, Sequence[ValueType]]
) -> Crossings:
    """Return everything that crosses today; ``value_types`` is by device id."""
    judge = Judge(policy)
    return {
        (conduit, f"{device.id}/{device.points[one.point].id}"): Crossed(
            one.restriction, policy.conduits[conduit].test
        )
        for device in devices
        for conduit, found in judge.crossings(device, value_types[device.id]).items()
        for one in found
    }


def changes(before: Crossings, after: Crossings) -> Iterator[Change]:
    """Yield what differs, by conduit and path."""
    for conduit, path in sorted(before.keys() | after.keys()):
        old, new = before.get((conduit, path)), after.get((conduit, path))
        if old != new:
            yield Change(conduit, path, changed(old, new), old, new)


def changed(old: Crossed | None, new: Crossed | None) -> What:
    """Say how two different crossings of one point compare."""
    if old is None:
        return What.GAIN
    if new is None:
        return What.LOSS
    looser, stricter = is_looser(new, old), is_looser(old, new)
    if looser and stricter:
        return What.OTHER
    return What.LOOSER if looser else What.STRICTER


def is_looser(one: Crossed, other: Crossed) -> bool:
    """Tell whether ``one`` lets something through that ``other`` keeps back.

    A step that is no multiple of another tells something that the other does not.
    """
    mine, theirs = one.restriction, other.restriction
    return (
        mine.min_interval_s < theirs.min_interval_s
        or not coarsens(mine.quantize, theirs.quantize)
        or bool(theirs.strip - mine.strip)
        or (one.test is UnderTest.PASS and other.test is UnderTest.DROP)
    )


def coarsens(step: float, than: float) -> bool:
    """Tell whether values rounded to ``step`` tell no more than those rounded to ``than``."""
    if than in {step, 0}:
        return True
    return step != 0 and fraction(step) % fraction(than) == 0
