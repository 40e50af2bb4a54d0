"""Which quantity of the plant a point shows, judged from its unit, kind, names and place.

Any site file gets plausible numbers: what nothing recognises wanders inside its engineering
range. A bound point is a plain function that returns its value in engineering units now.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from otgate.model import Device, Kind, Point
from otgate_sim.plant import Bay, Plant, Rating, Wander

Value = float | int | bool | str
Read = Callable[[], Value]

POWERS = {"W": 1e3, "kW": 1.0, "MW": 1e-3}
REACTIVE = {"var": 1e3, "kvar": 1.0, "Mvar": 1e-3, "VAr": 1e3, "kVAr": 1.0, "MVAr": 1e-3}
APPARENT = {"VA": 1e3, "kVA": 1.0, "MVA": 1e-3}
CURRENTS = {"A": 1.0, "kA": 1e-3, "mA": 1e3}
VOLTAGES = {"V": 1e3, "kV": 1.0}
ENERGIES = {"Wh": 1e3, "kWh": 1.0, "MWh": 1e-3}
REACTIVE_ENERGIES = {"varh": 1e3, "kvarh": 1.0, "Mvarh": 1e-3}
CELSIUS = frozenset({"°C", "C", "degC", "Cel"})
PHASES = {"a": 0, "b": 1, "c": 2, "l1": 0, "l2": 1, "l3": 2, "1": 0, "2": 1, "3": 2, "r": 0, "s": 1}
LINE_PAIRS = frozenset({"ab", "bc", "ca", "l12", "l23", "l31", "l1l2", "l2l3", "l3l1"})
DIRECT_CURRENT = frozenset({"battery", "dc"})
WORDS = re.compile(r"[a-z]+|[0-9]+")

CLOSED = frozenset({"closed", "close", "on", "in"})
OPEN = frozenset({"open", "opened", "off", "out"})
ACTIVE = CLOSED | {
    "active", "alarm", "auto", "blocked", "charged", "charging", "healthy", "mppt", "ok",
    "operated", "picked",
    "present", "ready", "remote", "running", "started", "trip", "tripped", "true", "yes",
}  # fmt: skip


def words(point: Point) -> frozenset[str]:
    """Return the words of a point's id, name and description, in lower case."""
    return frozenset(WORDS.findall(f"{point.id} {point.name} {point.description}".lower()))


def bay_name(device: Device, point: Point) -> str:
    """Return the bay a point belongs to: points of one bay share it across devices."""
    substation, level, bay, _, _ = point.place
    return f"{substation}/{level}/{bay}" if bay else device.id


def phase_of(point: Point) -> int | None:
    """Return the phase a point measures: 0, 1, 2, or None for all of them or between two."""
    if named := point.place[4].lower():
        return PHASES.get(named)
    tail = re.search(r"(?:^|_)[iuv]_?(a|b|c|l1|l2|l3|1|2|3)(?:_|$)", point.id)
    return PHASES[tail[1]] if tail else None


def is_line_voltage(point: Point) -> bool:
    """Whether a voltage is named as phase to phase."""
    return point.place[4].lower() in LINE_PAIRS or bool(
        re.search(r"(ab|bc|ca|l12|l23|l31)(?:_|$)", point.id)
    )


def rating_of(points: Iterable[Point]) -> Rating:
    """Return what a bay is built for, as far as its points' ranges and places tell."""
    rating = Rating()
    for point in points:
        if level := re.search(r"([0-9.]+) *(k?V)", point.place[1]):
            rating.voltage_kv = float(level[1]) * (1.0 if level[2] == "kV" else 1e-3)
        if point.unit in CURRENTS and point.eu_hi and point.kind is Kind.MEASUREMENT:
            rating.current_a = 0.7 * point.eu_hi / CURRENTS[point.unit]
    if not any(point.place[1] for point in points) and any(point.unit == "V" for point in points):
        rating.voltage_kv = 0.4
    return rating


def is_transformer(points: Iterable[Point]) -> bool:
    """Whether a bay's points are a transformer's: winding, oil or tap."""
    return any({"oil", "winding", "tap", "oltc"} & words(point) for point in points)


