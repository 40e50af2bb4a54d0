"""A small substation: feeders on one busbar, a transformer that feeds it, breakers, meters.

The plant advances in steps of fixed length and draws all its noise from one seed, so that the
same seed, start and clock give the same numbers, however often anybody looks. Times are
nanoseconds since the Unix epoch; the loads follow the time of day.
"""

import math
import random
from dataclasses import dataclass, field

DAY_S = 86_400.0
STEP_S = 0.1
TAP_STEP = 0.0125
"""Voltage per tap, per unit: 16 taps of 1.25 %."""
NEUTRAL_TAP = 9
TAP_DELAY_S = 20.0
"""How long the voltage stays outside the band before the tap changer moves."""
OIL_RISE_K, OIL_TAU_S = 52.0, 10_800.0
WINDING_RISE_K, WINDING_TAU_S = 22.0, 420.0
LOSS_RATIO = 6.0
"""Load loss over no-load loss at rated load."""
MEAN_TIME_TO_TRIP_S = 900.0
TRIP_SHOWN_S = 3.0
"""How long a relay shows pick-up and trip."""


@dataclass(slots=True)
class Wander:
    """Noise with a memory: an Ornstein-Uhlenbeck process around zero."""

    rng: random.Random
    sigma: float
    memory_s: float
    value: float = 0.0

    def advance(self, step_s: float) -> None:
        """Move on by ``step_s`` seconds."""
        kept = math.exp(-step_s / self.memory_s)
        noise = self.rng.gauss(0.0, self.sigma)
        self.value = kept * self.value + math.sqrt(1.0 - kept * kept) * noise


@dataclass(slots=True)
class Breaker:
    """Opens now and then on a fault and recloses, at times that its seed decides."""

    rng: random.Random
    closed: bool = True
    operations: int = 0
    fault_age_s: float = math.inf
    """Seconds since the last trip."""
    next_s: float = 0.0

    def __post_init__(self) -> None:
        self.operations = self.rng.randrange(40, 900)
        self.next_s = self.rng.uniform(15.0, 240.0)

    def advance(self, step_s: float) -> None:
        """Move on by ``step_s`` seconds, operating when the time has come."""
        self.fault_age_s += step_s
        self.next_s -= step_s
        if self.next_s <= 0.0:
            self.operate()

    def operate(self) -> None:
        """Trip if closed, close if open, and draw the time of the next operation."""
        self.closed = not self.closed
        self.operations += 1
        if self.closed:
            self.next_s = self.rng.expovariate(1.0 / MEAN_TIME_TO_TRIP_S)
            return
        self.fault_age_s = 0.0
        slow = self.rng.random() < 0.15
        self.next_s = self.rng.uniform(60.0, 180.0) if slow else self.rng.uniform(5.0, 12.0)

    @property
    def tripped(self) -> bool:
        """Whether a relay still shows the last trip."""
        return self.fault_age_s < TRIP_SHOWN_S


@dataclass(slots=True)
class Thermal:
    """Oil and winding temperature behind a load (the model of IEC 60076-7, reduced)."""

    oil_c: float = 35.0
    winding_c: float = 42.0

    def settle(self, load: float, ambient_c: float) -> None:
        """Start as if the load had lasted for days."""
        self.oil_c = ambient_c + oil_rise_k(load)
        self.winding_c = self.oil_c + winding_rise_k(load)

    def advance(self, load: float, ambient_c: float, step_s: float) -> None:
        """Move the oil slowly and the winding quickly towards where this load leads."""
        oil = ambient_c + oil_rise_k(load)
        self.oil_c += (oil - self.oil_c) * -math.expm1(-step_s / OIL_TAU_S)
        winding = self.oil_c + winding_rise_k(load)
        self.winding_c += (winding - self.winding_c) * -math.expm1(-step_s / WINDING_TAU_S)


def oil_rise_k(load: float) -> float:
    """Return the final top-oil rise over ambient at a per-unit load."""
    return OIL_RISE_K * math.pow((1.0 + LOSS_RATIO * load * load) / (1.0 + LOSS_RATIO), 0.8)


def winding_rise_k(load: float) -> float:
    """Return the final winding rise over oil at a per-unit load."""
    return WINDING_RISE_K * math.pow(load, 1.6)


