"""Asking a server who it is and what it has, and its lists of variables: ISO 9506-2."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from otgate_iec61850.mms.ber import (
    VISIBLE_STRING,
    boolean,
    element,
    elements,
    fields,
    header,
    integer,
    read_boolean,
    read_text,
    read_unsigned,
    required,
    text,
)
from otgate_iec61850.mms.naming import (
    ASSOCIATION,
    NAME,
    VMD,
    Name,
    Variable,
    members_octets,
    name_octets,
    read_members,
    read_name,
)
from otgate_iec61850.mms.service import Done, Service, done, flag, nothing
from otgate_iec61850.mms.typespec import Type, read_type, type_octets


class ObjectClass(IntEnum):
    """What names are asked for."""

    VARIABLE = 0
    VARIABLE_LIST = 2
    JOURNAL = 8
    DOMAIN = 9


@dataclass(frozen=True, slots=True)
class Status:
    """Ask whether the server is well."""

    extended: bool = False


@dataclass(frozen=True, slots=True)
class StatusReport:
    """0 means operational, for the logical and for the physical status."""

    logical: int
    physical: int


@dataclass(frozen=True, slots=True)
class Identify:
    """Ask who the server is; also the sign of life that is asked for."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the server is."""

    vendor: str
    model: str
    revision: str


@dataclass(frozen=True, slots=True)
class GetNameList:
    """Ask for names of an `ObjectClass`: of a domain, of the server, or of this association."""

    object_class: int
    domain: str = VMD
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Names:
    """Names in order, and whether more follow after the last."""

    names: Sequence[str]
    more: bool = False


@dataclass(frozen=True, slots=True)
class GetAttributes:
    """Ask for the type of a variable."""

    name: Name


@dataclass(frozen=True, slots=True)
class Attributes:
    """The type of a variable."""

    type: Type
    deletable: bool = False


@dataclass(frozen=True, slots=True)
class GetList:
    """Ask for the members of a variable list."""

    name: Name


@dataclass(frozen=True, slots=True)
class ListMembers:
    """The members of a variable list."""

    members: tuple[Variable, ...]
    deletable: bool = False


@dataclass(frozen=True, slots=True)
class DefineList:
    """Make a variable list of these members."""

    name: Name
    members: tuple[Variable, ...]


@dataclass(frozen=True, slots=True)
class DeleteLists:
    """Delete variable lists."""

    names: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class Deleted:
    """How many lists there were, and how many there are no more."""

    matched: int
    deleted: int


def _decode_status(data: bytes, start: int, stop: int) -> Status:
    return Status(read_boolean(data, start, stop))


def _report(report: StatusReport) -> bytes:
    return integer(0x80, report.logical) + integer(0x81, report.physical)


def _decode_report(data: bytes, start: int, stop: int) -> StatusReport:
    found = fields(data, start, stop)
    return StatusReport(*(read_unsigned(data, *required(found, tag)) for tag in (0x80, 0x81)))


def _identity(identity: Identity) -> bytes:
    said = (identity.vendor, identity.model, identity.revision)
    return b"".join(text(0x80 + at, each) for at, each in enumerate(said))


def _decode_identity(data: bytes, start: int, stop: int) -> Identity:
    found = fields(data, start, stop)
    return Identity(*(read_text(data, *found.get(tag, (0, 0))) for tag in (0x80, 0x81, 0x82)))


def _name_list(request: GetNameList) -> bytes:
    domain = request.domain
    if domain == VMD:
        scope = element(0x80)
    elif domain == ASSOCIATION:
        scope = element(0x82)
    else:
        scope = text(0x81, domain)
    after = b"" if request.after is None else text(0x82, request.after)
    what = element(0xA0, integer(0x80, request.object_class))
    return what + element(0xA1, scope) + after


def _decode_name_list(data: bytes, start: int, stop: int) -> GetNameList:
    found = fields(data, start, stop)
    _, first, last = header(data, *required(found, 0xA0))
    object_class = read_unsigned(data, first, last)
    tag, first, last = header(data, *required(found, 0xA1))
    domain = {0x80: VMD, 0x82: ASSOCIATION}.get(tag) or read_text(data, first, last)
    after = read_text(data, *found[0x82]) if 0x82 in found else None
    return GetNameList(object_class, domain, after)


