"""Every service octet by octet, both ways: ISO 9506-2, MMSpdu and below."""

from typing import Any

import pytest

from mms_talks import octets
from otgate_iec61850.mms import pdu
from otgate_iec61850.mms.access import InformationReport, Read, Results, Write, Written
from otgate_iec61850.mms.browse import (
    Attributes,
    DefineList,
    Deleted,
    DeleteLists,
    GetAttributes,
    GetList,
    GetNameList,
    Identify,
    Identity,
    ListMembers,
    Names,
    ObjectClass,
    Status,
    StatusReport,
)
from otgate_iec61850.mms.errors import Malformed, Rejected, ServiceFailed
from otgate_iec61850.mms.files import (
    Chunk,
    Directory,
    FileClose,
    FileDirectory,
    FileEntry,
    FileOpen,
    FileRead,
    Opened,
)
from otgate_iec61850.mms.naming import ASSOCIATION, VMD, Name, Variable
from otgate_iec61850.mms.service import Done
from otgate_iec61850.mms.typespec import ArrayType, Kind, Scalar, Structure
from otgate_iec61850.mms.values import Bits, Failure, GeneralizedTime, Unsigned

ONE, TWO = Name("D", "A"), Name("D", "B")
WHEN = GeneralizedTime("20240131120000Z")

REQUESTS: list[tuple[Any, str]] = [
    (Status(), "80 01 00"),
    (Identify(), "82 00"),
    (
        GetNameList(ObjectClass.VARIABLE, "LD", "X"),
        """a1 0e
        a0 03 80 01 00       # class: named variable
        a1 04 81 02 4c 44    # scope: domain LD
        82 01 58             # continue after X
        """,
    ),
    (GetNameList(ObjectClass.DOMAIN), "a1 09 a0 03 80 01 09 a1 02 80 00  # scope: the server"),
    (
        GetNameList(ObjectClass.VARIABLE_LIST, ASSOCIATION),
        "a1 09 a0 03 80 01 02 a1 02 82 00  # scope: this association",
    ),
    (
        Read((Variable(ONE),)),
        """a4 10
        a1 0e                # variable access specification
        a0 0c 30 0a          #   list of variables
        a0 08                #     by name
        a1 06 1a 01 44 1a 01 41  # domain-specific
        """,
    ),
    (
        Read(ONE, with_specification=True),
        """
        a4 0f
        80 01 ff             # with the specification in the result
        a1 0a a1 08          # by the name of a list
        a1 06 1a 01 44 1a 01 41
        """,
    ),
    (
        Read((Variable(ONE, 3),)),
        """a4 15 a1 13 a0 11 30 0f
        a0 08 a1 06 1a 01 44 1a 01 41
        a5 03                # alternate access
        82 01 03             #   index 3
        """,
    ),
    (
        Read((Variable(ONE, 3, "m$f"),)),
        """a4 23 a1 21 a0 1f 30 1d
        a0 08 a1 06 1a 01 44 1a 01 41
        a5 11
        a0 0f                # select alternate access
        81 01 03             #   index 3
        30 0a a0 08          #   and below
        80 01 6d             #     component m
        30 03 81 01 66       #     and below component f
        """,
    ),
    (
        Write((Variable(ONE), Variable(TWO)), [True, Unsigned(200)]),
        """a5 23
        a0 18
        30 0a a0 08 a1 06 1a 01 44 1a 01 41
        30 0a a0 08 a1 06 1a 01 44 1a 01 42
        a0 07                # list of data
        83 01 ff
        86 02 00 c8
        """,
    ),
    (GetAttributes(ONE), "a6 0a a0 08 a1 06 1a 01 44 1a 01 41"),
    (
        DefineList(Name(ASSOCIATION, "L"), (Variable(ONE),)),
        "ab 11 82 01 4c a0 0c 30 0a a0 08 a1 06 1a 01 44 1a 01 41",
    ),
    (GetList(Name(VMD, "L")), "ac 03 80 01 4c"),
    (DeleteLists((ONE,)), "ad 0d 80 01 00 a1 08 a1 06 1a 01 44 1a 01 41"),
    (
        FileOpen("a.txt"),
        """bf 48 0c             # tag number 72
        a0 07 19 05 61 2e 74 78 74
        81 01 00             # from the beginning
        """,
    ),
    (FileRead(7), "9f 49 01 07"),
    (FileClose(7), "9f 4a 01 07"),
    (FileDirectory("x", "y"), "bf 4d 0a a0 03 19 01 78 a1 03 19 01 79"),
    (FileDirectory(), "bf 4d 00"),
]

