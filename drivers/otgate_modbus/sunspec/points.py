"""SunSpec points as rows of a point map: named by model, typed, scaled as the device says."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from otgate.model import Kind, Point
from otgate_modbus.sunspec.definitions import Entry
from otgate_modbus.sunspec.layout import Field
from otgate_modbus.sunspec.survey import Model
from otgate_modbus.sunspec.values import ADDED_UP, Absent, is_bitfield, states_of

TYPES = {
    "int16": "i16 na", "uint16": "u16 na", "count": "u16 na", "acc16": "u16 na=0",
    "int32": "i32 na", "uint32": "u32 na", "acc32": "u32 na=0",
    "int64": "i64 na", "uint64": "u64 na", "acc64": "u64 na=0",
    "enum16": "enum16 na", "enum32": "enum32 na",
    "bitfield16": "flags16 na", "bitfield32": "flags32 na",
    "float32": "f32 na", "float64": "f64 na",
}  # fmt: skip
"""The point map's type for each of SunSpec's, with its value for "not implemented"."""

STRUCTURE = frozenset({"pad", "sunssf"})
"""Types that are no points: fillers, and scale factors, which are read with their values."""

HEADER_POINTS = frozenset({"ID", "L"})

UNITS = {
    "C": "°C", "Pct": "%", "Secs": "s", "Sec": "s", "mSecs": "ms", "Degrees": "°", "deg": "°",
    "cos()": "", "PF": "", "SF": "", "text": "", "Var": "var", "Varh": "varh", "WH": "Wh",
    "AH": "Ah", "mps": "m/s", "meters": "m", "HPa": "hPa", "W/m^2": "W/m2", "ohms": "Ω",
    "%WHRtg": "%",
}  # fmt: skip
"""Units that the definitions spell otherwise than the rest of a site does."""

LETTERED = re.compile(r"[Pp]h(AB|BC|CA|A|B|C)$")
NUMBERED = re.compile(r".*?L([123])(?:L([123]))?")
"""How names end that are of a phase: ``AphA``, ``PPVphAB``; ``VL1``, ``VL1L2``."""

ENERGIES = frozenset({"Wh", "kWh", "varh", "VAh", "Ah", "kAH"})
LABEL_SAYS = 60
"""Characters of a label that a name takes."""


@dataclass(slots=True)
class Mapped:
    """The rows of a device, and how much was left out, by reason."""

    points: list[Point] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def mapped(models: Sequence[Model], *, everything: bool) -> Mapped:
    """Return the point map of a device: what it implements, or everything that it could."""
    found = Mapped()
    for model in models:
        for each in model.fields:
            reason = unwanted(model, each, everything=everything)
            if reason is None:
                found.points.append(point_of(model, each))
            elif reason:
                found.left_out[reason] += 1
    return found


def unwanted(model: Model, each: Field, *, everything: bool) -> str | None:
    """Say why a point is left out; empty where it is none, None where it is wanted."""
    entry = each.entry
    if entry.type in STRUCTURE or (len(each.path) == 1 and entry.name in HEADER_POINTS):
        return ""
    if type_of(entry) is None:
        return f"of type {entry.type}, which a point map lacks"
    if isinstance(entry.sf, str) and each.sf is None:
        return "its scale factor is not in the model"
    value = model.value(each)
    if value is Absent.UNREADABLE:
        return "the device refuses to read it"
    absent = isinstance(value, Absent) and not entry.mandatory
    return "not implemented by the device" if absent and not everything else None


def type_of(entry: Entry) -> str | None:
    """Return the point map's type, or None where there is none."""
    if entry.type == "string":
        return f"string({2 * entry.size})" if entry.size <= 125 else None
    return TYPES.get(entry.type)


def point_of(model: Model, each: Field) -> Point:
    """Return one row of the point map."""
    entry = each.entry
    scale = float(f"1e{entry.sf}") if isinstance(entry.sf, int) else 1.0
    return Point(
        id=point_id(model, each),
        name=entry.label[:LABEL_SAYS],
        description=f"{model.label}: {'.'.join(each.path)}",
        kind=kind_of(entry),
        address=f"hr {model.block.at + each.offset}",
        type=type_of(entry) or "",
        unit=unit_of(entry),
        scale=scale,
        sf="" if each.sf is None else f"hr {model.block.at + each.sf}",
        states=states_of(entry),
        place=("", "", "", "", phase_of(entry.name)),
        scan="slow" if entry.static or entry.type == "string" or entry.writable else "",
    )


def point_id(model: Model, each: Field) -> str:
    """Return an id such as ``m103_a`` or ``m160_1_dca``; a second model 203 is ``m203i2``."""
    instance = "" if model.number == 1 else f"i{model.number}"
    return "_".join((f"m{model.block.model}{instance}", *each.path)).lower()


def phase_of(name: str) -> str:
    """Return which phase a point measures, or between which two, by its name; empty for neither."""
    lettered, numbered = LETTERED.search(name), NUMBERED.fullmatch(name)
    if lettered:
        return lettered[1]
    numbers = numbered.groups("") if numbered else ()
    return "".join("ABC"[int(number) - 1] for number in numbers if number)


def unit_of(entry: Entry) -> str:
    """Return a unit as the rest of a site spells it."""
    return UNITS.get(entry.unit, entry.unit)


def kind_of(entry: Entry) -> Kind:
    """Return what a point is to people; what can be written is a setting."""
    if entry.writable:
        return Kind.SETTING
    if entry.type == "string":
        return Kind.TEXT
    if entry.type in ADDED_UP or (unit_of(entry) in ENERGIES and entry.size > 1):
        return Kind.COUNTER
    if entry.type.startswith("enum") or is_bitfield(entry):
        return Kind.STATUS
    return Kind.SETTING if entry.static or entry.type == "count" else Kind.MEASUREMENT
