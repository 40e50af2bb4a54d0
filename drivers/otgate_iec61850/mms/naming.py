"""Names of variables and variable lists, and what a request accesses.

ISO 9506-2, ObjectName, VariableAccessSpecification and AlternateAccess.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from otgate_iec61850.mms.ber import (
    SEQUENCE,
    VISIBLE_STRING,
    element,
    elements,
    expect,
    fields,
    header,
    integer,
    read_text,
    read_unsigned,
    required,
    text,
)
from otgate_iec61850.mms.errors import Malformed

VMD, ASSOCIATION = "", "@"
"""What stands for a domain where a name belongs to the whole server, or to this association."""

VMD_SPECIFIC, DOMAIN_SPECIFIC, AA_SPECIFIC = 0x80, 0xA1, 0x82
LIST_OF_VARIABLE, LIST_NAME, NAME, ALTERNATE = 0xA0, 0xA1, 0xA0, 0xA5
SELECT_ALTERNATE, COMPONENT, INDEX = 0xA0, 0x81, 0x82
INNER_COMPONENT, INNER_INDEX = 0x80, 0x81


class Name(NamedTuple):
    """The name of a variable or a variable list in a domain."""

    domain: str
    item: str

    def __str__(self) -> str:
        return f"{self.domain}/{self.item}" if self.domain else self.item


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable, or one element of an array, or a component of that element."""

    name: Name
    index: int | None = None
    component: str = ""
    """Components below the element, joined by ``$``."""


Access = tuple[Variable, ...] | Name
"""Variables one by one, or the list of that name."""


def variables(*names: tuple[str, str]) -> tuple[Variable, ...]:
    """Return the variables of these domains and items."""
    return tuple(Variable(Name(*each)) for each in names)


def name_octets(name: Name) -> bytes:
    """Return an ObjectName."""
    if name.domain == VMD:
        return text(VMD_SPECIFIC, name.item)
    if name.domain == ASSOCIATION:
        return text(AA_SPECIFIC, name.item)
    return element(
        DOMAIN_SPECIFIC, text(VISIBLE_STRING, name.domain), text(VISIBLE_STRING, name.item)
    )


def read_name(data: bytes, at: int, end: int) -> Name:
    """Return the ObjectName at ``at``."""
    tag, start, stop = header(data, at, end)
    if tag == DOMAIN_SPECIFIC:
        first = expect(data, start, stop, VISIBLE_STRING)
        second = expect(data, first[1], stop, VISIBLE_STRING)
        return Name(read_text(data, *first), read_text(data, *second))
    if tag == VMD_SPECIFIC:
        return Name(VMD, read_text(data, start, stop))
    if tag == AA_SPECIFIC:
        return Name(ASSOCIATION, read_text(data, start, stop))
    raise Malformed(f"no name has the identifier {tag:#x}")


def variable_octets(variable: Variable) -> bytes:
    """Return one member of a list of variables."""
    specification = element(NAME, name_octets(variable.name))
    return element(SEQUENCE, specification, _alternate_octets(variable))


def read_variable(data: bytes, at: int, end: int) -> Variable:
    """Return the member of a list whose contents stand from ``at`` to ``end``."""
    found = fields(data, at, end)
    name = read_name(data, *required(found, NAME))
    if ALTERNATE not in found:
        return Variable(name)
    return Variable(name, *_read_alternate(data, *found[ALTERNATE]))


def members_octets(members: Sequence[Variable]) -> bytes:
    """Return the members of a list, one after another."""
    return b"".join(map(variable_octets, members))


def read_members(data: bytes, at: int, end: int) -> tuple[Variable, ...]:
    """Return the members of a list."""
    return tuple(read_variable(data, start, stop) for _, start, stop in elements(data, at, end))


def access_octets(access: Access) -> bytes:
    """Return a VariableAccessSpecification."""
    if isinstance(access, Name):
        return element(LIST_NAME, name_octets(access))
    return element(LIST_OF_VARIABLE, members_octets(access))


def read_access(data: bytes, at: int, end: int) -> tuple[Access, int]:
    """Return the VariableAccessSpecification at ``at`` and where it ends."""
    tag, start, stop = header(data, at, end)
    if tag == LIST_NAME:
        return read_name(data, start, stop), stop
    if tag == LIST_OF_VARIABLE:
        return read_members(data, start, stop), stop
    raise Malformed(f"no access has the identifier {tag:#x}")


def _alternate_octets(variable: Variable) -> bytes:
    if variable.index is None:
        return b""
    parts = variable.component.split("$") if variable.component else []
    return element(ALTERNATE, _selection([variable.index, *parts]))


def _selection(path: Sequence[int | str]) -> bytes:
    """Return the AlternateAccessSelection of an index and what follows below it."""
    first, inner = path[0], len(path) > 1
    if isinstance(first, int):
        here = integer(INNER_INDEX if inner else INDEX, first)
    else:
        here = text(INNER_COMPONENT if inner else COMPONENT, first)
    if not inner:
        return here
    return element(SELECT_ALTERNATE, here, element(SEQUENCE, _selection(path[1:])))


def _read_alternate(data: bytes, at: int, end: int) -> tuple[int, str]:
    index: int | None = None
    parts: list[str] = []
    while True:
        tag, start, stop = header(data, at, end)
        inner = tag == SELECT_ALTERNATE
        if inner:
            at, end = start, stop
            tag, start, stop = header(data, at, end)
        if tag == (INNER_COMPONENT if inner else COMPONENT):
            parts.append(read_text(data, start, stop))
        elif tag == (INNER_INDEX if inner else INDEX) and index is None:
            index = read_unsigned(data, start, stop)
        else:
            raise Malformed(f"alternate access {tag:#x} is not served here")
        if not inner:
            break
        at, end = expect(data, stop, end, SEQUENCE)
    if index is None:
        raise Malformed("alternate access without an index")
    return index, "$".join(parts)
