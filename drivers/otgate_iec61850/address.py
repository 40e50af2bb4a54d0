"""References of IEC 61850, as point maps, reports and servers write them.

A point is ``IED1LD0/MMXU1.PhV.phsA.cVal.mag.f [MX]``: logical device, logical node, the names
below it, and the functional constraint in brackets. An element of an array is ``Har(3)``. A
report control block is ``IED1LD0/LLN0.BR.brcb01``, a data set ``IED1LD0/LLN0.ds1``. MMS writes
the same as a domain and an item: ``IED1LD0``, ``MMXU1$MX$PhV$phsA$cVal$mag$f``.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from otgate.errors import OtgateError

MAX_CHARACTERS = 256
"""More than any reference has; a longer text is none."""


class Fc(StrEnum):
    """Functional constraints of data attributes: IEC 61850-7-2."""

    ST = "ST"
    MX = "MX"
    SP = "SP"
    SV = "SV"
    CF = "CF"
    DC = "DC"
    SG = "SG"
    SE = "SE"
    SR = "SR"
    OR = "OR"
    BL = "BL"
    EX = "EX"
    CO = "CO"


FCS = frozenset(map(str, Fc))
"""The functional constraints as text."""

NAME = r"[A-Za-z][A-Za-z0-9_]*"
LOGICAL_DEVICE = re.compile(r"[A-Za-z0-9_]{1,64}")
LOGICAL_NODE = re.compile(r"[A-Za-z0-9_]{1,64}")
POINT = re.compile(
    rf"(?P<domain>[A-Za-z0-9_]+)/(?P<node>[A-Za-z0-9_]+)"
    rf"(?P<path>(?:\.{NAME}(?:\([0-9]{{1,5}}\))?)+)\s*\[(?P<fc>[A-Z]{{2}})\]"
)
BARE = re.compile(rf"[A-Za-z0-9_]+/[A-Za-z0-9_]+(?:\.{NAME}(?:\([0-9]{{1,5}}\))?)+")
ITEM = re.compile(
    r"(?P<domain>[A-Za-z0-9_]+)/(?P<node>[A-Za-z0-9_]+)\$(?P<fc>[A-Z]{2})\$(?P<path>.+)"
)
CONTROL_BLOCK = re.compile(
    r"(?P<domain>[A-Za-z0-9_]+)/(?P<node>[A-Za-z0-9_]+)[.$](?P<fc>BR|RP)[.$](?P<name>[A-Za-z0-9_]+)"
)
DATA_SET = re.compile(
    r"(?P<domain>[A-Za-z0-9_]+)/(?P<node>[A-Za-z0-9_]+)[.$](?P<name>[A-Za-z0-9_]+)"
)
INDEX = re.compile(r"\(([0-9]+)\)")
EXAMPLE = "IED1LD0/MMXU1.PhV.phsA.cVal.mag.f [MX]"


class BadReference(OtgateError):
    """A text is not the reference it should be: what is wrong, and what to write."""

    def __init__(self, message: str, help_: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.help = help_


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """One data attribute or structure of a server, under one functional constraint."""

    domain: str
    """Logical device: the MMS domain."""
    node: str
    path: str
    """Names below the node, joined by ``.``; an array's element is ``Har(3)``."""
    fc: Fc

    def __str__(self) -> str:
        return f"{self.domain}/{self.node}.{self.path} [{self.fc}]"

    @property
    def item(self) -> str:
        """The MMS item; an index is left out, as alternate access carries it."""
        return "$".join((self.node, self.fc, *self.names))

    @property
    def names(self) -> Sequence[str]:
        """The names below the node, without indices."""
        return tuple(self.plain.split("."))

    @property
    def plain(self) -> str:
        """The path without indices, as types have it."""
        return INDEX.sub("", self.path)

    @property
    def indices(self) -> Sequence[int]:
        """The array indices of the path, in order."""
        return tuple(int(found) for found in INDEX.findall(self.path))