def daily_load(second_of_day: float) -> float:
    """Return the per-unit load of a mixed feeder: a night valley, a morning and an evening peak."""
    hour = second_of_day / 3600.0
    morning = 0.22 * math.exp(-(((hour - 8.5) / 2.4) ** 2))
    evening = 0.34 * math.exp(-(((hour - 19.0) / 2.8) ** 2))
    midday = 0.16 * math.exp(-(((hour - 13.0) / 4.5) ** 2))
    return 0.36 + morning + evening + midday


@dataclass(slots=True)
class Energy:
    """Counters that integrate power: kWh and kvarh."""

    imported_kwh: float
    exported_kwh: float
    kvarh: float

    def advance(self, p_kw: float, q_kvar: float, step_s: float) -> None:
        """Add what flowed in ``step_s`` seconds."""
        hours = step_s / 3600.0
        if p_kw >= 0.0:
            self.imported_kwh += p_kw * hours
        else:
            self.exported_kwh -= p_kw * hours
        self.kvarh += abs(q_kvar) * hours


@dataclass(slots=True)
class Busbar:
    """What all bays share: frequency, voltage with its tap changer, the weather."""

    rng: random.Random
    frequency: Wander = field(init=False)
    supply: Wander = field(init=False)
    weather: Wander = field(init=False)
    tap: int = NEUTRAL_TAP
    tap_operations: int = 0
    load: float = 0.5
    voltage: float = 1.0
    """Per unit of nominal."""
    ambient_c: float = 15.0
    outside_band_s: float = 0.0

    def __post_init__(self) -> None:
        self.frequency = Wander(self.rng, 0.012, 15.0)
        self.supply = Wander(self.rng, 0.008, 120.0)
        self.weather = Wander(self.rng, 1.5, 1800.0)
        self.tap_operations = self.rng.randrange(2000, 9000)

    @property
    def frequency_hz(self) -> float:
        """Frequency of the grid."""
        return 50.0 + self.frequency.value

    def advance(self, second_of_day: float, load: float, step_s: float) -> None:
        """Move on by ``step_s`` seconds with the feeders' mean ``load``, per unit."""
        for noise in (self.frequency, self.supply, self.weather):
            noise.advance(step_s)
        self.load = load
        daily_c = 7.0 * math.cos((second_of_day - 54_000.0) / DAY_S * math.tau)
        self.ambient_c = 14.0 + daily_c + self.weather.value
        self.voltage = self.untapped() + (self.tap - NEUTRAL_TAP) * TAP_STEP
        self.regulate(step_s)

    def untapped(self) -> float:
        """Return the voltage at the neutral tap: the supply less what the load drops."""
        return 1.035 + self.supply.value - 0.06 * self.load

    def regulate(self, step_s: float) -> None:
        """Step the tap once the voltage has been off for longer than the delay."""
        error = self.voltage - 1.0
        self.outside_band_s = self.outside_band_s + step_s if abs(error) > 0.8 * TAP_STEP else 0.0
        if self.outside_band_s >= TAP_DELAY_S:
            self.tap = min(17, max(1, self.tap - (1 if error > 0.0 else -1)))
            self.tap_operations += 1
            self.outside_band_s = 0.0


@dataclass(slots=True)
class Rating:
    """What a bay is built for."""

    current_a: float = 400.0
    voltage_kv: float = 11.0
    """Phase to phase."""


