"""The start-up, restarts and what an outstation says of itself: TB2015-002a."""

from itertools import pairwise

import pytest

from dnp3_masters import (
    AI_0,
    BI_EVENT,
    CONFIRM,
    DISABLE,
    ENABLE,
    NEED_TIME,
    OVERFLOW,
    READ,
    RESTART,
    TIMEOUT_S,
    WALL_MS,
    WRITE,
    Told,
    ready,
)
from otgate_dnp3.stack.outputs import (
    Asked,
    AskLinkStatus,
    Outcome,
    Overflowed,
    Restarted,
    Silent,
    StepEnded,
)
from otgate_dnp3.stack.steps import EventPoll, TimeSync

ALL = frozenset({1, 2, 3})
NO_FUNC = 1 << 8
UNKNOWN = 1 << 9


def test_start_up_disables_reads_everything_and_enables() -> None:
    told = Told(unsolicited=frozenset({1, 3})).up().answers().answers(AI_0).answers()
    assert told.functions == [DISABLE, READ, ENABLE]
    assert told.requests[0].objects.hex() == "3c02063c03063c0406"
    assert told.requests[1].objects.hex() == "3c02063c03063c04063c0106"
    assert told.requests[2].objects.hex() == "3c02063c0406"
    assert [each.sequence for each in told.requests] == [0, 1, 2]


def test_one_request_is_outstanding_at_a_time() -> None:
    told = Told(unsolicited=ALL).up()
    told.ticks().ticks()
    assert told.functions == [DISABLE]


def test_nothing_is_enabled_that_was_not_asked_for() -> None:
    assert Told().up().answers().answers(AI_0).after(3000).functions == [DISABLE, READ]


def test_an_outstation_that_knows_no_unsolicited_is_read_all_the_same() -> None:
    told = Told(unsolicited=ALL).up().answers(iin=NO_FUNC).answers(AI_0).answers(iin=NO_FUNC)
    assert told.master.integral
    refused = [each.name for each in told.all(StepEnded) if each.outcome is Outcome.REFUSED]
    assert refused == ["disable_unsolicited", "enable_unsolicited"]


def test_an_integrity_poll_that_reads_something_counts_though_a_class_is_unknown() -> None:
    told = Told().up().answers().answers(AI_0, iin=UNKNOWN)
    assert told.master.integral


def test_an_integrity_poll_that_is_refused_is_tried_again() -> None:
    told = Told().up().answers().answers(iin=UNKNOWN)
    assert not told.master.integral
    assert told.after(3).functions == [DISABLE, READ, READ]


def test_silence_is_met_with_longer_and_longer_waits() -> None:
    told = Told(keepalive_s=0).up()
    sent: list[float] = []
    while len(sent) < 9:
        before = len(told.requests)
        told.after(0.5)
        sent += [told.now] * (len(told.requests) - before)
    waits = [b - a - TIMEOUT_S for a, b in pairwise(sent)]
    assert waits == pytest.approx([4, 8, 16, 32, 60, 60, 60, 60], abs=0.6)
    assert set(told.functions) == {DISABLE}


def test_a_restart_is_cleared_once_and_everything_read_again() -> None:
    told = ready(unsolicited=ALL)
    told.master.poll_classes({1})
    told.ticks().answers(iin=RESTART)
    assert told.all(Restarted) == [Restarted()]
    assert not told.master.integral
    told.answers().answers(AI_0).answers()
    assert told.functions == [READ, WRITE, READ, ENABLE]
    assert told.requests[1].objects.hex() == "500100070700"


def test_an_integrity_poll_that_brings_the_news_of_a_restart_is_made_again_after_clearing() -> None:
    told = Told(disables_unsolicited=False, unsolicited=ALL).up().answers(AI_0, iin=RESTART)
    assert not told.master.integral
    told.answers().answers(AI_0).answers()
    assert told.functions == [READ, WRITE, READ, ENABLE]
    assert told.master.integral


def test_a_restart_flag_that_stays_causes_no_second_integrity_poll() -> None:
    told = ready()
    told.master.poll_classes({1})
    told.ticks().answers(iin=RESTART).answers(iin=RESTART).answers(AI_0, iin=RESTART)
    for _ in range(6):
        told.after(64)
        if told.last.function == WRITE:
            told.answers(iin=RESTART)
    assert told.functions.count(READ) == 2
    assert 3 <= told.functions.count(WRITE) <= 12
    assert len(told.all(Restarted)) == 1


def test_a_second_restart_after_the_flag_was_cleared_is_a_restart() -> None:
    told = ready().unasked(0, iin=RESTART)
    told.answers().answers(AI_0)
    told.unasked(0, iin=RESTART)
    assert len(told.all(Restarted)) == 2


