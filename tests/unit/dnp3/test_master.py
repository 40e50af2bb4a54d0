"""Polls, confirms and commands of a master session."""

import pytest

from dnp3_masters import AI_0, BI_EVENT, CON, CONFIRM, ONE, READ, RESTART, Told, ready
from otgate_dnp3.stack.application import FIN, FIR
from otgate_dnp3.stack.commands import AnalogCommand, BinaryCommand, Trip, Width
from otgate_dnp3.stack.exchange import Mode
from otgate_dnp3.stack.outputs import Asked, Finished, Outcome

SELECT, OPERATE, DIRECT = 3, 4, 5
ALL = frozenset({1, 2, 3})


def polled(**settings: object) -> Told:
    told = ready(**settings)
    told.master.poll_classes({1, 2})
    return told.ticks()


def test_a_poll_without_confirm_is_done_at_once() -> None:
    told = polled().answers(AI_0)
    (delivery,) = told.deliveries()
    assert (delivery.token, delivery.asked, delivery.ticket) == (None, Asked.POLL, 1)
    assert told.finished() == [Finished(1, Outcome.DONE)]


def test_events_are_confirmed_only_when_they_are_durable() -> None:
    told = polled().answers(BI_EVENT, control=ONE | CON).after(600)
    assert told.functions == [READ]
    assert told.finished() == []
    told.confirms(told.deliveries()[0].token)
    assert told.functions == [READ, CONFIRM]
    assert told.last.control == ONE | told.requests[0].sequence
    assert told.finished() == [Finished(1, Outcome.DONE)]


def test_no_request_goes_before_a_confirm_that_is_held_back() -> None:
    told = polled().answers(BI_EVENT, control=ONE | CON)
    told.master.poll_classes({3})
    assert told.ticks().functions == [READ]
    told.confirms(told.deliveries()[0].token)
    assert told.functions == [READ, CONFIRM, READ]


def test_what_could_not_be_kept_is_never_confirmed() -> None:
    told = polled().answers(BI_EVENT, control=ONE | CON)
    told.abandons(told.deliveries()[0].token)
    told.confirms(told.deliveries()[0].token)
    assert told.functions == [READ]
    assert told.finished()[0].outcome is Outcome.NOT_DURABLE
    assert told.master.counts.stale_tokens == 1


def test_a_token_dies_with_its_link() -> None:
    told = polled().answers(BI_EVENT, control=ONE | CON)
    told.took(told.master.link_down())
    told.confirms(told.deliveries()[0].token)
    assert CONFIRM not in told.functions
    assert told.finished()[0].outcome is Outcome.LINK_DOWN


def test_fragments_follow_each_other_each_confirmed() -> None:
    told = polled()
    first = told.last.sequence
    told.answers(BI_EVENT, control=FIR | CON).confirms(told.deliveries()[0].token)
    told.hears(bytes((CON | first + 1, 129, 0, 0)) + bytes.fromhex(BI_EVENT))
    told.confirms(told.deliveries()[1].token)
    told.hears(bytes((FIN | first + 2, 129, 0, 0)) + bytes.fromhex(AI_0))
    assert told.finished() == [Finished(1, Outcome.DONE)]
    assert [each.sequence for each in told.requests] == [first, first, first + 1]
    told.master.poll_classes({1})
    assert told.ticks().last.sequence == first + 3


def test_fragments_without_confirm_follow_each_other_too() -> None:
    told = polled().answers(AI_0, control=FIR)
    told.hears(bytes((FIN | told.last.sequence + 1, 129, 0, 0)) + bytes.fromhex(AI_0))
    assert told.finished() == [Finished(1, Outcome.DONE)]


@pytest.mark.parametrize(
    ("control", "ahead"), [(FIN, 0), (ONE, 1), (ONE, 15), (FIR | FIN | 0x10, 0)]
)
def test_a_response_that_is_not_the_next_is_dropped(control: int, ahead: int) -> None:
    told = polled()
    sequence = (told.last.sequence + ahead) & 0x0F
    told.hears(bytes((control | sequence, 129, 0, 0)) + bytes.fromhex(AI_0))
    assert told.deliveries() == []
    assert told.answers(AI_0).finished() == [Finished(1, Outcome.DONE)]


def test_a_late_response_is_dropped_and_not_confirmed() -> None:
    told = polled().after(6)
    assert told.finished() == [Finished(1, Outcome.TIMEOUT)]
    told.answers(BI_EVENT, control=ONE | CON)
    assert (told.deliveries(), told.functions) == ([], [READ])
    assert told.master.counts.unexpected == 1


def test_a_poll_that_is_cancelled_leaves_the_line_to_the_next() -> None:
    told = polled()
    told.cancels(1).answers(AI_0)
    told.cancels(told.master.poll_classes({1}))
    assert [each.outcome for each in told.finished()] == [Outcome.CANCELLED] * 2
    assert told.deliveries() == []


def test_a_poll_waits_until_everything_was_read() -> None:
    told = Told().up()
    told.master.poll_classes({1})
    told.ticks().answers().answers(AI_0)
    assert [each.objects[:3].hex() for each in told.requests] == ["3c0206", "3c0206", "3c0206"]
    assert told.functions == [21, READ, READ]


def test_an_unreadable_rest_is_told_and_everything_read_again() -> None:
    told = polled().answers(AI_0 + "fa01 00 00 00 11", control=ONE | CON)
    (delivery,) = told.deliveries()
    assert (len(delivery.columns), delivery.rest.hex()) == (1, "fa0100000011")
    assert delivery.why == "group 250 variation 1 is not known"
    told.confirms(delivery.token)
    assert told.last.objects.hex() == "3c02063c03063c04063c0106"
    told.answers(AI_0)
    assert told.after(200).functions == [READ, CONFIRM, READ]


