"""Session protocol data units of the kernel and duplex functional units: ISO 8327-1."""

from dataclasses import dataclass
from enum import IntEnum

from otgate_iec61850.mms.errors import Malformed


class Kind(IntEnum):
    """SI values of the SPDUs in use. Give tokens goes before data and has its number."""

    DATA = 1
    FINISH = 9
    DISCONNECT = 10
    REFUSE = 12
    CONNECT = 13
    ACCEPT = 14
    ABORT = 25
    ABORT_ACCEPT = 26


CONNECT_ITEM, PROTOCOL_OPTIONS, VERSION = 5, 19, 22
REQUIREMENTS, TRANSPORT_DISCONNECT, REASON = 20, 17, 50
CALLING, CALLED = 51, 52
"""The accept SPDU names the responding selector with the second."""
USER_DATA, EXTENDED_USER_DATA = 193, 194

GROUPS = frozenset({1, CONNECT_ITEM, 33})
"""Parameters that hold parameters."""

KERNEL_DUPLEX = b"\0\x02"
VERSION_2 = b"\x02"

DATA_PREFIX = b"\x01\0\x01\0"
"""Give tokens and data transfer, both without parameters: what every data SPDU begins with."""


@dataclass(frozen=True, slots=True)
class Spdu:
    """One SPDU: its parameters, groups opened, and its user data."""

    kind: Kind
    parameters: dict[int, bytes]
    user_data: bytes


def parsed(tsdu: bytes) -> Spdu:
    """Return the SPDU that a TSDU carries.

    Raises:
        Malformed: it is none that this end understands.
    """
    code, start, stop = _unit(tsdu, 0)
    if code == Kind.DATA and stop < len(tsdu):
        code, start, stop = _unit(tsdu, stop)
    if code not in Kind.__members__.values():
        raise Malformed(f"session SPDU {code}")
    if code == Kind.DATA:
        return Spdu(Kind.DATA, {}, tsdu[stop:])
    parameters: dict[int, bytes] = {}
    _collect(tsdu, start, stop, parameters)
    user_data = parameters.get(USER_DATA) or parameters.get(EXTENDED_USER_DATA, b"")
    return Spdu(Kind(code), parameters, user_data)


def connect(kind: Kind, calling: bytes, called: bytes, user_data: bytes) -> bytes:
    """Return a connect or an accept SPDU."""
    item = _parameter(PROTOCOL_OPTIONS, b"\0") + _parameter(VERSION, VERSION_2)
    parts = [_parameter(CONNECT_ITEM, item), _parameter(REQUIREMENTS, KERNEL_DUPLEX)]
    if calling and kind is Kind.CONNECT:
        parts.append(_parameter(CALLING, calling))
    if called:
        parts.append(_parameter(CALLED, called))
    return _parameter(kind, b"".join(parts) + _user(user_data))


def ending(kind: Kind, user_data: bytes) -> bytes:
    """Return a finish, disconnect or abort SPDU; the transport connection is not kept."""
    disconnect = _parameter(TRANSPORT_DISCONNECT, _RELEASE[kind]) if kind in _RELEASE else b""
    return _parameter(kind, disconnect + (_user(user_data) if user_data else b""))


def refuse(reason: int, user_data: bytes = b"") -> bytes:
    """Return a refuse SPDU; reason 2 is the user's, followed by its data."""
    said = bytes((reason,)) + user_data
    release = _parameter(TRANSPORT_DISCONNECT, b"\x01")
    return _parameter(Kind.REFUSE, release + _parameter(REASON, said))


_RELEASE = {Kind.FINISH: b"\x01", Kind.ABORT: b"\x0b"}
"""Transport disconnect: release it; for an abort also: by the user, for no reason given."""


def refusal_data(spdu: Spdu) -> bytes:
    """Return what a refuse SPDU carries for the presentation layer."""
    return spdu.user_data or spdu.parameters.get(REASON, b"")[1:]


def _user(data: bytes) -> bytes:
    return _parameter(USER_DATA if len(data) <= 512 else EXTENDED_USER_DATA, data)


def _parameter(code: int, value: bytes) -> bytes:
    """Return a parameter or SPDU: lengths from 255 take three octets."""
    size = len(value)
    head = bytes((code, size)) if size < 255 else bytes((code, 255)) + size.to_bytes(2, "big")
    return head + value


def _unit(data: bytes, at: int) -> tuple[int, int, int]:
    """Return code, start and stop of the parameter or SPDU at ``at``."""
    if at + 2 > len(data):
        raise Malformed("a session parameter is cut short")
    code, size, start = data[at], data[at + 1], at + 2
    if size == 255:
        size, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
    if start + size > len(data):
        raise Malformed("a session parameter is cut short")
    return code, start, start + size


def _collect(data: bytes, at: int, end: int, found: dict[int, bytes]) -> None:
    while at < end:
        code, start, at = _unit(data, at)
        if at > end:
            raise Malformed("a session parameter is longer than its group")
        if code in GROUPS:
            _collect(data, start, at, found)
        else:
            found.setdefault(code, data[start:at])