MEASURED = Structure((
    ("f", Scalar(Kind.FLOAT, 32)),
    ("q", Scalar(Kind.BIT_STRING, -13)),
    ("t", Scalar(Kind.UTC_TIME)),
    ("h", ArrayType(2, Scalar(Kind.BOOLEAN))),
))  # fmt: skip

RESPONSES: list[tuple[Any, Any, str]] = [
    (Status(), StatusReport(0, 0), "a0 06 80 01 00 81 01 00"),
    (Identify(), Identity("v", "m", "r"), "a2 09 80 01 76 81 01 6d 82 01 72"),
    (
        GetNameList(ObjectClass.DOMAIN),
        Names(["A", "B"], more=True),
        "a1 0b a0 06 1a 01 41 1a 01 42 81 01 ff",
    ),
    (
        Read((Variable(ONE),)),
        Results([1.5, Failure(10), (Bits(13, 0), -1)]),
        """a4 16
        a1 14
        87 05 08 3f c0 00 00        # exponent of 8 bits: single
        80 01 0a                    # object-non-existent
        a2 08 84 03 03 00 00        # 13 bits, three unused
        85 01 ff
        """,
    ),
    (
        Write((Variable(ONE), Variable(TWO)), [True, True]),
        Written([None, Failure(3)]),
        "a5 05 81 00 80 01 03",
    ),
    (
        GetAttributes(ONE),
        Attributes(MEASURED),
        """a6 3b
        80 01 00                                # not deletable
        a2 36 a2 34 a1 32                       # a structure's components
        30 0d 80 01 66 a1 08 a7 06 02 01 20 02 01 08   # f: 32 bits, exponent of 8
        30 08 80 01 71 a1 03 84 01 f3           # q: at most 13 bits
        30 07 80 01 74 a1 02 91 00              # t
        30 0e 80 01 68 a1 09 a1 07 81 01 02 a2 02 83 00  # h: two booleans
        """,
    ),
    (DefineList(ONE, ()), Done(), "8b 00"),
    (
        GetList(ONE),
        ListMembers((Variable(TWO),), deletable=True),
        "ac 11 80 01 ff a1 0c 30 0a a0 08 a1 06 1a 01 44 1a 01 42",
    ),
    (DeleteLists((ONE,)), Deleted(1, 0), "ad 06 80 01 01 81 01 00"),
    (
        FileOpen("a"),
        Opened(7, 300, WHEN),
        """bf 48 1a
        80 01 07
        a1 15 80 02 01 2c 81 0f 32 30 32 34 30 31 33 31 31 32 30 30 30 30 5a
        """,
    ),
    (FileRead(7), Chunk(b"ab", more=False), "bf 49 07 80 02 61 62 81 01 00"),
    (FileClose(7), Done(), "9f 4a 00"),
    (
        FileDirectory(),
        Directory([FileEntry("a", 5)], more=False),
        "bf 4d 13 a0 0e 30 0c 30 0a a0 03 19 01 61 a1 03 80 01 05 81 01 00",
    ),
]  # fmt: skip


def whole(tag: int, invoke_id: bytes, body: bytes) -> bytes:
    inner = b"\x02" + bytes((len(invoke_id),)) + invoke_id + body
    return bytes((tag, len(inner))) + inner