def test_unsolicited_data_is_confirmed_when_it_is_durable() -> None:
    told = ready(unsolicited=ALL).unasked(4, BI_EVENT)
    assert told.functions == []
    told.confirms(told.deliveries()[0].token)
    assert (told.functions, told.last.control) == ([CONFIRM], 0xD4)


def test_unsolicited_data_comes_between_a_request_and_its_response() -> None:
    told = polled(unsolicited=ALL).unasked(4, BI_EVENT)
    told.confirms(told.deliveries()[0].token).answers(AI_0)
    assert told.finished() == [Finished(1, Outcome.DONE)]
    assert told.functions == [READ, CONFIRM]


def test_unsolicited_data_repeated_while_it_is_kept_is_delivered_and_confirmed_once() -> None:
    told = ready(unsolicited=ALL).unasked(4, BI_EVENT).unasked(4, BI_EVENT)
    (delivery,) = told.deliveries()
    assert told.confirms(delivery.token).functions == [CONFIRM]


def test_unsolicited_data_repeated_after_its_confirm_was_lost_is_confirmed_again() -> None:
    told = ready(unsolicited=ALL).unasked(4, BI_EVENT)
    told.confirms(told.deliveries()[0].token).unasked(4, BI_EVENT)
    assert (len(told.deliveries()), told.functions) == (1, [CONFIRM, CONFIRM])
    assert told.master.unsolicited.counts.repeated == 1


def test_other_data_under_the_same_sequence_is_not_confirmed_by_the_old_token() -> None:
    told = ready(unsolicited=ALL).unasked(4, BI_EVENT).unasked(4, BI_EVENT + AI_0)
    old, new = told.deliveries()
    assert told.confirms(old.token).functions == []
    assert told.confirms(new.token).functions == [CONFIRM]


def test_abandoned_unsolicited_data_is_delivered_anew() -> None:
    told = ready(unsolicited=ALL).unasked(4, BI_EVENT)
    told.abandons(told.deliveries()[0].token).unasked(4, BI_EVENT)
    assert (len(told.deliveries()), told.functions) == (2, [])


def test_the_same_data_after_a_restart_is_new() -> None:
    told = ready(unsolicited=ALL).unasked(0, BI_EVENT)
    told.confirms(told.deliveries()[0].token).unasked(0, iin=RESTART)
    told.answers().answers(AI_0).answers().unasked(0, BI_EVENT)
    assert [each.asked for each in told.deliveries()][-1] is Asked.UNSOLICITED


@pytest.mark.parametrize(
    "fragment",
    [b"", b"\xc0", b"\xc0\x81\0", b"\xc0\x01\x3c\x02\x06", b"\xc0\x82\0\0", b"\xd0\x81\0\0"],
)
def test_what_is_no_response_is_counted(fragment: bytes) -> None:
    told = polled().hears(fragment)
    assert told.deliveries() == []
    assert told.master.counts.no_response == 1


TRIP = BinaryCommand(3, Trip.TRIP_PULSE_ON, 1, 100, 0)
SET = AnalogCommand(7, 1.5, Width.F32)
TRIP_OCTETS = "0c01 17 01 03 81 01 64000000 00000000"
SET_OCTETS = "2903 17 01 07 0000c03f"


def commanded(mode: Mode = Mode.SELECT_BEFORE_OPERATE) -> Told:
    told = ready()
    told.master.command([TRIP, SET], mode)
    return told.ticks()


def echo(status: str = "00") -> str:
    return f"{TRIP_OCTETS} 00 {SET_OCTETS} {status}"


def test_a_command_is_selected_and_operated_under_the_next_sequence() -> None:
    told = commanded().answers(echo())
    assert told.functions == [SELECT, OPERATE]
    select, operate = told.requests
    assert select.objects == operate.objects == bytes.fromhex(echo())
    assert operate.sequence == (select.sequence + 1) & 0x0F
    assert told.answers(echo()).finished() == [Finished(1, Outcome.DONE, 0, (0, 0))]


def test_a_point_that_refuses_its_selection_stops_the_command() -> None:
    told = commanded().answers(echo("04"))
    assert told.functions == [SELECT]
    assert told.finished() == [Finished(1, Outcome.REFUSED, 0, (0, 4))]


@pytest.mark.parametrize("swap", [("81", "41"), ("03", "04"), ("c03f", "c03e"), ("2903", "2901")])
def test_an_echo_that_differs_stops_the_command(swap: tuple[str, str]) -> None:
    told = commanded().answers(echo().replace(*swap, 1))
    assert told.functions == [SELECT]
    assert told.finished()[0].outcome is Outcome.MISMATCHED


def test_a_command_without_answer_is_never_sent_again() -> None:
    told = commanded(Mode.DIRECT_OPERATE).after(600)
    assert told.functions == [DIRECT]
    assert told.finished() == [Finished(1, Outcome.TIMEOUT)]


def test_a_command_that_is_not_supported_is_refused() -> None:
    told = commanded().answers(iin=1 << 8)
    assert told.finished() == [Finished(1, Outcome.REFUSED, 1 << 8)]


def test_indices_above_255_take_two_octets_each() -> None:
    told = ready()
    told.master.command([AnalogCommand(300, -2, Width.I16)], Mode.DIRECT_OPERATE)
    assert told.ticks().last.objects.hex(" ") == "29 02 28 01 00 2c 01 fe ff 00"