@dataclass(slots=True)
class Bay:
    """One bay: a load or the transformer, behind a breaker, with its temperatures and meter."""

    rng: random.Random
    busbar: Busbar
    rating: Rating
    feeds: list["Bay"] | None = None
    """The bays that a transformer carries; None for a feeder."""
    breaker: Breaker = field(init=False)
    noise: Wander = field(init=False)
    flicker: Wander = field(init=False)
    thermal: Thermal = field(init=False)
    energy: Energy = field(init=False)
    unbalance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    size: float = 1.0
    shift_s: float = 0.0
    power_factor: float = 0.95
    load: float = 0.0
    """Per unit of the rated current."""

    def __post_init__(self) -> None:
        rng = self.rng
        self.breaker = Breaker(rng)
        self.noise, self.flicker = Wander(rng, 0.03, 300.0), Wander(rng, 0.006, 2.0)
        self.thermal = Thermal()
        self.energy = Energy(rng.uniform(1e5, 4e6), rng.uniform(0.0, 2e3), rng.uniform(1e4, 5e5))
        a, b = rng.gauss(0.0, 0.012), rng.gauss(0.0, 0.012)
        self.unbalance = (1.0 + a, 1.0 + b, 1.0 - a - b)
        self.size, self.shift_s = rng.uniform(0.7, 1.05), rng.gauss(0.0, 2400.0)
        self.power_factor = rng.uniform(0.92, 0.985)

    def advance(self, second_of_day: float, step_s: float) -> None:
        """Move on by ``step_s`` seconds."""
        self.noise.advance(step_s)
        self.flicker.advance(step_s)
        if self.feeds is None:
            self.breaker.advance(step_s)
        self.load = self.wanted(second_of_day) if self.breaker.closed else 0.0
        self.thermal.advance(self.load, self.busbar.ambient_c, step_s)
        self.energy.advance(self.p_kw, self.q_kvar, step_s)

    def wanted(self, second_of_day: float) -> float:
        """Return the load, per unit, that flows while the breaker is closed."""
        if self.feeds:
            own = sum(bay.load for bay in self.feeds) / len(self.feeds)
        else:
            own = self.size * daily_load((second_of_day + self.shift_s) % DAY_S)
        return max(0.02, own * (1.0 + self.noise.value + self.flicker.value))

    def current_a(self, phase: int | None) -> float:
        """Return one phase's current, or the mean of the three."""
        share = 1.0 if phase is None else self.unbalance[phase]
        return self.load * share * self.rating.current_a

    def voltage_kv(self, phase: int | None) -> float:
        """Return a phase-to-earth voltage, or the phase-to-phase one where ``phase`` is None."""
        line = self.busbar.voltage * self.rating.voltage_kv
        if phase is None:
            return line
        return line / math.sqrt(3.0) * (1.0 + 0.15 * (self.unbalance[phase] - 1.0))

    @property
    def s_kva(self) -> float:
        """Apparent power."""
        return math.sqrt(3.0) * self.voltage_kv(None) * self.current_a(None)

    @property
    def p_kw(self) -> float:
        """Active power."""
        return self.s_kva * self.power_factor

    @property
    def q_kvar(self) -> float:
        """Reactive power."""
        return self.s_kva * math.sqrt(1.0 - self.power_factor * self.power_factor)


class Plant:
    """The whole substation, at one moment."""

    def __init__(self, seed: int, start_ns: int, *, speed: float = 1.0) -> None:
        self.seed = seed
        self.start_ns = start_ns
        self.speed = speed
        self.step_s = STEP_S * max(1.0, speed)
        self.steps = 0
        self.busbar = Busbar(self.rng("busbar"))
        self.bays: dict[str, Bay] = {}

    def rng(self, name: str) -> random.Random:
        """Return the noise of one part, the same for the same seed and name."""
        return random.Random(f"{self.seed}/{name}")

    def bay(self, name: str, rating: Rating) -> Bay:
        """Return the bay called ``name``, built on first mention."""
        if name not in self.bays:
            bay = Bay(self.rng(name), self.busbar, rating)
            bay.load = bay.wanted(self.second_of_day)
            bay.thermal.settle(bay.load, self.busbar.ambient_c)
            self.bays[name] = bay
        return self.bays[name]

    def feed(self, transformer: Bay) -> None:
        """Let ``transformer`` carry every feeder of the plant."""
        transformer.feeds = [bay for bay in self.feeders if bay is not transformer]
        transformer.load = transformer.wanted(self.second_of_day)
        transformer.thermal.settle(transformer.load, self.busbar.ambient_c)

    @property
    def feeders(self) -> list[Bay]:
        """The bays that are loads."""
        return [bay for bay in self.bays.values() if bay.feeds is None]

    @property
    def second_of_day(self) -> float:
        """Plant time since midnight, UTC."""
        return (self.start_ns / 1e9 + self.steps * self.step_s) % DAY_S

    def advance(self, now_ns: int) -> None:
        """Take every step that is due at ``now_ns``; an earlier time takes none."""
        elapsed_s = (now_ns - self.start_ns) / 1e9 * self.speed
        while (self.steps + 1) * self.step_s <= elapsed_s + 1e-9:
            self.step()

    def step(self) -> None:
        """Take one step: the busbar first, then each bay on it."""
        self.steps += 1
        now_s = self.second_of_day
        feeders = self.feeders
        load = sum(bay.load for bay in feeders) / len(feeders) if feeders else 0.5
        self.busbar.advance(now_s, load, self.step_s)
        for bay in self.bays.values():
            bay.advance(now_s, self.step_s)
