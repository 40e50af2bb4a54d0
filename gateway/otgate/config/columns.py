"""The columns of a point map: what each means and how a cell is read."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from sys import intern
from types import MappingProxyType
from typing import Any

from otgate.config.forms import ID_HELP, ID_PATTERN
from otgate.config.nearest import did_you_mean
from otgate.config.ratios import BadRatio, applied
from otgate.model import Deadband, Kind, Sensitivity

NUMBER = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?")
ID = re.compile(ID_PATTERN.removesuffix("$"))
CODE = re.compile(r"[-+]?[0-9]{1,19}")
SPREADSHEET_ERRORS = frozenset(
    {"#REF!", "#N/A", "#NAME?", "#VALUE!", "#DIV/0!", "#NULL!", "#NUM!", "#SPILL!", "#CALC!"}
    | {"#NV", "#BEZUG!", "#WERT!", "#ZAHL!", "#ERROR!"}
)
TRUTHS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}


class BadCell(Exception):
    """What is wrong with a cell: code, message, help."""

    def __init__(self, code: str, message: str, help_: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.help = help_


@dataclass(frozen=True, slots=True)
class Column:
    """One column: what it says, how it is read, and what a cell may look like."""

    about: str
    read: Callable[[str], Any]
    example: str
    shared: bool = True
    """Whether many rows say the same, so that they share one value."""
    required: bool = False


def text(cell: str) -> str:
    """Read any text."""
    return cell


def an_id(cell: str) -> str:
    """Read an id; devices of one make have the same ones, so they share the text."""
    if not ID.fullmatch(cell):
        raise BadCell("bad-id", f"`{cell}` is not an id", ID_HELP)
    return intern(cell)


def number(cell: str) -> float:
    """Read a finite decimal number."""
    if not NUMBER.fullmatch(cell):
        raise BadCell("wrong-type", f"expected a number, found `{cell}`", number_help(cell))
    value = float(cell)
    if value in {float("inf"), float("-inf")}:
        raise BadCell("out-of-range", f"`{cell}` is too large")
    return value


def number_help(cell: str) -> str:
    """Say how to write what was probably meant."""
    if "," in cell:
        return "a decimal comma needs `;` between the cells of this file"
    return "digits and one `.`, e.g. `0.1` or `1e-3`; units have a column of their own"


def seconds(cell: str) -> float:
    """Read seconds, 0 or more."""
    value = number(cell)
    if value < 0:
        raise BadCell("out-of-range", "seconds have to be at least 0")
    return value


def truth(cell: str) -> bool:
    """Read yes or no."""
    value = TRUTHS.get(cell.lower())
    if value is None:
        raise BadCell("wrong-value", f"`{cell}` is neither yes nor no", "`yes` or `no`")
    return value


def deadband(cell: str) -> Deadband | None:
    """Read an amount, or a percentage of the engineering range; 0 is none."""
    percent = cell.endswith("%")
    amount = number(cell.removesuffix("%").strip())
    if amount < 0 or (percent and amount > 100):
        bounds = "from 0 to 100 %" if percent else "at least 0"
        raise BadCell("out-of-range", f"a deadband has to be {bounds}")
    return Deadband(amount, percent) if amount else None


def states(cell: str) -> Mapping[int, str]:
    """Read ``0=open|1=closed``."""
    labels: dict[int, str] = {}
    for part in cell.split("|"):
        code, equals, label = (piece.strip() for piece in part.partition("="))
        if not equals or not label or not CODE.fullmatch(code):
            raise BadCell(
                "bad-states", f"`{part.strip()}` is not a state", "write `0=open|1=closed`"
            )
        if int(code) in labels:
            raise BadCell("duplicate-state", f"state {int(code)} is given twice")
        if label in labels.values():
            raise BadCell("duplicate-state", f"two states are called `{label}`")
        labels[int(code)] = label
    return MappingProxyType(labels)


def kind(cell: str) -> Kind:
    """Read what a point is to people."""
    return Kind(one_of(cell, KINDS, "a kind"))


def sensitivity(cell: str) -> Sensitivity:
    """Read a classification."""
    return Sensitivity[one_of(cell, SENSITIVITIES, "a sensitivity").upper()]


def one_of(cell: str, known: Collection[str], what: str) -> str:
    """Read one of a few words."""
    if cell not in known:
        raise BadCell(
            "wrong-value", f"`{cell}` is not {what}", did_you_mean(cell, known, otherwise="one of")
        )
    return cell


def tags_reader(vocabulary: Collection[str] | None) -> Callable[[str], frozenset[str]]:
    """Return a reader of tags that knows the policy's words, if there are any."""

    def tags(cell: str) -> frozenset[str]:
        words = frozenset(cell.replace("|", " ").split())
        for word in sorted(words):
            if vocabulary is None:
                an_id(word)
            elif word not in vocabulary:
                known = did_you_mean(word, vocabulary, otherwise="declared")
                raise BadCell(
                    "unknown-tag", f"tag `{word}` is not in the policy's vocabulary", known
                )
        return words

    return tags


