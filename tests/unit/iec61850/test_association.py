"""Both ends of an association against each other, and who is let in."""

import contextlib

import pytest

from mms_talks import talking, unopened
from otgate_iec61850.mms import acse, pdu, presentation, session
from otgate_iec61850.mms.acse import Answered, Asked, Title
from otgate_iec61850.mms.association import Address, Ends, State
from otgate_iec61850.mms.browse import Identify
from otgate_iec61850.mms.cotp import packet
from otgate_iec61850.mms.errors import AssociationLost, AssociationRefused, Layer, Malformed
from otgate_iec61850.mms.initiate import Terms
from otgate_iec61850.mms.presentation import Proposed
from otgate_iec61850.mms.responder import Doors, Responder
from otgate_iec61850.mms.session import DATA_PREFIX, Kind

THERE = Address(b"\0\4", b"\0\5", b"\0\0\0\6", Title((1, 3, 9999, 106), 33))


def refused(ends: Ends, doors: Doors) -> AssociationRefused:
    talk = unopened(ends, doors=doors)
    for _ in range(2):
        with contextlib.suppress(AssociationLost):
            talk.asked()
        try:
            talk.heard()
        except AssociationRefused as found:
            assert talk.server.state is State.CLOSED
            return found
    raise AssertionError("let in")


def test_a_server_learns_who_calls() -> None:
    here = Address(title=Title((1, 3, 9999, 1), 12))
    asked = talking(Ends(here, THERE)).server.asked
    assert asked is not None
    assert (asked.calling, asked.called) == (here.title, THERE.title)


def test_both_ends_agree_upon_the_lesser() -> None:
    server = Responder(Ends(terms=Terms(largest_pdu=8000, calling=3)))
    talk = talking(Ends(terms=Terms(largest_pdu=9000, calling=5, called=2)), server)
    for terms in (talk.server.terms, talk.requester.association.terms):
        assert (terms.largest_pdu, terms.calling, terms.called) == (8000, 3, 2)


@pytest.mark.parametrize(
    ("doors", "layer"),
    [
        (Doors(tsel=b"\0\7"), Layer.TRANSPORT),
        (Doors(ssel=b"\0\7"), Layer.SESSION),
        (Doors(psel=b"\0\7"), Layer.PRESENTATION),
        (Doors(password=b"right"), Layer.ACSE),
    ],
)
def test_a_wrong_selector_or_password_is_refused_by_its_layer(doors: Doors, layer: Layer) -> None:
    assert refused(Ends(password=b"wrong"), doors).layer is layer


def test_a_missing_password_is_asked_for() -> None:
    assert "a password is required" in str(refused(Ends(), Doors(password=b"right")))


def test_the_right_selectors_and_password_are_let_in() -> None:
    doors = Doors(THERE.tsel, THERE.ssel, THERE.psel, b"right")
    talk = talking(Ends(remote=THERE, password=b"right"), Responder(doors=doors))
    assert talk.server.state is State.OPEN


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(Ends(password=b"secret"))
    assert "secret" not in repr(Doors(password=b"secret"))


def test_indefinite_lengths_are_understood_in_data() -> None:
    talk = talking()
    loose = bytes.fromhex("6180 3080 020103 a080 a080 020105 8200 0000 0000 0000 0000")
    found = talk.server.receive(packet(b"\x02\xf0\x80" + DATA_PREFIX + loose))
    assert found == [pdu.Request(5, Identify())]


def test_data_in_a_context_that_was_not_agreed_upon_ends_the_association() -> None:
    talk = talking()
    with pytest.raises(Malformed, match="context 5"):
        talk.server.receive(
            packet(b"\x02\xf0\x80" + DATA_PREFIX + bytes.fromhex("61093007020105a0028b00"))
        )
    with pytest.raises(AssociationLost, match="aborted"):
        talk.heard()


def test_a_second_opening_ends_the_association() -> None:
    talk = unopened()
    request = talk.requester.association.take()
    talk.server.receive(request)
    with pytest.raises(Malformed, match="CONNECT does not belong here"):
        talk.server.receive(request)


@pytest.mark.parametrize("size", [0, 1, 122, 123, 124, 125, 126, 500])
def test_a_pdu_of_any_size_goes_through_small_tpdus(size: int) -> None:
    talk = talking(Ends(tpdu_size=7))
    service = pdu.request(1, pdu.BY_REQUEST_TAG[0x9F49].request(size))
    talk.requester.association.send(service)
    said = pdu.failed(1, pdu.ServiceFailed(7, 1, "x" * size))
    assert len(talk.server.receive(talk.requester.association.take())) == 1
    talk.server.send(said)
    sent = talk.server.take()
    assert max(len(each) for each in sent.split(b"\x03\0\0")) <= 128 + 1
    (found,) = talk.requester.association.receive(sent)
    assert isinstance(found, pdu.Failed)
    assert found.error.description == "x" * size


def test_a_server_that_releases_is_answered() -> None:
    talk = talking()
    said = presentation.user_data(1, acse.release(acse.RLRQ))
    talk.server._send(session.ending(Kind.FINISH, said))
    with pytest.raises(AssociationLost, match="released"):
        talk.heard()
    answer = talk.requester.association.take()
    assert session.parsed(answer[7:]).kind is Kind.DISCONNECT


def test_a_server_whose_mms_refuses_says_why() -> None:
    class Refusing(Responder):
        def _accept(self, proposal: Proposed, asked: Asked) -> None:
            error = bytes.fromhex("aa05 a003 880101")  # initiate: version incompatible
            title = self.ends.local.title
            self._answer(proposal, Answered(acse.ACCEPTED, 0, title, error))

    talk = unopened(server=Refusing())
    talk.asked(), talk.heard(), talk.asked()
    with pytest.raises(AssociationRefused, match="MMS refused: initiate 1"):
        talk.heard()


def test_a_peer_may_not_send_more_than_was_agreed_upon() -> None:
    talk = talking(Ends(terms=Terms(largest_pdu=1000)))
    talk.server.send(bytes(6000))
    with pytest.raises(Malformed, match="a TSDU of more than"):
        talk.heard()


def test_long_selectors_and_passwords_go_through() -> None:
    long = Address(b"t" * 32, b"s" * 16, b"p" * 16, Title((1, 3, 9999, 106), 33))
    password = b"x" * 700
    doors = Doors(long.tsel, long.ssel, long.psel, password)
    talk = talking(Ends(remote=long, password=password), Responder(doors=doors))
    assert talk.server.state is State.OPEN
