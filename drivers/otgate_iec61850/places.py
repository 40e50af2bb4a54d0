"""Where points lie in what a server sends: in the members of data sets, and in what is read.

A place is a path of names and array indices below ``LN$FC``. With the server's types each step
has a position in its structure, so that a value is dug out of nested tuples by numbers alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from otgate_iec61850.address import INDEX, Reference
from otgate_iec61850.mms.naming import Name, Variable
from otgate_iec61850.mms.typespec import ArrayType, Kind, Scalar, Structure, Type, largest
from otgate_iec61850.mms.values import Failure

Step = str | int
Path = tuple[Step, ...]
Positions = tuple[int, ...]

ABSENT = object()
"""What `dig` returns where there is nothing at a place."""


class Node(NamedTuple):
    """The values of a logical node under one functional constraint."""

    domain: str
    node: str
    fc: str


class Spot(NamedTuple):
    """A point's value, and its quality and time where the server has them."""

    number: int
    node: Node
    value: Path
    positions: Positions
    """Of the value, one for each step; -1 for the data object, and where no type is known."""
    q: Path | None = None
    q_positions: Positions = ()
    t: Path | None = None
    t_positions: Positions = ()
    size: int | None = None
    """Octets of what is read for it, at most."""

    @property
    def owner(self) -> Path:
        """The smallest structure that has value, quality and time together."""
        ends = [len(path) - 1 for path in (self.q, self.t) if path is not None]
        return self.value[: min(ends)] if ends else self.value


class Take(NamedTuple):
    """What one variable brings of one point; a part that it does not bring is None."""

    number: int
    value: Positions | None
    q: Positions | None
    t: Positions | None


def path_of(reference: Reference) -> Path:
    """Return the steps of a point's reference."""
    steps: list[Step] = []
    for part in reference.path.split("."):
        steps.append(INDEX.sub("", part))
        steps += [int(found) for found in INDEX.findall(part)]
    return tuple(steps)


def node_of(reference: Reference) -> Node:
    """Return where a point's reference begins."""
    return Node(reference.domain, reference.node, str(reference.fc))


def variable_of(node: Node, path: Path) -> Variable:
    """Return the MMS variable at a place: an index is alternate access."""
    at = next((number for number, step in enumerate(path) if isinstance(step, int)), len(path))
    item = "$".join((node.node, node.fc, *map(str, path[:at])))
    name = Name(node.domain, item)
    if at == len(path):
        return Variable(name)
    return Variable(name, int(path[at]), "$".join(map(str, path[at + 1 :])))


def place_of(variable: Variable) -> tuple[Node, Path] | None:
    """Return the place of an MMS variable, or None where it is no value of a logical node."""
    node, *rest = variable.name.item.split("$")
    if len(rest) < 2:
        return None
    steps: list[Step] = list(rest[1:])
    if variable.index is not None:
        steps.append(variable.index)
        steps += variable.component.split("$") if variable.component else []
    return Node(variable.name.domain, node, rest[0]), tuple(steps)


def spot_of(number: int, reference: Reference, described: Type | None) -> Spot:
    """Return where a point lies in its data object, of which the type may not be known."""
    node, value = node_of(reference), path_of(reference)
    chain = _chain(described, value)
    if chain is None:
        return Spot(number, node, value, (-1,) * len(value))
    positions = tuple(at for at, _ in chain)
    q, t = _beside(chain, "q", Kind.BIT_STRING), _beside(chain, "t", Kind.UTC_TIME)
    spot = Spot(number, node, value, positions)
    if q is not None:
        depth, at = q
        spot = spot._replace(q=(*value[:depth], "q"), q_positions=(*positions[:depth], at))
    if t is not None:
        depth, at = t
        spot = spot._replace(t=(*value[:depth], "t"), t_positions=(*positions[:depth], at))
    return spot._replace(size=largest(chain[len(spot.owner) - 1][1]))


def _chain(described: Type | None, path: Path) -> list[tuple[int, Type]] | None:
    """Return position and type at each step, from the data object on."""
    if described is None:
        return None
    found: list[tuple[int, Type]] = [(-1, described)]
    for step in path[1:]:
        inner = _step(found[-1][1], step)
        if inner is None:
            return None
        found.append(inner)
    return found if isinstance(found[-1][1], Scalar) else None


def _step(described: Type, step: Step) -> tuple[int, Type] | None:
    if isinstance(described, ArrayType) and isinstance(step, int):
        return (step, described.element) if step < described.count else None
    if isinstance(described, Structure):
        for at, (name, inner) in enumerate(described.components):
            if name == step:
                return at, inner
    return None


def _beside(chain: Sequence[tuple[int, Type]], name: str, kind: Kind) -> tuple[int, int] | None:
    """Return the depth and position of the nearest ``q`` or ``t`` above a value."""
    for depth in range(len(chain) - 1, 0, -1):
        found = _step(chain[depth - 1][1], name)
        if found is not None and isinstance(found[1], Scalar) and found[1].kind is kind:
            return depth, found[0]
    return None


class Atlas:
    """Every point of a device by where it lies."""

    def __init__(self, spots: Iterable[Spot]) -> None:
        self.spots = {spot.number: spot for spot in spots}
        self._by_node: dict[Node, list[Spot]] = {}
        for spot in self.spots.values():
            self._by_node.setdefault(spot.node, []).append(spot)

    def takes(self, variable: Variable) -> list[Take]:
        """Return what a variable brings: of a structure, every point within."""
        place = place_of(variable)
        if place is None:
            return []
        node, path = place
        found = (_take(spot, path) for spot in self._by_node.get(node, ()))
        return [take for take in found if take is not None]

    def reads(self, numbers: Iterable[int]) -> Mapping[Variable, int | None]:
        """Return what to read for points, each once, and its size where that is known."""
        found: dict[Variable, int | None] = {}
        for number in numbers:
            spot = self.spots[number]
            found.setdefault(variable_of(spot.node, spot.owner), spot.size)
        return found


def _take(spot: Spot, path: Path) -> Take | None:
    depth = len(path)

    def below(at: Path | None, positions: Positions) -> Positions | None:
        return positions[depth:] if at is not None and at[:depth] == path else None

    value = below(spot.value, spot.positions)
    if value is not None and -1 in value:
        value = None
    q, t = below(spot.q, spot.q_positions), below(spot.t, spot.t_positions)
    return None if value is None and q is None and t is None else Take(spot.number, value, q, t)


def dig(value: Any, positions: Positions) -> Any:
    """Return what lies at ``positions`` of a nested value, or `ABSENT`; a failure stays one."""
    for at in positions:
        if not isinstance(value, tuple):
            return value if type(value) is Failure else ABSENT
        if at >= len(value):
            return ABSENT
        value = value[at]
    return value
