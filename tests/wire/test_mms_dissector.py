"""Our octets as tshark's dissectors of all six layers see them."""

from pathlib import Path
from typing import Any

from captures import capture, dissected, protocols
from mms_dissected import MMS_PORT, complaints, names
from mms_fuzz import corpus
from mms_served import DOMAIN, MEASURED, STAMP
from mms_talks import Talk, unopened
from otgate_iec61850.mms import pdu
from otgate_iec61850.mms.access import Read, Results, Write, Written
from otgate_iec61850.mms.acse import Title
from otgate_iec61850.mms.association import Address, Ends
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
from otgate_iec61850.mms.naming import Name, Variable
from otgate_iec61850.mms.responder import Doors, Responder
from otgate_iec61850.mms.service import Done
from otgate_iec61850.mms.values import Bits, Failure, Unsigned

ONE, LIST = Variable(Name(DOMAIN, "MMXU1$MX$A")), Name(DOMAIN, "LLN0$all")

TALK: list[tuple[Any, Any]] = [
    (Status(), StatusReport(0, 0)),
    (Identify(), Identity("v", "m", "r")),
    (GetNameList(ObjectClass.DOMAIN), Names([DOMAIN])),
    (GetNameList(ObjectClass.VARIABLE, DOMAIN, "A"), Names([f"N{at}" for at in range(500)])),
    (GetAttributes(ONE.name), Attributes(MEASURED)),
    (Read((ONE, Variable(ONE.name, 3, "a$b"))), Results([(1.5, Bits(13, 0), STAMP), Failure(10)])),
    (Read(LIST), Results([True, -1, Unsigned(5), "text", b"octets", Bits(2, 1)])),
    (Write((ONE,), [True]), Written([None])),
    (GetList(LIST), ListMembers((ONE,))),
    (DefineList(LIST, (ONE,)), Done()),
    (DeleteLists((LIST,)), Deleted(1, 1)),
    (FileDirectory(), Directory([FileEntry("a", 5)])),
    (FileOpen("a"), Opened(1, 5)),
    (FileRead(1), Chunk(b"12345", more=False)),
    (FileClose(1), Done()),
]


class Recorded:
    """A talk, and what was said in it."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self.said: list[tuple[bool, bytes]] = []

    def to_server(self) -> list[pdu.Pdu]:
        octets = self.talk.requester.association.take()
        self.said.append((True, octets))
        return self.talk.server.receive(octets)

    def to_client(self) -> None:
        octets = self.talk.server.take()
        self.said.append((False, octets))
        self.talk.requester.receive(octets)


def opened() -> Recorded:
    here = Address(title=Title((1, 3, 9999, 1), 12))
    ends = Ends(here, Address(title=Title((1, 3, 9999, 106), 33)), password=b"key")
    recorded = Recorded(unopened(ends, Responder(doors=Doors(password=b"key"))))
    for _ in range(2):
        recorded.to_server()
        recorded.to_client()
    return recorded


def session() -> list[tuple[bool, bytes]]:
    """Everything that both ends may say."""
    recorded = opened()
    talk = recorded.talk
    for service, answer in TALK:
        talk.requester.ask(service)
        (asked,) = recorded.to_server()
        assert isinstance(asked, pdu.Request)
        talk.server.respond(asked, answer)
        recorded.to_client()
    for name in ("report", "report-bare", "report-first-segment", "command-ended"):
        talk.server.send(corpus()[name])
        recorded.to_client()
    talk.requester.association.send(pdu.CONCLUDE_REQUEST)
    recorded.to_server()
    talk.server.conclude()
    recorded.to_client()
    talk.requester.association.release()
    recorded.to_server()
    recorded.to_client()
    return recorded.said


def test_nothing_of_a_session_is_malformed(tmp_path: Path) -> None:
    said = session()
    capture(tmp_path / "session", said, MMS_PORT)
    packets = dissected(tmp_path / "session")
    assert complaints(packets) == []
    layers = [protocols(each) for each in packets]
    assert {"tpkt", "cotp", "ses", "pres", "acse", "mms"} <= set().union(*layers)
    assert sum("mms" in each for each in layers) >= 2 * len(TALK)
    seen = names(packets)
    for field in ("read_element", "write_element", "informationReport_element", "fileOpen_element"):
        assert f"mms.{field}" in seen


def test_nothing_of_the_corpus_or_of_an_abort_is_malformed(tmp_path: Path) -> None:
    recorded = opened()
    for _, mms in sorted(corpus().items()):
        recorded.talk.server.send(mms)
        recorded.said.append((False, recorded.talk.server.take()))
    recorded.talk.requester.association.abort()
    recorded.said.append((True, recorded.talk.requester.association.take()))
    capture(tmp_path / "said", recorded.said, MMS_PORT)
    packets = dissected(tmp_path / "said")
    assert complaints(packets) == []
    assert len(packets) == len(corpus()) + 5
