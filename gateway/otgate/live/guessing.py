"""What a map probably meant where a device's values cannot be: read again in other ways."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from msgspec.structs import replace as changed

from otgate.driver import Driver, Guessing, Variant
from otgate.errors import Mistakes
from otgate.live.plausible import Plausibility, judged
from otgate.live.reading import LIMIT_S, Look, Value, look
from otgate.model import Device, Kind, Point

MOST_SUSPECTS = 500
"""Points of a device that are read again in other ways; the rest is only named."""
SCALES = (-1, 1, -2, 2, -3, 3)
"""Powers of ten that a scale is commonly off by, the likeliest first."""
NUMBERS = frozenset({Kind.MEASUREMENT, Kind.COUNTER})


@dataclass(frozen=True, slots=True)
class Guess:
    """Another way to read a point, and what that gave."""

    words: str
    cell: str
    """What the point map would say."""
    value: float | str
    setting: str = ""
    """What the device's block would say, where all its points were meant so."""


@dataclass(slots=True)
class Suspect:
    """A point whose value cannot be what its map says, or that has none."""

    point: Point
    value: Value
    why: str
    guesses: list[Guess] = field(default_factory=list)
    """The likeliest first."""


@dataclass(frozen=True, slots=True)
class Wide:
    """One setting of the device that would mend most of its suspects at once."""

    setting: str
    mends: int
    of: int
    """Points that it concerns and whose value is not 0."""


@dataclass(slots=True)
class Examination:
    """What was found of one device."""

    look: Look
    suspects: list[Suspect] = field(default_factory=list)
    wide: Wide | None = None

    @property
    def sound(self) -> bool:
        """Whether every point was read and none looks wrong."""
        return not self.look.failure and not self.suspects


async def examined(device: Device, driver: Driver, limit_s: float = LIMIT_S) -> Examination:
    """Read a device, and again in other ways what cannot be right."""
    seen = await look(device, driver, limit_s)
    found = Examination(seen)
    if seen.failure:
        return found
    for point, value in zip(device.points, seen.values, strict=True):
        verdict = judged(point, value.value, value.quality)
        if verdict.plausibility is Plausibility.IMPOSSIBLE:
            found.suspects.append(Suspect(point, value, verdict.why))
    if found.suspects and isinstance(driver, Guessing):
        await _try_variants(found, driver, limit_s)
        found.wide = _wide(found, driver)
    for suspect in found.suspects:
        if not suspect.guesses:
            suspect.guesses.extend(_scales(suspect))
    return found


Tried = tuple[Suspect, Variant]


async def _try_variants(found: Examination, driver: Driver, limit_s: float) -> None:
    """Read suspects again, one way after another: two ways at once would claim an address twice."""
    device = found.look.device
    ways: dict[str, list[Tried]] = {}
    for suspect in found.suspects[:MOST_SUSPECTS]:
        for variant in _variants(device, driver, suspect.point):
            ways.setdefault(variant.words, []).append((suspect, variant))
    ranked: dict[int, list[tuple[Plausibility, Guess]]] = {}
    for tried in ways.values():
        for suspect, verdict, guess in await _read_again(device, driver, tried, limit_s):
            ranked.setdefault(id(suspect), []).append((verdict, guess))
    for suspect in found.suspects:
        best = sorted(ranked.get(id(suspect), ()), key=lambda each: each[0], reverse=True)
        suspect.guesses.extend(guess for _, guess in best)


async def _read_again(
    device: Device, driver: Driver, tried: Sequence[Tried], limit_s: float
) -> list[tuple[Suspect, Plausibility, Guess]]:
    """Return the variants that give a value which its point can have."""
    points = [
        changed(variant.point, id=str(number), rollover="")
        for number, (_, variant) in enumerate(tried)
    ]
    left = _plannable(replace(device, points=points), driver)
    if not left.points:
        return []
    again = await look(left, driver, limit_s)
    found: list[tuple[Suspect, Plausibility, Guess]] = []
    for point, value in zip(left.points, again.values, strict=False):
        suspect, variant = tried[int(point.id)]
        named = changed(point, id=suspect.point.id)
        verdict = judged(named, value.value, value.quality).plausibility
        if verdict is not Plausibility.IMPOSSIBLE and value.value != 0:
            guess = Guess(variant.words, variant.cell, value.value, variant.setting)
            found.append((suspect, verdict, guess))
    return found


def _variants(device: Device, driver: Driver, point: Point) -> Sequence[Variant]:
    return driver.variants(device, point) if isinstance(driver, Guessing) else ()


def _plannable(device: Device, driver: Driver) -> Device:
    """Leave out what the driver would not plan."""
    while device.points:
        try:
            driver.plan(device)
        except Mistakes as wrong:
            named = {mistake.point for mistake in wrong.mistakes}
            left = [point for point in device.points if point.id not in named]
            device = replace(device, points=left if len(left) < len(device.points) else [])
        else:
            break
    return device


def _wide(found: Examination, driver: Driver) -> Wide | None:
    """Return the setting that mends at least half of all that it concerns, and two at least."""
    device = found.look.device
    mends = Counter(
        setting
        for suspect in found.suspects
        for setting in {guess.setting for guess in suspect.guesses if guess.setting}
    )
    if not mends:
        return None
    setting, count = mends.most_common(1)[0]
    concerned = sum(
        any(variant.setting == setting for variant in _variants(device, driver, point))
        for point, value in zip(device.points, found.look.values, strict=True)
        if value.value != 0
    )
    return Wide(setting, count, concerned) if count > 1 and 2 * count >= concerned else None


def _scales(suspect: Suspect) -> Iterator[Guess]:
    """Yield the scale that would bring a number where values of its unit mostly are."""
    point, value = suspect.point, suspect.value
    if point.kind not in NUMBERS or not value.readable or not isinstance(value.value, int | float):
        return
    for power in SCALES:
        number = _tens(float(value.value), power)
        if judged(point, number, 0).plausibility is Plausibility.LIKELY:
            scale = f"{_tens(point.scale, power):g}"
            yield Guess(f"a scale of {scale}", f"scale: {scale}", number)
            return


def _tens(number: float, power: int) -> float:
    """Return a number moved by decimal places, without the dust of binary fractions."""
    factor: int = 10 ** abs(power)
    return number * factor if power > 0 else number / factor


def unsound(examinations: Iterable[Examination]) -> bool:
    """Tell whether anything is wrong with any device."""
    return not all(each.sound for each in examinations)
