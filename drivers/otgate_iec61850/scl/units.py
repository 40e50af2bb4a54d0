"""The unit of a value, from the ``units`` attribute that its data object carries."""

from collections.abc import Mapping

from otgate_iec61850.scl.model import LogicalNode

SI_UNITS: Mapping[int, str] = {
    2: "m",
    3: "kg",
    4: "s",
    5: "A",
    6: "K",
    7: "mol",
    8: "cd",
    9: "°",
    10: "rad",
    11: "sr",
    21: "Gy",
    22: "Bq",
    23: "°C",
    24: "Sv",
    25: "F",
    26: "C",
    27: "S",
    28: "H",
    29: "V",
    30: "Ω",
    31: "J",
    32: "N",
    33: "Hz",
    34: "lx",
    35: "lm",
    36: "Wb",
    37: "T",
    38: "W",
    39: "Pa",
    41: "m²",
    42: "m³",
    43: "m/s",
    44: "m/s²",
    45: "m³/s",
    53: "1/s",
    54: "rad/s",
    61: "VA",
    63: "var",
    65: "cos(phi)",
    66: "Vs",
    67: "V²",
    68: "As",
    69: "A²",
    70: "A²s",
    71: "VAh",
    72: "Wh",
    73: "varh",
    74: "V/Hz",
    75: "Hz/s",
    79: "dB",
    82: "l/s",
    83: "dBm",
    84: "h",
    85: "min",
}
"""Codes of SIUnit, where the file's own EnumType does not name them: IEC 61850-7-3."""

SPELLED = {
    "ohm": "Ω",
    "deg": "°",
    "VAr": "var",
    "VArh": "varh",
    "degC": "°C",
    "none": "",
    "Deg": "°",
    "dimensionless": "",
    "W_s": "Ws",
}
MULTIPLIERS: Mapping[int, str] = {
    -24: "y",
    -21: "z",
    -18: "a",
    -15: "f",
    -12: "p",
    -9: "n",
    -6: "µ",
    -3: "m",
    -2: "c",
    -1: "d",
    0: "",
    1: "da",
    2: "h",
    3: "k",
    6: "M",
    9: "G",
    12: "T",
    15: "P",
    18: "E",
}
PREFIXES = frozenset(MULTIPLIERS.values())


class Settled:
    """What a node's attributes are set to: by the instance, else by the type."""

    def __init__(self, node: LogicalNode) -> None:
        self.values = node.values
        self.defaults = {
            leaf.path: leaf.attribute for leaf in node.leaves() if leaf.attribute.name in WANTED
        }

    def text(self, path: str) -> str:
        """Return the configured text at ``path``, empty where there is none."""
        if path in self.values:
            return self.values[path]
        attribute = self.defaults.get(path)
        return attribute.value if attribute is not None else ""

    def label(self, path: str) -> str:
        """Return a configured enum's label, or the code as written."""
        text, attribute = self.text(path), self.defaults.get(path)
        if attribute is not None and attribute.states and is_code(text):
            return attribute.states.get(int(text), text)
        return text

    def unit(self, owner: str) -> str:
        """Return the unit of the data object at ``owner``, with its multiplier."""
        unit = self.label(f"{owner}.units.SIUnit")
        if is_code(unit):
            unit = SI_UNITS.get(int(unit), "")
        unit = SPELLED.get(unit, unit)
        prefix = self.label(f"{owner}.units.multiplier")
        if is_code(prefix):
            prefix = MULTIPLIERS.get(int(prefix), "")
        return f"{prefix if prefix in PREFIXES else ''}{unit}" if unit else ""

    def number(self, path: str) -> float | None:
        """Return a configured number, None where there is none."""
        try:
            value = float(self.text(path).strip()[:40] or "nan")
        except ValueError:
            return None
        return value if abs(value) < 1e300 else None


WANTED = frozenset(
    {"SIUnit", "multiplier", "scaleFactor", "offset", "f", "i", "d", "dU", "pulsQty", "ctlModel"}
)
"""Last names of the attributes that an importer asks for."""


def is_code(text: str) -> bool:
    """Tell whether a text is a whole number."""
    return text.removeprefix("-").isdecimal() and text.isascii() and len(text) < 8