@dataclass(frozen=True, slots=True, order=True)
class ControlBlock:
    """One instance of a report control block."""

    domain: str
    node: str
    buffered: bool
    name: str

    def __str__(self) -> str:
        return f"{self.domain}/{self.node}.{self.fc}.{self.name}"

    @property
    def fc(self) -> str:
        """``BR`` or ``RP``: IEC 61850-8-1 names buffered and unbuffered blocks so."""
        return "BR" if self.buffered else "RP"

    @property
    def item(self) -> str:
        """The MMS item."""
        return f"{self.node}${self.fc}${self.name}"


@dataclass(frozen=True, slots=True, order=True)
class DataSetName:
    """The name of a persistent data set."""

    domain: str
    node: str
    name: str

    def __str__(self) -> str:
        return f"{self.domain}/{self.node}.{self.name}"

    @property
    def item(self) -> str:
        """The MMS item, as a report control block's DatSet writes it after the domain."""
        return f"{self.node}${self.name}"


def read_reference(text: str) -> Reference:
    """Read a point's address.

    Raises:
        BadReference: it is none; the help says what to write.
    """
    found = POINT.fullmatch(text.strip()) if len(text) <= MAX_CHARACTERS else None
    if found is None:
        raise _no_reference(text.strip())
    if found["fc"] not in FCS:
        raise _no_constraint(text, found["fc"])
    return Reference(found["domain"], found["node"], found["path"][1:], Fc(found["fc"]))


def read_control_block(text: str) -> ControlBlock:
    """Read the reference of an instance of a report control block.

    Raises:
        BadReference: it is none.
    """
    found = CONTROL_BLOCK.fullmatch(text.strip()[: MAX_CHARACTERS + 1])
    if found is None:
        raise BadReference(
            f"`{_shown(text)}` is no report control block",
            "write `IED1LD0/LLN0.BR.brcb01`, or `.RP.` for an unbuffered one",
        )
    return ControlBlock(found["domain"], found["node"], found["fc"] == "BR", found["name"])


def read_data_set(text: str) -> DataSetName:
    """Read the reference of a data set, in either spelling.

    Raises:
        BadReference: it is none.
    """
    found = DATA_SET.fullmatch(text.strip()[: MAX_CHARACTERS + 1])
    if found is None:
        raise BadReference(f"`{_shown(text)}` is no data set", "write `IED1LD0/LLN0.ds1`")
    return DataSetName(found["domain"], found["node"], found["name"])


def _no_reference(text: str) -> BadReference:
    shown, example = _shown(text), f"e.g. `{EXAMPLE}`"
    if len(text) > MAX_CHARACTERS:
        return BadReference(f"`{shown}` is too long for a reference", example)
    if known := _another_spelling(text):
        return known
    if "/" not in text:
        return BadReference(f"`{shown}` names no logical device", example)
    head, bracket, tail = text.rpartition("[")
    if lower := POINT.fullmatch(f"{head}{bracket}{tail.upper()}"):
        return _no_constraint(text, lower["fc"].lower())
    return BadReference(f"`{shown}` is no reference of IEC 61850", example)


def _another_spelling(text: str) -> BadReference | None:
    shown = _shown(text)
    if CONTROL_BLOCK.fullmatch(text):
        return BadReference(
            f"`{shown}` is a report control block, not a point",
            "it goes under `iec61850.reports`; the point names a data attribute",
        )
    if item := ITEM.fullmatch(text):
        path = item["path"].replace("$", ".")
        meant = f"{item['domain']}/{item['node']}.{path} [{item['fc']}]"
        return BadReference(f"`{shown}` is in the spelling of MMS", f"write `{meant}`")
    if BARE.fullmatch(text):
        return BadReference(
            f"`{shown}` does not say its functional constraint",
            f"write `{text} [ST]`, or [MX], [SP] …",
        )
    return None


def _no_constraint(text: str, fc: str) -> BadReference:
    close = [fc.upper()] if fc.upper() in FCS else get_close_matches(fc, list(Fc), n=1, cutoff=0.5)
    help_ = f"did you mean `[{close[0]}]`?" if close else "one of: " + ", ".join(Fc)
    return BadReference(f"`{_shown(text)}`: `{fc}` is no functional constraint", help_)


def _shown(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"