@pytest.mark.parametrize(("service", "body"), REQUESTS, ids=lambda each: type(each).__name__)
def test_a_request(service: Any, body: str) -> None:
    octets_ = whole(0xA0, b"\x01\x2c", octets(body))
    assert pdu.request(300, service).hex(" ") == octets_.hex(" ")
    assert pdu.parsed(octets_, 0, len(octets_)) == pdu.Request(300, service)


@pytest.mark.parametrize(("asked", "said", "body"), RESPONSES, ids=lambda e: type(e).__name__)
def test_a_response(asked: Any, said: Any, body: str) -> None:
    octets_ = whole(0xA1, b"\x05", octets(body))
    request = pdu.Request(5, asked)
    assert pdu.response(request, said).hex(" ") == octets_.hex(" ")
    found = pdu.parsed(octets_, 0, len(octets_))
    assert found == pdu.Response(5, pdu.RESPONSE_TAGS[type(asked)], said)


def test_the_wrong_response_to_a_request_is_not_sent() -> None:
    with pytest.raises(TypeError, match="Names answers no Read"):
        pdu.response(pdu.Request(1, Read(ONE)), Names([]))


def test_an_information_report() -> None:
    report = InformationReport(Name(VMD, "RPT"), ["id", Bits(10, 0)])
    said = octets("""
    a3 14               # unconfirmed
    a0 12               # information report
    a1 05 80 03 52 50 54    # the list RPT of the server
    a0 09               # list of access results
    8a 02 69 64
    84 03 06 00 00
    """)
    assert pdu.information_report(report).hex(" ") == said.hex(" ")
    assert pdu.parsed(said, 0, len(said)) == report


def test_an_error() -> None:
    error = ServiceFailed(7, 2, "no")
    said = octets("""
    a2 0e
    80 01 05               # invoke id
    a2 09
    a0 03 87 01 02         # class access, object-non-existent
    82 02 6e 6f            # in words
    """)
    assert pdu.failed(5, error) == said
    found = pdu.parsed(said, 0, len(said))
    assert isinstance(found, pdu.Failed)
    assert (found.invoke_id, str(found.error)) == (5, "access 2: no")


def test_a_reject() -> None:
    said = octets("a4 06 80 01 05 81 01 04  # a confirmed request: invalid argument")
    assert pdu.reject(5, 1, 4) == said
    found = pdu.parsed(said, 0, len(said))
    assert isinstance(found, pdu.Reject)
    assert (found.invoke_id, found.reason.kind, found.reason.code) == (5, 1, 4)
    assert isinstance(found.reason, Rejected)


def test_a_conclude_and_a_cancel() -> None:
    assert octets("8b 00") == pdu.CONCLUDE_REQUEST
    assert pdu.parsed(octets("8b 00"), 0, 2) == pdu.Conclude()
    assert pdu.parsed(octets("8c 00"), 0, 2) == pdu.Concluded()
    assert pdu.parsed(octets("ad 05 a0 03 89 01 01"), 0, 7) == pdu.Concluded(agreed=False)
    assert pdu.parsed(octets("85 01 05"), 0, 3) == pdu.Cancel(5)


def test_a_service_that_nobody_knows_is_told_by_its_identifier() -> None:
    said = octets("a0 07 02 01 05 bf 41 01 00")
    assert pdu.parsed(said, 0, len(said)) == pdu.Request(5, pdu.Unknown(0xBF41))


def test_modifiers_of_a_request_are_stepped_over() -> None:
    said = octets("a0 09 02 01 05 30 02 80 00 82 00")
    assert pdu.parsed(said, 0, len(said)) == pdu.Request(5, Identify())


def test_a_pdu_of_no_kind_is_malformed() -> None:
    with pytest.raises(Malformed, match="PDU 0x61"):
        pdu.parsed(octets("61 00"), 0, 2)
