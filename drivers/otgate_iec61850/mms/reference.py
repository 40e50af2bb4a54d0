"""Object references of IEC 61850-7-2 and the MMS names of the same objects.

``LD/LN.DO.DA [FC]`` is item ``LN$FC$DO$DA`` of domain ``LD``: IEC 61850-8-1. The element of an
array is ``LN$FC$DO$phsAHar`` with an alternate access to index and component.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from otgate_iec61850.mms.errors import MmsError
from otgate_iec61850.mms.naming import ASSOCIATION, VMD, Name, Variable

LONGEST = 129
"""Characters of an object reference: IEC 61850-7-2, ObjectReference."""

_REFERENCE = re.compile(
    r"(?P<domain>[A-Za-z]\w*)/(?P<node>\w+)(?P<path>(?:\.\w+|\.\w+\(\d+\))*)"
    r"(?:\s*\[(?P<fc>[A-Z]{2})\])?",
    re.ASCII,
)


class Fc(StrEnum):
    """Functional constraints: IEC 61850-7-2 and, from RP on, IEC 61850-8-1."""

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
    US = "US"
    MS = "MS"
    RP = "RP"
    BR = "BR"
    LG = "LG"
    GO = "GO"


class NoReference(MmsError):
    """Text that is not an object reference."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A logical node, and an object or attribute in it."""

    domain: str
    node: str
    path: tuple[str, ...] = ()
    """Data object and what follows, each name alone."""
    fc: Fc | None = None
    index: int | None = None
    """An array's element, ``indexed`` names deep in the path."""
    indexed: int = 0

    def __str__(self) -> str:
        names = list(self.path)
        if self.index is not None:
            names[self.indexed - 1] += f"({self.index})"
        text = ".".join((f"{self.domain}/{self.node}", *names))
        return f"{text} [{self.fc}]" if self.fc else text

    @property
    def variable(self) -> Variable:
        """The MMS variable of a reference with its functional constraint."""
        if self.fc is None:
            raise NoReference(f"{self} has no functional constraint")
        depth = len(self.path) if self.index is None else self.indexed
        item = "$".join((self.node, self.fc, *self.path[:depth]))
        return Variable(Name(self.domain, item), self.index, "$".join(self.path[depth:]))


def reference(text: str) -> Reference:
    """Return the reference that ``LD/LN.DO.DA [FC]`` says.

    Raises:
        NoReference: it says none.
    """
    found = _REFERENCE.fullmatch(text.strip()) if len(text) <= LONGEST + 8 else None
    if found is None:
        raise NoReference(f"{text[:LONGEST]!r} is no object reference")
    fc = found["fc"]
    if fc is not None and fc not in Fc.__members__:
        raise NoReference(f"{fc} is no functional constraint")
    names, index, indexed = [], None, 0
    for part in found["path"].split(".")[1:]:
        name, _, rest = part.partition("(")
        names.append(name)
        if rest:
            if index is not None:
                raise NoReference(f"{text!r} has two indices")
            index, indexed = int(rest[:-1]), len(names)
    domain, node = found["domain"], found["node"]
    return Reference(domain, node, tuple(names), Fc(fc) if fc else None, index, indexed)


def referred(variable: Variable) -> Reference:
    """Return the reference of an MMS variable.

    Raises:
        NoReference: it is none of IEC 61850-8-1's.
    """
    node, *rest = variable.name.item.split("$")
    if not node or variable.name.domain in {VMD, ASSOCIATION}:
        raise NoReference(f"{variable.name} is no object of a logical device")
    if rest and rest[0] not in Fc.__members__:
        raise NoReference(f"{variable.name} has no functional constraint")
    fc, path = (Fc(rest[0]) if rest else None), rest[1:]
    inner = variable.component.split("$") if variable.component else []
    return Reference(variable.name.domain, node, (*path, *inner), fc, variable.index, len(path))


def list_name(text: str, domain: str = VMD) -> Name:
    """Return the variable list that a DatSet attribute or ``LD/LN.DataSet`` names.

    Some servers leave the logical device off; ``domain`` is the one that is meant then.

    Raises:
        NoReference: it names none.
    """
    if text.startswith(ASSOCIATION):
        return Name(ASSOCIATION, text[1:])
    named, slash, item = text.partition("/")
    if not slash:
        return Name(domain if "$" in text else VMD, text)
    if not named or not item:
        raise NoReference(f"{text[:LONGEST]!r} names no data set")
    return Name(named, item.replace(".", "$", 1))


def list_text(name: Name) -> str:
    """Return what a DatSet attribute holds for a variable list."""
    if name.domain == ASSOCIATION:
        return f"@{name.item}"
    return str(name)
