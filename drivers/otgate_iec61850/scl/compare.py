"""Compare the points of a device with what the server's SCL says."""

from collections.abc import Iterable
from difflib import get_close_matches

from otgate.errors import Mistake
from otgate.model import Point
from otgate_iec61850.address import BadReference, Fc, Reference, read_reference
from otgate_iec61850.scl.model import AccessPoint, Leaf

NOT_IN_SCL, OTHER_FC, OTHER_TYPE = "not-in-scl", "other-fc", "other-scl-type"
SETTING_GROUPS = frozenset({Fc.SG, Fc.SE})
MAX_COMPARED = 50
"""Mistakes that get a suggestion; looking for one takes time."""


class Server:
    """A server's leaves, found by domain, node and path."""

    def __init__(self, server: AccessPoint) -> None:
        self.nodes: dict[tuple[str, str], dict[str, list[Leaf]]] = {}
        self.domains: dict[str, list[str]] = {}
        for device in server.devices:
            self.domains[device.domain] = [node.name for node in device.nodes]
            for node in device.nodes:
                leaves = self.nodes.setdefault((device.domain, node.name), {})
                for leaf in node.leaves():
                    leaves.setdefault(leaf.path, []).append(leaf)

    def find(self, asked: Reference) -> list[Leaf]:
        """Return the leaves at a reference, under any constraint."""
        return self.nodes.get((asked.domain, asked.node), {}).get(asked.plain, [])

    def missing(self, asked: Reference) -> tuple[str, str]:
        """Say what of a reference the server lacks, and the nearest that it has."""
        if asked.domain not in self.domains:
            what = f"the SCL has no logical device `{asked.domain}`"
            return what, near(asked.domain, self.domains)
        if (asked.domain, asked.node) not in self.nodes:
            what = f"the SCL has no logical node `{asked.domain}/{asked.node}`"
            return what, near(asked.node, self.domains[asked.domain])
        paths = self.nodes[asked.domain, asked.node]
        below = [path for path in paths if path.startswith(f"{asked.plain}.")]
        if below:
            what = f"`{asked.domain}/{asked.node}.{asked.path}` is a structure, not a value"
            return what, f"its values: {', '.join(f'`{path}`' for path in below[:4])}"
        what = f"the SCL has no `{asked.domain}/{asked.node}.{asked.path}`"
        return what, near(asked.plain, paths)


def compare(points: Iterable[Point], server: AccessPoint) -> list[Mistake]:
    """Return everything in which points and SCL differ, by point.

    Addresses that are no references are not said here: the driver's plan says them.
    """
    known, found = Server(server), list[Mistake]()
    for point in points:
        try:
            asked = read_reference(point.address)
        except BadReference:
            continue
        found.extend(differences(point, asked, known, explain=len(found) < MAX_COMPARED))
    return found


def differences(
    point: Point, asked: Reference, known: Server, *, explain: bool
) -> Iterable[Mistake]:
    """Yield in what one point differs."""
    leaves = known.find(asked)
    if not leaves:
        message, help_ = known.missing(asked) if explain else (f"the SCL has no `{asked}`", "")
        yield Mistake(NOT_IN_SCL, message, point.id, "address", help_)
        return
    leaf = next((one for one in leaves if same_constraint(one.fc, asked.fc)), None)
    if leaf is None:
        has = " and ".join(f"[{one.fc}]" for one in leaves)
        message = f"the SCL has `{asked.path}` under {has}, not [{asked.fc}]"
        meant = Reference(asked.domain, asked.node, asked.path, leaves[0].fc)
        yield Mistake(OTHER_FC, message, point.id, "address", f"write `{meant}`")
        return
    yield from leaf_differences(point, asked, leaf)


def leaf_differences(point: Point, asked: Reference, leaf: Leaf) -> Iterable[Mistake]:
    """Yield in what a point differs from the leaf that it names."""
    if leaf.array is not bool(asked.indices):
        if leaf.array:
            message, help_ = f"`{asked.plain}` lies in an array", "name one element: `Har(3)`"
        else:
            message, help_ = f"`{asked.plain}` lies in no array", "leave the index out"
        yield Mistake(NOT_IN_SCL, message, point.id, "address", help_)
    elif 0 < leaf.attribute.count <= max(asked.indices, default=0):
        message = f"`{asked.plain}` has {leaf.attribute.count} elements, counted from 0"
        help_ = f"the last is `{asked.plain}({leaf.attribute.count - 1})`"
        yield Mistake(NOT_IN_SCL, message, point.id, "address", help_)
    if point.type and point.type != leaf.attribute.b_type:
        message = f"type `{point.type}`, but the SCL has {leaf.attribute.b_type}"
        yield Mistake(OTHER_TYPE, message, point.id, "type", f"write `{leaf.attribute.b_type}`")


def same_constraint(one: Fc, other: Fc) -> bool:
    """Tell whether two constraints name one value; SG and SE are views of one setting."""
    return one is other or {one, other} == SETTING_GROUPS


def near(word: str, known: Iterable[str]) -> str:
    """Suggest what looks most like ``word``."""
    close = get_close_matches(word, list(known)[:1000], n=1, cutoff=0.5)
    return f"did you mean `{close[0]}`?" if close else ""
