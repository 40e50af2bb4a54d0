"""A simulated IEC 61850 server that shows the plant, point by point."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from otgate.errors import Refused
from otgate.model import Device, Point
from otgate_iec61850.mms.typespec import Kind as MmsKind
from otgate_iec61850.mms.values import Value
from otgate_sim.binding import Read
from otgate_sim.binding import Value as PlantValue
from otgate_sim.iec61850.from_points import address_of
from otgate_sim.iec61850.holding import Leaf
from otgate_sim.iec61850.scalars import spelled
from otgate_sim.iec61850.server import Server
from otgate_sim.registers import raw_of

FOLLOW_S = 0.2
"""How often a server looks at the plant."""
DOUBLE_POINT_CODES = range(4)
OFF, ON = 1, 2


@dataclass(slots=True)
class Followed:
    """A value that shows the plant."""

    where: str
    leaf: Leaf
    read: Callable[[], Value]
    deadband: float


@dataclass(slots=True)
class Driven:
    """A server that shows the plant."""

    server: Server
    advance: Callable[[int], None]
    followed: list[Followed] = field(default_factory=list)
    addresses: dict[str, str] = field(default_factory=dict)
    """By id of the point."""

    def follow(self, device: Device, reads: Sequence[Read]) -> None:
        """Let a device's points show the plant; its present state is no event.

        Raises:
            Refused: the server does not have a point.
        """
        self.advance(self.server.clock())
        for point, read in zip(device.points, reads, strict=True):
            where = str(address_of(point))
            try:
                leaf = self.server.leaf(where)
            except KeyError:
                raise Refused(f"point {point.id}: the server has no {where}") from None
            self.addresses[point.id] = where
            spelling = spelling_of(point, leaf)
            self.followed.append(
                Followed(where, leaf, lambda r=read, s=spelling: s(r()), deadband_of(point))  # type: ignore[misc]
            )
            leaf.value = self.followed[-1].read()

    def look(self) -> None:
        """Take what has changed from the plant."""
        self.advance(self.server.clock())
        for each in self.followed:
            value = each.read()
            if each.leaf not in self.server.commanded and differs(each, value):
                self.server.set(each.where, value)

    async def run(self) -> None:
        """Show the plant until cancelled."""
        while True:
            await asyncio.sleep(FOLLOW_S)
            self.look()


def differs(followed: Followed, value: Value) -> bool:
    """Tell whether a value has left what is shown by more than the deadband."""
    shown = followed.leaf.value
    if isinstance(value, float) and isinstance(shown, float):
        return abs(value - shown) > followed.deadband
    return value != shown


def deadband_of(point: Point) -> float:
    """Return a tenth of the point's deadband in raw numbers: a device reports finer than we do."""
    if point.deadband is None:
        return 0.0
    amount = point.deadband.amount
    if point.deadband.percent:
        amount *= ((point.eu_hi or 0.0) - (point.eu_lo or 0.0)) / 100.0
    return abs(raw_of(point, amount) - raw_of(point, 0.0)) / 10.0


def spelling_of(point: Point, leaf: Leaf) -> Callable[[PlantValue], Value]:
    """Return how a plant value is held: state codes, text, raw numbers."""
    kind, double = leaf.type.kind, leaf.type.kind is MmsKind.BIT_STRING

    def spelling(value: PlantValue) -> Value:
        if kind in {MmsKind.VISIBLE_STRING, MmsKind.MMS_STRING}:
            return spelled(leaf.type, str(value)[: abs(leaf.type.size)])
        if isinstance(value, str):
            return leaf.value
        if kind is MmsKind.BOOLEAN:
            return bool(value) ^ point.invert
        if double:
            code = int(value)
            known = bool(point.states) and code in DOUBLE_POINT_CODES
            return spelled(leaf.type, code if known else (ON if value else OFF))
        return spelled(leaf.type, value if point.states else raw_of(point, value))

    return spelling
