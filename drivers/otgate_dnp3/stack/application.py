"""Application headers and internal indications: IEEE 1815-2012, clause 4."""

from enum import IntEnum, IntFlag
from typing import NamedTuple

FIR, FIN, CON, UNS, SEQUENCE_MASK = 0x80, 0x40, 0x20, 0x10, 0x0F
"""Application control octet; the sequence number counts modulo 16."""

DEFAULT_FRAGMENT = 2048
"""Octets of a fragment that every master takes."""


class Function(IntEnum):
    """Function codes."""

    CONFIRM = 0
    READ = 1
    WRITE = 2
    SELECT = 3
    OPERATE = 4
    DIRECT_OPERATE = 5
    DIRECT_OPERATE_NR = 6
    IMMED_FREEZE = 7
    IMMED_FREEZE_NR = 8
    FREEZE_CLEAR = 9
    FREEZE_CLEAR_NR = 10
    FREEZE_AT_TIME = 11
    FREEZE_AT_TIME_NR = 12
    COLD_RESTART = 13
    WARM_RESTART = 14
    INITIALIZE_DATA = 15
    INITIALIZE_APPL = 16
    START_APPL = 17
    STOP_APPL = 18
    SAVE_CONFIG = 19
    ENABLE_UNSOLICITED = 20
    DISABLE_UNSOLICITED = 21
    ASSIGN_CLASS = 22
    DELAY_MEASURE = 23
    RECORD_CURRENT_TIME = 24
    OPEN_FILE = 25
    CLOSE_FILE = 26
    DELETE_FILE = 27
    GET_FILE_INFO = 28
    AUTHENTICATE_FILE = 29
    ABORT_FILE = 30
    ACTIVATE_CONFIG = 31
    AUTHENTICATE_REQ = 32
    AUTH_REQ_NO_ACK = 33
    RESPONSE = 129
    UNSOLICITED_RESPONSE = 130
    AUTHENTICATE_RESP = 131


RESPONSES = frozenset({Function.RESPONSE, Function.UNSOLICITED_RESPONSE})

NO_OBJECT_DATA = frozenset(
    {
        Function.READ,
        Function.IMMED_FREEZE,
        Function.IMMED_FREEZE_NR,
        Function.FREEZE_CLEAR,
        Function.FREEZE_CLEAR_NR,
        Function.ENABLE_UNSOLICITED,
        Function.DISABLE_UNSOLICITED,
        Function.ASSIGN_CLASS,
        Function.INITIALIZE_DATA,
    }
)
"""Requests whose object headers name objects without carrying them."""


class Iin(IntFlag):
    """Internal indications; the first octet is the low one."""

    BROADCAST = 1 << 0
    CLASS_1_EVENTS = 1 << 1
    CLASS_2_EVENTS = 1 << 2
    CLASS_3_EVENTS = 1 << 3
    NEED_TIME = 1 << 4
    LOCAL_CONTROL = 1 << 5
    DEVICE_TROUBLE = 1 << 6
    DEVICE_RESTART = 1 << 7
    NO_FUNC_CODE_SUPPORT = 1 << 8
    OBJECT_UNKNOWN = 1 << 9
    PARAMETER_ERROR = 1 << 10
    EVENT_BUFFER_OVERFLOW = 1 << 11
    ALREADY_EXECUTING = 1 << 12
    CONFIG_CORRUPT = 1 << 13


REFUSALS = int(Iin.NO_FUNC_CODE_SUPPORT | Iin.OBJECT_UNKNOWN | Iin.PARAMETER_ERROR)
"""Any of these says that the request was not carried out, or not all of it."""

RESTART_INDEX = 7
"""Index of DEVICE_RESTART in object group 80."""


class Request(NamedTuple):
    """A fragment from a master."""

    control: int
    function: int
    objects: bytes

    @property
    def sequence(self) -> int:
        """The application sequence number."""
        return self.control & SEQUENCE_MASK


class Response(NamedTuple):
    """A fragment from an outstation."""

    control: int
    function: int
    iin: int
    objects: bytes

    @property
    def sequence(self) -> int:
        """The application sequence number."""
        return self.control & SEQUENCE_MASK

    @property
    def unsolicited(self) -> bool:
        """Whether the outstation sent it unasked."""
        return self.function == Function.UNSOLICITED_RESPONSE


def request(
    function: Function, sequence: int, objects: bytes = b"", control: int = FIR | FIN
) -> bytes:
    """Return a request's fragment."""
    return bytes((control | sequence & SEQUENCE_MASK, function)) + objects


def confirm(sequence: int, *, unsolicited: bool) -> bytes:
    """Return the fragment that confirms a response."""
    return request(Function.CONFIRM, sequence, b"", FIR | FIN | (UNS if unsolicited else 0))


def response(control: int, iin: int, objects: bytes = b"") -> bytes:
    """Return a response's fragment; unsolicited where ``control`` says so."""
    function = Function.UNSOLICITED_RESPONSE if control & UNS else Function.RESPONSE
    return bytes((control, function)) + iin.to_bytes(2, "little") + objects


def parsed_response(fragment: bytes) -> Response | None:
    """Read a fragment as a response, or None where it is none."""
    if len(fragment) < 4 or fragment[1] not in RESPONSES:
        return None
    control, function = fragment[0], fragment[1]
    if bool(control & UNS) != (function == Function.UNSOLICITED_RESPONSE):
        return None
    return Response(control, function, fragment[2] | fragment[3] << 8, fragment[4:])


def parsed_request(fragment: bytes) -> Request | None:
    """Read a fragment as a request, or None where it is none."""
    if len(fragment) < 2 or fragment[1] >= Function.RESPONSE:
        return None
    return Request(fragment[0], fragment[1], fragment[2:])
