"""A client and a server that hand each other their octets, without sockets."""

from dataclasses import dataclass
from typing import Any

from otgate_iec61850.mms import pdu
from otgate_iec61850.mms.association import Ends
from otgate_iec61850.mms.initiator import Initiator
from otgate_iec61850.mms.requests import Event, Requester
from otgate_iec61850.mms.responder import Doors, Responder


@dataclass
class Talk:
    """Both ends; ``now`` is the client's clock."""

    requester: Requester
    server: Responder
    now: float = 0.0

    def asked(self) -> list[pdu.Request]:
        """Deliver what the client sends; return the requests in it."""
        found = self.server.receive(self.requester.association.take())
        return [each for each in found if isinstance(each, pdu.Request)]

    def heard(self) -> list[Event]:
        """Deliver what the server sends; return what the client makes of it."""
        return self.requester.receive(self.server.take())

    def answer(self, asked: pdu.Request, said: Any) -> list[Event]:
        self.server.respond(asked, said)
        return self.heard()


def octets(text: str) -> bytes:
    """Hexadecimal with a comment after ``#`` on each line."""
    return bytes.fromhex("".join(line.split("#")[0] for line in text.splitlines()))


def talking(ends: Ends | None = None, server: Responder | None = None) -> Talk:
    """An open association."""
    talk = unopened(ends, server)
    for _ in range(2):
        talk.asked()
        talk.heard()
    return talk


def unopened(
    ends: Ends | None = None, server: Responder | None = None, doors: Doors | None = None
) -> Talk:
    """A client that has asked for the transport connection."""
    client = Initiator(ends or Ends())
    talk = Talk(Requester(client, lambda: talk.now), server or Responder(doors=doors))
    client.start()
    return talk
