"""The points that calculations may name: those of every device, and calculated ones."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from otgate.calc.calculation import Definition
from otgate.calc.meaning import Known
from otgate.calc.tree import BadExpression, Name, Span
from otgate.calc.units import unit_of
from otgate.config.nearest import did_you_mean, nearest
from otgate.driver import planned_types
from otgate.model import Device, Point, Scan, ValueType
from otgate.policy.decide import globbed

WHOLE = (0, 1)
"""Where a path stands that is asked for a second time: it is there."""


@dataclass(frozen=True, slots=True)
class Input:
    """A point that a calculation names; its zone is its own."""

    point: Point
    kind: ValueType
    definition: Definition | None = None
    """How it is calculated, if it is."""

    @property
    def known(self) -> Known:
        """What a formula sees of it."""
        point = self.point
        return Known(self.kind, unit_of(point.unit), point.states, point.has_flags)


class Spoilt(Exception):
    """An input has a mistake of its own, which has been said."""


class Inputs:
    """Every point of a site that can be named, by ``device/point``."""

    def __init__(
        self,
        devices: Sequence[Device],
        plans: Mapping[str, Sequence[Scan]],
        declared: Collection[str],
    ) -> None:
        self._devices = {device.id: device for device in devices if device.id in plans}
        self._plans = plans
        self._spoilt = set(declared) - self._devices.keys()
        """Devices that could not be read."""
        self._numbers: dict[str, dict[str, int]] = {}
        self._types: dict[str, list[ValueType]] = {}
        self.calculated: dict[str, Input | None] = {}
        """None is declared, and not known: not yet, or never, for it has a mistake."""

    def find(self, path: str, span: Span = WHOLE) -> Input:
        """Return a point.

        Raises:
            BadExpression: there is none.
            Spoilt: it cannot be known.
        """
        if path in self.calculated:
            if (found := self.calculated[path]) is None:
                raise Spoilt
            return found
        name, _, id_ = path.partition("/")
        if name in self._spoilt:
            raise Spoilt
        device = self._devices.get(name)
        number = None if device is None else self._numbered(device).get(id_)
        if device is None or number is None:
            raise self._unknown(path, span)
        point = device.points[number]
        return Input(in_zone(point, device), self._types[name][number])

    def matching(self, glob: str) -> list[str]:
        """Return the points that are read and that a glob means, in the order of the files."""
        names, ids = glob.split("/")
        wanted = globbed((names,))
        points = globbed((ids,))
        return [
            f"{device.id}/{id_}"
            for device in self._devices.values()
            if wanted.match(device.id)
            for id_ in self._numbered(device)
            if points.match(id_)
        ]

    def _numbered(self, device: Device) -> Mapping[str, int]:
        """Return the number of each point by its id; only devices that are named are looked at."""
        if device.id not in self._numbers:
            self._numbers[device.id] = {one.id: at for at, one in enumerate(device.points)}
            self._types[device.id] = planned_types(device, self._plans[device.id])
        return self._numbers[device.id]

    def _unknown(self, path: str, span: Span) -> BadExpression:
        return BadExpression("unknown-input", f"there is no point `{path}`", self._help(path), span)

    def _help(self, path: str) -> str:
        name, _, id_ = path.partition("/")
        ids = set(self._ids(name))
        if ids:
            near = nearest(id_, ids)
            return (
                f"did you mean `{name}/{near}`?"
                if near
                else did_you_mean(id_, ids, otherwise=f"`{name}` has")
            )
        known = {*self._devices, *(one.partition("/")[0] for one in self.calculated)}
        near = nearest(name, known)
        if near is None and name.isdecimal():
            return "write spaces around `/` to divide"
        return (
            f"did you mean `{near}/{id_}`?"
            if near
            else did_you_mean(name, known, otherwise="devices")
        )

    def _ids(self, name: str) -> Iterator[str]:
        if (device := self._devices.get(name)) is not None:
            yield from self._numbered(device)
        mine = (one.partition("/") for one in self.calculated)
        yield from (id_ for device_id, _, id_ in mine if device_id == name)


def in_zone(point: Point, device: Device) -> Point:
    """Return a point with its zone: the device's unless it has one."""
    if point.zone:
        return point
    values = {name: getattr(point, name) for name in Point.__struct_fields__}
    return Point(**{**values, "zone": device.zone})


class Scope:
    """What one formula is read over; its doubts are kept."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs
        self.doubts: list[BadExpression] = []

    def point(self, name: Name) -> Known:
        """Return what is known of a point.

        Raises:
            BadExpression: there is none.
            Spoilt: it cannot be known.
        """
        return self._inputs.find(name.path, name.span).known

    def doubt(self, message: str, help_: str, span: Span) -> None:
        """Keep what is probably a mistake with units."""
        self.doubts.append(BadExpression("unit-clash", message, help_, span))