def bind(plant: Plant, devices: Sequence[Device]) -> dict[str, list[Read]]:
    """Return, for each device, a function per point that reads its value from the plant."""
    members: dict[str, list[Point]] = {}
    for device in devices:
        for point in device.points:
            members.setdefault(bay_name(device, point), []).append(point)
    bays = {name: plant.bay(name, rating_of(points)) for name, points in members.items()}
    for name, points in members.items():
        if is_transformer(points):
            plant.feed(bays[name])
    return {
        device.id: [
            Binding(plant, bays[bay_name(device, point)], point, device.id).read()
            for point in device.points
        ]
        for device in devices
    }


@dataclass(frozen=True, slots=True)
class Binding:
    """One point about to be bound to its bay."""

    plant: Plant
    bay: Bay
    point: Point
    device: str

    def read(self) -> Read:
        """Return the function that reads this point."""
        match self.point.kind:
            case Kind.MEASUREMENT:
                direct = DIRECT_CURRENT & words(self.point)
                return self.wandering() if direct else self.measurement()
            case Kind.COUNTER:
                return self.counter()
            case Kind.STATUS | Kind.EVENT:
                return self.status()
            case Kind.TEXT:
                text = f"{self.device} {self.point.id}".upper()
                return lambda: text
            case Kind.SETTING | Kind.CONTROL:
                return self.setting()

    def measurement(self) -> Read:
        """Bind by unit, then by name."""
        unit, bay = self.point.unit, self.bay
        if unit in CURRENTS:
            return self.scaled(self.current(), CURRENTS[unit], bay.rating.current_a)
        if unit in VOLTAGES:
            return self.voltage(VOLTAGES[unit])
        for table, power in ((POWERS, "p_kw"), (REACTIVE, "q_kvar"), (APPARENT, "s_kva")):
            if unit in table:
                return self.scaled(partial(getattr, bay, power), table[unit], rated_kva(bay))
        if unit in CELSIUS:
            return self.temperature()
        return self.by_name()

    def current(self) -> Callable[[], float]:
        """Return the current of the point's phase; neutral current is what is unbalanced."""
        if {"neutral", "in", "residual", "earth"} & (words(self.point) - {"feeder"}):
            return lambda: abs(self.bay.unbalance[2] - 1.0) * self.bay.current_a(None)
        return partial(self.bay.current_a, phase_of(self.point))

    def voltage(self, factor: float) -> Read:
        """Return the voltage to earth of the point's phase, or the one between phases."""
        phase = None if is_line_voltage(self.point) else phase_of(self.point)
        line_kv = self.bay.rating.voltage_kv
        nominal_kv = line_kv if phase is None else line_kv / math.sqrt(3.0)
        return self.scaled(partial(self.bay.voltage_kv, phase), factor, nominal_kv)

    def temperature(self) -> Read:
        """Return winding, oil or ambient temperature, as the point's words say."""
        said, bay = words(self.point), self.bay
        if "winding" in said or "hotspot" in said:
            return lambda: bay.thermal.winding_c
        if {"oil", "top", "transformer"} & said:
            return lambda: bay.thermal.oil_c
        return lambda: bay.busbar.ambient_c

    def by_name(self) -> Read:
        """Bind a measurement whose unit does not say what it is."""
        said, bay = words(self.point), self.bay
        if self.point.unit == "Hz":
            return lambda: bay.busbar.frequency_hz
        if "tap" in said:
            return lambda: bay.busbar.tap
        if {"pf", "factor", "cos"} & said:
            whole = 100.0 if self.point.unit == "%" else 1.0
            return lambda: whole * bay.power_factor
        if "load" in said and self.point.unit in {"%", ""}:
            return lambda: 100.0 * bay.load
        return self.wandering()

    def wandering(self) -> Read:
        """Return a value of its own that stays in the middle of the engineering range."""
        lo, hi = span(self.point)
        rng = self.plant.rng(f"{self.device}/{self.point.id}")
        middle = lo + (hi - lo) * rng.uniform(0.35, 0.65)
        noise = Wander(rng, 0.03 * (hi - lo), 60.0)
        seen = [self.plant.steps]

        def read() -> float:
            while seen[0] < self.plant.steps:
                seen[0] += 1
                noise.advance(self.plant.step_s)
            return min(hi, max(lo, middle + noise.value))

        return read

    def scaled(self, read: Callable[[], float], factor: float, nominal: float) -> Read:
        """Apply a unit's ``factor``; draw a quantity too big for the point's range into it."""
        top = self.point.eu_hi
        if top and nominal * factor > top:
            factor *= 0.8 * top / (nominal * factor)
        return lambda: read() * factor

    def counter(self) -> Read:
        """Bind energies by unit, other counters to operations."""
        unit, energy, said = self.point.unit, self.bay.energy, words(self.point)
        if unit in ENERGIES:
            factor = ENERGIES[unit]
            if {"export", "exported", "delivered"} & said:
                return lambda: energy.exported_kwh * factor
            return lambda: energy.imported_kwh * factor
        if unit in REACTIVE_ENERGIES:
            factor = REACTIVE_ENERGIES[unit]
            return lambda: energy.kvarh * factor
        if {"tap", "oltc"} & said:
            return lambda: self.bay.busbar.tap_operations
        return lambda: self.bay.breaker.operations

    def status(self) -> Read:
        """Bind a state to what its words say, coded as the point's states are."""
        active = self.condition()
        codes = (code(self.point.states, OPEN, first=True), code(self.point.states, ACTIVE))
        if self.point.type.startswith("flags"):
            codes = (0, 1 << codes[1])
        return lambda: codes[active()]

    def condition(self) -> Callable[[], bool]:
        """Return whether the state that the point's words name is on."""
        said, bay = words(self.point), self.bay
        if {"trip", "tripped", "pickup", "start", "operated"} & said:
            return lambda: bay.breaker.tripped
        if {"earth", "earthing"} & said and {"switch", "position"} & said:
            return lambda: False
        if {"cb", "breaker", "52", "52a"} & said and not {"spring", "gas", "fail"} & said:
            return lambda: bay.breaker.closed
        if {"fan", "fans", "cooling", "pump"} & said:
            return lambda: bay.thermal.oil_c > 50.0
        if {"temperature", "overload", "buchholz"} & said:
            return lambda: bay.thermal.winding_c > 98.0
        steady = bool(STEADILY_ON & said)
        return lambda: steady

    def setting(self) -> Read:
        """Return a constant inside the engineering range, the same for the same seed."""
        if self.point.states or self.point.kind is Kind.CONTROL or self.point.type == "bool":
            first = min(self.point.states, default=0)
            return lambda: first
        lo, hi = span(self.point)
        chosen = self.plant.rng(f"{self.device}/{self.point.id}").uniform(0.2, 0.8)
        value = round(lo + (hi - lo) * chosen, 2)
        return lambda: value


STEADILY_ON = frozenset(
    {"auto", "charge", "charged", "disconnector", "healthy", "isolator", "ok", "operating", "ready"}
    | {"remote", "watchdog"}
)
"""Words of a state that is on while nothing is wrong."""


def rated_kva(bay: Bay) -> float:
    """Return a bay's rated apparent power."""
    return math.sqrt(3.0) * bay.rating.voltage_kv * bay.rating.current_a


def span(point: Point) -> tuple[float, float]:
    """Return a point's engineering range, or 0 to 100."""
    lo = point.eu_lo if point.eu_lo is not None else 0.0
    hi = point.eu_hi if point.eu_hi is not None else max(100.0, lo + 100.0)
    return lo, hi


def code(states: Mapping[int, str], labels: frozenset[str], *, first: bool = False) -> int:
    """Return the code of the state whose label has one of ``labels``, else its end of the list."""
    for number, label in states.items():
        if labels & frozenset(WORDS.findall(label.lower())):
            return number
    if not states:
        return 0 if first else 1
    return min(states) if first else max(states)