def _names(names: Names) -> bytes:
    listed = element(0xA0, *(text(VISIBLE_STRING, name) for name in names.names))
    return listed + boolean(0x81, names.more)


def _decode_names(data: bytes, start: int, stop: int) -> Names:
    place = required(fields(data, start, stop), 0xA0)
    names = [read_text(data, first, last) for _, first, last in elements(data, *place)]
    return Names(names, flag(data, start, stop, 0x81, absent=True))


def _get_attributes(request: GetAttributes) -> bytes:
    return element(NAME, name_octets(request.name))


def _decode_get_attributes(data: bytes, start: int, stop: int) -> GetAttributes:
    return GetAttributes(read_name(data, *required(fields(data, start, stop), NAME)))


def _attributes(attributes: Attributes) -> bytes:
    return boolean(0x80, attributes.deletable) + element(0xA2, type_octets(attributes.type))


def _decode_attributes(data: bytes, start: int, stop: int) -> Attributes:
    described = read_type(data, *required(fields(data, start, stop), 0xA2))
    return Attributes(described, flag(data, start, stop, 0x80, absent=False))


def _get_list(request: GetList) -> bytes:
    return name_octets(request.name)


def _decode_get_list(data: bytes, start: int, stop: int) -> GetList:
    return GetList(read_name(data, start, stop))


def _list_members(said: ListMembers) -> bytes:
    return boolean(0x80, said.deletable) + element(0xA1, members_octets(said.members))


def _decode_list_members(data: bytes, start: int, stop: int) -> ListMembers:
    members = read_members(data, *required(fields(data, start, stop), 0xA1))
    return ListMembers(members, flag(data, start, stop, 0x80, absent=False))


def _define(request: DefineList) -> bytes:
    return name_octets(request.name) + element(0xA0, members_octets(request.members))


def _decode_define(data: bytes, start: int, stop: int) -> DefineList:
    _, _, at = header(data, start, stop)
    members = read_members(data, *required(fields(data, at, stop), 0xA0))
    return DefineList(read_name(data, start, stop), members)


def _delete(request: DeleteLists) -> bytes:
    return integer(0x80, 0) + element(0xA1, *map(name_octets, request.names))


def _decode_delete(data: bytes, start: int, stop: int) -> DeleteLists:
    place = required(fields(data, start, stop), 0xA1)
    at, names = place[0], []
    while at < place[1]:
        names.append(read_name(data, at, place[1]))
        _, _, at = header(data, at, place[1])
    return DeleteLists(tuple(names))


def _deleted(said: Deleted) -> bytes:
    return integer(0x80, said.matched) + integer(0x81, said.deleted)


def _decode_deleted(data: bytes, start: int, stop: int) -> Deleted:
    found = fields(data, start, stop)
    return Deleted(*(read_unsigned(data, *required(found, tag)) for tag in (0x80, 0x81)))


SERVICES = (
    Service(
        Status, 0x80, lambda asked: b"\xff" if asked.extended else b"\0", _decode_status,
        StatusReport, 0xA0, _report, _decode_report,
    ),
    Service(
        GetNameList, 0xA1, _name_list, _decode_name_list, Names, 0xA1, _names, _decode_names
    ),
    Service(
        Identify, 0x82, nothing, lambda *_: Identify(),
        Identity, 0xA2, _identity, _decode_identity,
    ),
    Service(
        GetAttributes, 0xA6, _get_attributes, _decode_get_attributes,
        Attributes, 0xA6, _attributes, _decode_attributes,
    ),
    Service(DefineList, 0xAB, _define, _decode_define, Done, 0x8B, nothing, done),
    Service(
        GetList, 0xAC, _get_list, _decode_get_list,
        ListMembers, 0xAC, _list_members, _decode_list_members,
    ),
    Service(
        DeleteLists, 0xAD, _delete, _decode_delete, Deleted, 0xAD, _deleted, _decode_deleted
    ),
)  # fmt: skip
