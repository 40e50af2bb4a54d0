"""What a confirmed service is: its number, and how each end writes and reads it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from otgate_iec61850.mms.ber import fields, read_boolean

Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Service:
    """One confirmed service. Octets are those of the contents, below the service's identifier."""

    request: type
    request_tag: int
    encode_request: Callable[[Any], bytes]
    decode_request: Callable[[bytes, int, int], Any]
    response: type
    response_tag: int
    encode_response: Callable[[Any], bytes]
    decode_response: Callable[[bytes, int, int], Any]


@dataclass(frozen=True, slots=True)
class Done:
    """The response of a service that has nothing to tell."""


def nothing(_: Any) -> bytes:
    """Return no octets: the contents of a NULL."""
    return b""


def done(_data: bytes, _start: int, _stop: int) -> Done:
    """Return the response of a service that has nothing to tell."""
    return Done()


def flag(data: bytes, start: int, stop: int, tag: int, *, absent: bool) -> bool:
    """Return a boolean field, or what its absence says."""
    found = fields(data, start, stop)
    return read_boolean(data, *found[tag]) if tag in found else absent
