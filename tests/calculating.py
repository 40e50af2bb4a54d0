"""A little site of calculated points, fed batch by batch, for tests of the engine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from otgate.calc.calculation import CALC, Calculations, Definition, Formula, Window
from otgate.calc.engine import Engine, Result
from otgate.calc.meaning import Known, meaning
from otgate.calc.panes import Aggregate
from otgate.calc.parse import parse
from otgate.calc.tree import BadExpression, Name, Span
from otgate.calc.units import unit_of
from otgate.calc.windows import Span as Stretch
from otgate.model import Batch, Clock, Device, Kind, Origin, Point, ValueType
from otgate.quality import Quality

S = 1_000_000_000
F64, I64, U64, BOOL, TEXT = ValueType


@dataclass
class Points:
    """What expressions are read over: points by path."""

    known: dict[str, Known] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)

    def point(self, name: Name) -> Known:
        if name.path not in self.known:
            raise BadExpression("unknown-point", f"no point `{name.path}`", "", name.span)
        return self.known[name.path]

    def doubt(self, message: str, help_: str, span: Span) -> None:
        self.doubts.append(message)


def known(**points: ValueType | tuple[ValueType, str] | Known) -> Points:
    """Return points of device ``d`` by id: a type, a type and a unit, or all that is known."""
    found = {}
    for id_, said in points.items():
        if isinstance(said, tuple):
            found[f"d/{id_}"] = Known(said[0], unit_of(said[1]))
        else:
            found[f"d/{id_}"] = said if isinstance(said, Known) else Known(said)
    return Points(found)


def window(of: str, kind: ValueType, aggregate: str, every_s: float = 10, **more: float) -> Window:
    """Return a window that waits for nobody unless it is told to."""
    over_s, grace_s = more.get("over_s", every_s), more.get("grace_s", 0)
    stretch = Stretch(round(every_s * S), round(over_s * S), round(grace_s * S))
    return Window(of, kind, Aggregate(aggregate), stretch)


class Little:
    """Devices with points of given types, and the calculated device ``c``."""

    def __init__(
        self,
        points: Mapping[str, ValueType],
        calculated: Mapping[str, str | Window],
        *,
        now_s: float = 0.0,
        maintenance: bool = False,
    ) -> None:
        self.types: dict[str, dict[str, ValueType]] = {}
        for path, kind in points.items():
            device, _, id_ = path.partition("/")
            self.types.setdefault(device, {})[id_] = kind
        self.over = Points({path: Known(kind) for path, kind in points.items()})
        self.definitions: list[Definition] = []
        for id_, said in calculated.items():
            made = said if isinstance(said, Window) else self.formula(said)
            self.definitions.append(made)
            self.over.known[f"c/{id_}"] = Known(made.kind)
        self.ids = list(calculated)
        devices = [
            device_of(name, list(kinds), maintenance=maintenance)
            for name, kinds in self.types.items()
        ]
        settings = Calculations(tuple(self.definitions))
        self.devices = [*devices, device_of("c", self.ids, settings)]
        self.engine = Engine(self.devices, round(now_s * S))
        self.got: dict[str, list[tuple[Any, Quality, float]]] = {id_: [] for id_ in self.ids}
        """Per calculated point: value, quality and time in seconds of everything that came."""
        self.batches: list[Batch] = []

    def formula(self, text: str) -> Formula:
        return Formula(meaning(parse(text), self.over).term)

    def read(self, at_s: float, origin: Origin = Origin.POLL, **values: Any) -> None:
        """Take a whole scan of device ``d``: a value, or a value and its quality, per point."""
        for id_, given in values.items():
            value, quality = given if isinstance(given, tuple) else (given, Quality.GOOD)
            self.take(self.batch("d", [(id_, value, quality, None)], at_s, origin))
        self.keep(self.engine.flush("d", round(at_s * S)))

    def events(self, at_s: float, *samples: tuple[str, Any, float], device: str = "d") -> None:
        """Take a batch of events of one type: point, value and its own time."""
        given = [(id_, value, Quality.GOOD, time_s) for id_, value, time_s in samples]
        self.take(self.batch(device, given, at_s, Origin.EVENT))

    def batch(
        self,
        device: str,
        samples: Sequence[tuple[str, Any, int, float | None]],
        at_s: float,
        origin: Origin = Origin.POLL,
    ) -> Batch:
        """Return a batch: point, value, quality and its own time, in seconds, or None."""
        ids, values, quality, times = zip(*samples, strict=True)
        order = list(self.types[device])
        kind = self.types[device][ids[0]]
        return Batch(
            device,
            kind,
            origin,
            np.array([order.index(id_) for id_ in ids], np.int32),
            np.array(values, kind.dtype),
            np.array(quality, np.uint32),
            round(at_s * S),
            None if times[0] is None else np.array([round(t * S) for t in times], np.int64),
            Clock.GATEWAY if times[0] is None else Clock.DEVICE,
        )

    def take(self, batch: Batch) -> None:
        self.keep(self.engine.take(batch))

    def mark(self, at_s: float, quality: int, *ids: str) -> None:
        """Let the gateway find something of points."""
        for id_ in ids:
            kind = self.types["d"][id_]
            value = "" if kind is TEXT else 0
            self.keep(self.engine.mark(self.batch("d", [(id_, value, quality, None)], at_s)))

    def tick(self, at_s: float) -> None:
        self.keep(self.engine.tick(round(at_s * S)))

    def keep(self, results: Any) -> None:
        result: Result
        for result in results:
            batch = result.batch
            assert batch.device == "c"
            assert batch.origin is Origin.CALCULATED
            self.batches.append(batch)
            times = batch.source_ns
            for at, number in enumerate(batch.index.tolist()):
                time_ns = batch.received_ns if times is None else int(times[at])
                value = (
                    batch.values[at].item() if batch.values.dtype != object else batch.values[at]
                )
                said = Quality(int(batch.quality[at]))
                value = None if said & Quality.NO_VALUE else value
                self.got[self.ids[number]].append((value, said, time_ns / S))

    def last(self, id_: str) -> tuple[Any, Quality]:
        """Return value, None where there is none, and quality of what a point said last."""
        return self.got[id_][-1][:2]

    def values(self, id_: str) -> list[Any]:
        return [value for value, _, _ in self.got[id_]]


def device_of(
    name: str, ids: Sequence[str], settings: Any = None, *, maintenance: bool = False
) -> Device:
    driver = CALC if settings is not None else "modbus"
    points = [Point(id_, Kind.MEASUREMENT) for id_ in ids]
    return Device(name, driver, "bay", points, {}, settings, maintenance=maintenance)


def value_of(text: str, **points: Any) -> Any:
    """Return what an expression over points of ``d`` says once they are read, and its quality."""
    kinds = {f"d/{id_}": type_of(value) for id_, value in points.items()}
    little = Little(kinds, {"x": text})
    little.read(1, **points)
    return little.last("x")


def type_of(given: Any) -> ValueType:
    """Return the type that a Python value is held as."""
    value = given[0] if isinstance(given, tuple) else given
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, int):
        return I64
    return TEXT if isinstance(value, str) else F64
