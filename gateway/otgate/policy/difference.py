"""Write what differs between two policies: today's points, and the kinds there could be."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from otgate.policy.changes import Change, Side, changes
from otgate.policy.gains import Gain, gains
from otgate.policy.prover import Undecided, Witness
from otgate.policy.wording import why_undecided, witness_json, witness_lines


@dataclass(frozen=True, slots=True)
class Difference:
    """What changes for today's points, and which kinds of point gain."""

    points: Sequence[Change]
    kinds: Sequence[Gain]

    @property
    def gain(self) -> bool:
        """Whether more crosses, or could cross, than before."""
        return bool(self.kinds) or any(one.is_gain for one in self.points)


def difference(old: Side, new: Side) -> Difference:
    """Compare two policies and what they are held against."""
    return Difference(changes(old, new), gains(old.policy, new.policy))


def as_text(found: Difference) -> str:
    """Write a difference for a person."""
    lines = [*point_lines(found.points), *kind_lines(found.kinds)]
    return "\n".join(lines) or "nothing crosses otherwise, and nothing newly could"


def point_lines(points: Sequence[Change]) -> Iterator[str]:
    """Write what changes for today's points, by conduit."""
    for (way, conduit), group in groupby(points, key=lambda one: (one.way, one.conduit)):
        listed = list(group)
        yield f"{way} on {conduit}: {len(listed)} point{'s' if len(listed) > 1 else ''}"
        yield from (f"  {one.path}: {one.why}" for one in listed)


def kind_lines(kinds: Sequence[Gain]) -> Iterator[str]:
    """Write which kinds of point gain."""
    for gain in kinds:
        if gain.what == "crosses":
            yield f"newly could cross {gain.conduit}: by {gain.source}; before: {gain.before}"
        else:
            yield f"less limited on {gain.conduit}: {gain.what}, was {gain.before} by {gain.source}"
        if isinstance(gain.answer, Witness):
            yield from witness_lines(gain.answer)
        elif isinstance(gain.answer, Undecided):
            yield f"  cannot be told, {'; '.join(why_undecided(gain.answer))}"


def as_json(found: Difference) -> dict[str, Any]:
    """Describe a difference for a program."""
    return {
        "gain": found.gain,
        "points": [
            {"point": one.path, "conduit": one.conduit, "change": str(one.way), "why": one.why}
            for one in found.points
        ],
        "kinds": [kind_json(gain) for gain in found.kinds],
    }


def kind_json(gain: Gain) -> dict[str, Any]:
    """Describe one kind of point that gains."""
    described: dict[str, Any] = {
        "conduit": gain.conduit,
        "gain": gain.what,
        "by": gain.source,
        "before": gain.before,
        "decided": not isinstance(gain.answer, Undecided),
    }
    if isinstance(gain.answer, Witness):
        return {**described, **witness_json(gain.answer)}
    return described
