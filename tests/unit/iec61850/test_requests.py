"""Requests under way, without sockets: the window, the ids, and what comes late."""

from dataclasses import replace

import pytest

from mms_talks import Talk, talking
from otgate_iec61850.mms import pdu
from otgate_iec61850.mms.access import Read, Results
from otgate_iec61850.mms.acse import Asked
from otgate_iec61850.mms.association import Ends, State
from otgate_iec61850.mms.browse import Identify, Identity, Names
from otgate_iec61850.mms.errors import (
    AssociationLost,
    Malformed,
    Rejected,
    ServiceFailed,
    TooLarge,
)
from otgate_iec61850.mms.initiate import Terms
from otgate_iec61850.mms.naming import Name, Variable
from otgate_iec61850.mms.presentation import Proposed
from otgate_iec61850.mms.requests import GIVEN_UP_S, Call
from otgate_iec61850.mms.responder import Responder

ME = Identity("me", "", "")


def window(size: int) -> Talk:
    return talking(Ends(terms=Terms(calling=size)))


def test_answers_out_of_order_find_their_requests() -> None:
    talk = talking()
    calls = [talk.requester.ask(Identify()) for _ in range(3)]
    asked = talk.asked()
    for at in (2, 0, 1):
        (call,) = talk.answer(asked[at], Identity(str(at), "", ""))
        assert call is calls[at]
        assert isinstance(call, Call)
        assert call.outcome.vendor == str(at)


def test_no_more_requests_are_sent_than_the_server_takes() -> None:
    talk = window(2)
    for _ in range(5):
        talk.requester.ask(Identify())
    asked = talk.asked()
    assert len(asked) == 2
    talk.answer(asked[0], ME)
    assert len(talk.asked()) == 1


def test_a_late_answer_is_dropped_and_counted_and_shifts_nothing() -> None:
    talk = talking()
    first = talk.requester.ask(Identify())
    (late,) = talk.asked()
    talk.requester.give_up(first)
    second = talk.requester.ask(Identify())
    (asked,) = talk.asked()
    assert talk.answer(late, Identity("late", "", "")) == []
    assert talk.answer(asked, ME) == [second]
    assert second.outcome == ME
    assert talk.requester.counts.late == 1


def test_a_request_given_up_before_it_was_sent_is_never_sent() -> None:
    talk = window(1)
    talk.requester.ask(Identify())
    waiting = talk.requester.ask(Read((Variable(Name("D", "A")),)))
    talk.requester.give_up(waiting)
    (asked,) = talk.asked()
    talk.answer(asked, ME)
    assert talk.asked() == []


def test_a_request_given_up_keeps_its_place_in_the_window_for_a_while() -> None:
    talk = window(1)
    talk.requester.give_up(talk.requester.ask(Identify()))
    talk.asked()
    talk.requester.ask(Identify())
    assert talk.asked() == []
    talk.now = GIVEN_UP_S + 1
    talk.requester.ask(Identify())
    assert len(talk.asked()) == 1


def test_an_id_is_not_used_again_while_its_answer_may_still_come() -> None:
    talk = talking()
    talk.requester.give_up(talk.requester.ask(Identify()))
    talk.requester._invoke_id = 0
    (_, second) = talk.asked()[0], talk.requester.ask(Identify())
    assert second.invoke_id == 2


def test_ids_begin_anew_after_the_last() -> None:
    talk = talking()
    talk.requester._invoke_id = 0x7FFFFFFF
    assert talk.requester.ask(Identify()).invoke_id == 1


def test_an_answer_to_nobody_is_counted() -> None:
    talk = talking()
    assert talk.answer(pdu.Request(99, Identify()), ME) == []
    assert talk.requester.counts.strangers == 1


def test_an_answer_of_another_service_ends_the_association() -> None:
    talk = talking()
    call = talk.requester.ask(Identify())
    talk.asked()
    talk.server.send(pdu.response(pdu.Request(1, Read(())), Results([])))
    with pytest.raises(Malformed, match="another service"):
        talk.heard()
    assert talk.requester.association.state is State.CLOSED
    assert talk.requester.counts.mismatched == 1
    assert talk.requester.lost(AssociationLost("gone")) == [call]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [(pdu.failed(1, ServiceFailed(7, 3)), ServiceFailed), (pdu.reject(1, 1, 1), Rejected)],
)
def test_an_error_is_the_outcome_of_its_request(answer: bytes, kind: type) -> None:
    talk = talking()
    call = talk.requester.ask(Identify())
    talk.asked()
    talk.server.send(answer)
    assert talk.heard() == [call]
    assert isinstance(call.outcome, kind)


def test_a_request_larger_than_a_pdu_is_refused_here() -> None:
    talk = talking(Ends(terms=Terms(largest_pdu=600)))
    with pytest.raises(TooLarge):
        talk.requester.ask(Read(tuple(Variable(Name("D", "A" * 60)) for _ in range(9))))
    assert talk.asked() == []


def test_a_server_that_asks_a_client_is_told_that_it_serves_nothing() -> None:
    talk = talking()
    talk.server.send(pdu.request(4, Identify()))
    assert talk.heard() == []
    (said,) = talk.server.receive(talk.requester.association.take())
    assert isinstance(said, pdu.Reject)
    assert (said.invoke_id, said.reason.code) == (4, 1)


def test_a_server_that_concludes_is_let_go() -> None:
    talk = talking()
    talk.server.send(pdu.CONCLUDE_REQUEST)
    talk.heard()
    assert talk.server.receive(talk.requester.association.take()) == [pdu.Concluded()]


def test_nothing_is_asked_of_a_closed_association() -> None:
    talk = talking()
    talk.requester.association.abort()
    with pytest.raises(AssociationLost):
        talk.requester.ask(Identify())


def test_a_list_of_names_is_no_answer_to_who_are_you() -> None:
    with pytest.raises(TypeError):
        talking().server.respond(pdu.Request(1, Identify()), Names([]))


@pytest.mark.parametrize("ending", [b"\x04\0\0\0", b"\x03\0\0\x0b\x06\x80\0\1\0\0\3"])
def test_what_came_before_the_end_is_handed_on(ending: bytes) -> None:
    talk = talking()
    call = talk.requester.ask(Identify())
    (asked,) = talk.asked()
    talk.server.respond(asked, ME)
    association = talk.requester.association
    assert talk.requester.receive(talk.server.take() + ending) == [call]
    assert association.state is State.CLOSED
    assert association.failure is not None
    with pytest.raises(AssociationLost):
        talk.requester.receive(b"")


def test_a_server_that_agrees_to_more_than_was_offered_gets_what_was_offered() -> None:
    class Generous(Responder):
        def _accept(self, proposal: Proposed, asked: Asked) -> None:
            offer = replace(asked, user_information=pdu.initiate(Terms(90_000, 50, 50)))
            super()._accept(proposal, offer)

    server = Generous(Ends(terms=Terms(90_000, 50, 50)))
    terms = talking(Ends(terms=Terms(8_000, 2, 2)), server).requester.association.terms
    assert (terms.largest_pdu, terms.calling) == (8_000, 2)