def test_an_overflow_causes_one_integrity_poll_and_no_more_than_the_rate() -> None:
    told = ready(doubt_s=60).unasked(1, iin=OVERFLOW)
    told.answers(AI_0, iin=OVERFLOW)
    for sequence in range(2, 8):
        told.after(5).unasked(sequence, iin=OVERFLOW)
    assert told.functions.count(READ) == 1
    told.after(31)
    assert told.functions.count(READ) == 2
    assert told.all(Overflowed) == [Overflowed()]


def test_an_overflow_that_never_ends_is_polled_ever_more_seldom() -> None:
    told = ready(doubt_s=60, integrity_period_s=0).unasked(1, iin=OVERFLOW)
    for _ in range(24 * 60):
        if len(told.requests) and told.last.function == READ:
            told.answers(AI_0, iin=OVERFLOW)
        told.after(60)
    assert 24 <= told.functions.count(READ) <= 36


def test_an_overflow_that_ended_brings_the_rate_back() -> None:
    told = ready(doubt_s=60).unasked(1, iin=OVERFLOW).answers(AI_0)
    told.after(61).unasked(2, iin=OVERFLOW)
    assert told.functions.count(READ) == 2


def test_everything_is_read_by_period() -> None:
    told = ready(integrity_period_s=900, keepalive_s=0).after(901)
    assert told.functions == [READ]
    assert told.answers(AI_0).after(901).functions == [READ, READ]


def test_event_classes_are_read_by_period_each() -> None:
    polls = (EventPoll(frozenset({1}), 2.0), EventPoll(frozenset({2, 3}), 10.0))
    told = ready(event_polls=polls, keepalive_s=0)
    for _ in range(40):
        told.after(0.5)
        if len(told.requests) > len(told.all(StepEnded)):
            told.answers()
    read = [request.objects.hex() for request in told.requests]
    assert read.count("3c0206") >= 8
    assert read.count("3c03063c0406") in {1, 2}


def test_the_time_is_not_written_unless_that_was_opted_for() -> None:
    assert ready().unasked(1, iin=NEED_TIME).after(300).functions.count(WRITE) == 0


def test_the_time_over_a_lan_is_the_time_of_recording() -> None:
    told = ready(time_sync=TimeSync.LAN).unasked(1, iin=NEED_TIME)
    assert told.functions == [CONFIRM, 24]
    sent_ms = told.wall_ms()
    told.after(0.2).answers(iin=NEED_TIME)
    assert told.last.objects.hex() == "32030701" + sent_ms.to_bytes(6, "little").hex()


def test_the_time_over_a_slow_line_has_half_the_way_added() -> None:
    told = ready(time_sync=TimeSync.NON_LAN).unasked(1, iin=NEED_TIME)
    assert told.last.function == 23
    told.after(0.5).answers("3402 07 01 6400", iin=NEED_TIME)
    written = int.from_bytes(told.last.objects[4:], "little")
    assert (told.last.function, told.last.objects[:4].hex()) == (WRITE, "32010701")
    assert written == told.wall_ms() + 200


def test_the_plain_procedure_writes_the_time_at_once() -> None:
    told = ready(time_sync=TimeSync.PLAIN).unasked(1, iin=NEED_TIME)
    assert told.last.objects.hex() == "32010701" + WALL_MS.to_bytes(6, "little").hex()


def test_the_time_is_written_once_while_the_flag_stays() -> None:
    told = ready(time_sync=TimeSync.PLAIN).unasked(1, iin=NEED_TIME).answers(iin=NEED_TIME)
    for sequence in range(2, 6):
        told.unasked(sequence, iin=NEED_TIME)
    assert told.functions.count(WRITE) == 1
    told.after(61).unasked(6, iin=NEED_TIME)
    assert told.functions.count(WRITE) == 2


def test_a_link_that_is_silent_is_asked_and_then_given_up() -> None:
    told = ready(keepalive_s=60, integrity_period_s=0).after(59)
    assert told.out == []
    told.after(2)
    assert told.out == [AskLinkStatus()]
    told.after(60)
    assert told.out == [AskLinkStatus(), AskLinkStatus(), Silent()]


def test_a_link_that_answers_is_asked_once_a_period() -> None:
    told = ready(keepalive_s=60, integrity_period_s=0)
    for _ in range(5):
        told.after(61)
        told.master.heard(told.now)
    assert told.out == [AskLinkStatus()] * 5


def test_unsolicited_data_before_the_first_integrity_poll_is_left_to_it() -> None:
    told = Told(unsolicited=ALL).up().unasked(3, BI_EVENT)
    assert (told.deliveries(), told.functions) == ([], [DISABLE])
    told.answers().answers(BI_EVENT + AI_0).answers()
    assert [each.asked for each in told.deliveries()] == [Asked.INTEGRITY]
    assert told.unasked(3, BI_EVENT).deliveries()[-1].asked is Asked.UNSOLICITED


def test_a_null_unsolicited_response_is_confirmed_at_any_time() -> None:
    told = Told(unsolicited=ALL).up().unasked(0, iin=RESTART)
    assert told.functions == [DISABLE, CONFIRM]
    assert (told.last.control, told.last.objects) == (0xD0, b"")