def scan_reader(scans: Collection[str]) -> Callable[[str], str]:
    """Return a reader of the device's scan classes."""

    def scan(cell: str) -> str:
        if cell not in scans:
            known = did_you_mean(cell, scans, otherwise="the device has")
            raise BadCell("unknown-scan", f"the device has no scan class `{cell}`", known)
        return cell

    return scan


def ratio_reader(ratios: Mapping[str, float]) -> Callable[[str], float]:
    """Return a reader of the ratios that apply to a point, which knows the device's."""

    def ratio(cell: str) -> float:
        try:
            return applied(cell, ratios)
        except BadRatio as bad:
            raise BadCell("wrong-value", bad.message, bad.help) from None

    return ratio


KINDS = tuple(map(str, Kind))
SENSITIVITIES = tuple(one.name.lower() for one in Sensitivity)
PLACE = ("substation", "voltage_level", "bay", "equipment", "phase")

COLUMNS: Mapping[str, Column] = {
    "id": Column("The point, unique within its device.", an_id, "ia", shared=False, required=True),
    "name": Column("The point, as people name it.", text, "Feeder 3 current A", shared=False),
    "description": Column("Anything more about it.", text, "CT ratio 400/5", shared=False),
    "substation": Column("Where it is measured.", text, "Substation 7"),
    "voltage_level": Column("Where it is measured.", text, "110 kV"),
    "bay": Column("Where it is measured.", text, "F3"),
    "equipment": Column("What it is measured at.", text, "breaker 52-3"),
    "phase": Column("Which phase.", text, "A"),
    "kind": Column(
        "What it is to people: " + ", ".join(KINDS) + ".", kind, "measurement", required=True
    ),
    "address": Column("Where the driver reads it.", intern, "hr 100", shared=False, required=True),
    "type": Column("How the driver decodes it.", text, "u16"),
    "order": Column("Byte and word order, where it is not the device's.", text, "CDAB"),
    "scale": Column("Factor from raw to engineering units.", number, "0.1"),
    "offset": Column("Added after scaling, in engineering units.", number, "-40"),
    "ratio": Column(
        "Instrument transformers to multiply by: names of the device's `ratios`, or `400/5`.",
        ratio_reader({}),
        "400/5",
    ),
    "sf": Column(
        "Address of a register that holds the value's power of ten (SunSpec).", intern, "hr 40083"
    ),
    "rollover": Column(
        "What a counter counts to before it starts again; it is counted on from there.",
        text,
        "2^32",
    ),
    "raw_lo": Column("Raw value at the low end of the range.", number, "0"),
    "raw_hi": Column("Raw value at the high end of the range.", number, "4095"),
    "eu_lo": Column("Low end of the range in engineering units.", number, "0"),
    "eu_hi": Column("High end of the range in engineering units.", number, "600"),
    "invert": Column("`yes` turns a status round.", truth, "no"),
    "unit": Column("The engineering unit.", text, "A"),
    "states": Column(
        "Labels of codes; of bits, 0 the lowest, where the type is flags.",
        states,
        "0=open|1=closed",
    ),
    "deadband": Column(
        "Change worth reporting: engineering units, or percent of the range.", deadband, "0.5"
    ),
    "latch": Column(
        "`yes` sends every change that a read sees; the device's `min_interval_s` holds none back.",
        truth,
        "no",
    ),
    "scan": Column("Scan class of the device; `normal` when empty.", text, "fast"),
    "max_age_s": Column(
        "Seconds without a read after which it is stale; 0 is never.", seconds, "30"
    ),
    "tags": Column(
        "Words of the policy's vocabulary, separated by space or `|`.", text, "feeder revenue"
    ),
    "sensitivity": Column(
        "Classification: " + ", ".join(SENSITIVITIES) + ".", sensitivity, "internal"
    ),
    "owner": Column("Who answers for it.", text, "protection"),
    "external_id": Column(
        "Its id in another system (CIM, IEC 61850, historian).", text, "_4f1a", shared=False
    ),
}
