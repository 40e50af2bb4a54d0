"""The outstation's conversation: repeats, confirms that do not come, and speaking unasked."""

import math
from typing import Any

from otgate_sim.dnp3.database import Entry
from outstations import BI, BO, CLASSES, Talk, spaced

CLASS_1 = "3c 02 06"


def reporting(**options: Any) -> Talk:
    """Return an outstation that may report binary input 0 unasked, without times."""
    options = {"unsolicited": True, "hold_s": 0.0} | options
    entry = Entry(BI, 0, event_class=1, event_variation=1)
    return Talk(entry, Entry(BO, 0), Entry(BI, 1, event_class=2, event_variation=1), **options)


def enabled(**options: Any) -> Talk:
    talk = reporting(**options)
    assert talk.sent() == [spaced("f0 82 00 00")]
    assert talk.ask("d0 00") == []
    assert talk.ask(f"c0 14 {CLASSES}") == [spaced("c0 81 00 00")]
    return talk


def turned(talk: Talk, index: int = 0) -> None:
    talk.set(BI, index, 1 - int(talk.database.of(BI)[index].value))


def test_a_repeated_request_is_answered_alike_and_carried_out_once() -> None:
    talk = Talk(Entry(BO, 0, event_class=1))
    operate = "c0 05 0c 01 17 01 00 41 01 64000000 00000000 00"
    first = talk.ask(operate)
    assert talk.ask(operate) == first
    assert talk.rtu.buffer.made == 1


def test_a_repeated_read_sends_the_same_events_again() -> None:
    talk = Talk(Entry(BI, 0, event_class=1))
    turned(talk)
    first = talk.ask(f"c0 01 {CLASS_1}")
    turned(talk)
    assert talk.ask(f"c0 01 {CLASS_1}") == first
    talk.ask("c0 00")
    assert talk.confirmed == [1]


def test_a_new_connection_is_not_answered_from_the_one_before() -> None:
    talk = Talk(Entry(BI, 0, event_class=1))
    turned(talk)
    talk.ask(f"c0 01 {CLASS_1}")
    talk.ask("c0 00")
    talk.session.link_up()
    assert talk.ask(f"c0 01 {CLASS_1}") == [spaced("c0 81 00 00")]


def test_events_without_a_confirm_are_sent_again() -> None:
    talk = Talk(Entry(BI, 0, event_class=1))
    turned(talk)
    first = talk.ask(f"c0 01 {CLASS_1}")
    assert talk.after(5.1) == []
    assert talk.ask("c0 00") == []  # too late
    assert talk.confirmed == []
    second = talk.ask(f"c1 01 {CLASS_1}")
    assert second[0][3:] == first[0][3:]


def test_a_new_request_gives_up_the_confirm_of_the_one_before() -> None:
    talk = Talk(Entry(BI, 0, event_class=1))
    turned(talk)
    talk.ask(f"c0 01 {CLASS_1}")
    assert talk.ask("c1 17")[0].startswith("c1 81 02 00")
    talk.ask("c0 00")
    assert talk.confirmed == []


def test_a_lost_link_lets_events_wait_again() -> None:
    talk = Talk(Entry(BI, 0, event_class=1))
    turned(talk)
    talk.ask(f"c0 01 {CLASS_1}")
    talk.session.link_lost()
    assert talk.rtu.buffer.count((1,)) == 1
    assert talk.session.due_s() == math.inf


def test_what_is_no_whole_request_is_ignored() -> None:
    talk = Talk(Entry(BI, 0))
    for text in ("c0", "80 17", "40 17", "e0 17", "d0 17", "c0 81 00 00", "c0 82 00 00"):
        assert talk.ask(text) == []
    assert talk.session.counts["ignored"] == 7


def test_the_first_word_is_an_empty_unsolicited_response_until_it_is_confirmed() -> None:
    talk = reporting(confirm_s=1.0, retries=2, offline_s=30.0)
    first = talk.after(3.5)
    turned(talk)
    assert first == [spaced("f0 82 00 00")] * 3
    assert talk.after(29.0) == []
    assert talk.after(1.0) == [spaced("f1 82 02 00")]
    talk.ask("d1 00")
    assert talk.session.unsolicited.greeted


def test_nothing_is_reported_unasked_before_the_master_enables_it() -> None:
    talk = reporting()
    talk.ask("d0 00")
    turned(talk)
    assert talk.after(60.0) == []
    assert talk.ask(f"c0 14 {CLASS_1}") == [
        spaced("c0 81 02 00"),
        spaced("f1 82 00 00  02 01 17 01 00 81"),
    ]


def test_only_enabled_classes_are_reported() -> None:
    talk = enabled()
    talk.ask("c1 15 3c 03 06")
    turned(talk, 1)
    assert talk.sent() == []
    turned(talk, 0)
    assert talk.sent() == [spaced("f1 82 04 00  02 01 17 01 00 81")]


def test_events_are_held_for_a_time_or_until_there_are_enough() -> None:
    talk = enabled(hold_s=2.0, hold_count=3)
    turned(talk)
    assert talk.after(1.9) == []
    assert len(talk.after(0.2)) == 1
    talk.ask("d1 00")
    for _ in range(3):
        turned(talk)
    assert len(talk.sent()) == 1


def test_an_unconfirmed_report_is_repeated_alike_and_then_rested() -> None:
    talk = enabled(confirm_s=1.0, retries=2, offline_s=20.0)
    turned(talk)
    first = talk.sent()
    assert talk.after(5.0) == first * 2
    assert talk.rtu.buffer.count((1,)) == 1
    turned(talk)
    assert talk.after(10.0) == []
    assert talk.after(8.5) == [spaced("f2 82 00 00  02 01 17 02 00 81 00 01")]
    talk.ask("d2 00")
    assert talk.confirmed == [1, 0]


def test_a_master_that_is_heard_ends_the_rest() -> None:
    talk = enabled(confirm_s=1.0, retries=0, offline_s=1000.0)
    turned(talk)
    talk.after(5.0)
    assert talk.ask("c1 17")[1].startswith("f2 82")


def test_a_confirm_of_another_report_is_none() -> None:
    talk = enabled()
    turned(talk)
    talk.sent()
    talk.ask("d0 00")
    talk.ask("c1 00")  # of a response
    assert talk.confirmed == []
    talk.ask("d1 00")
    assert talk.confirmed == [1]


def test_more_than_one_report_holds_follows_at_once() -> None:
    talk = enabled(fragment=292, hold_count=1000, hold_s=5.0)
    for _ in range(300):
        turned(talk)
    (first,) = talk.after(5.0)
    assert len(bytes.fromhex(first)) > 280
    assert talk.ask("d1 00")[0].startswith("f2 82")


def test_a_read_waits_for_the_confirm_of_a_report() -> None:
    talk = enabled()
    turned(talk)
    talk.sent()
    assert talk.ask(f"c1 01 {CLASS_1}") == []
    assert talk.ask("c2 17")[0].startswith("c2 81")  # others do not wait, and replace it
    assert talk.ask(f"c3 01 {CLASS_1}") == []
    assert talk.ask("d1 00") == [spaced("c3 81 00 00")]


def test_a_read_is_answered_when_a_report_s_confirm_is_overdue() -> None:
    talk = enabled(confirm_s=1.0)
    turned(talk)
    talk.sent()
    assert talk.ask(f"c1 01 {CLASS_1}") == []
    assert talk.after(1.1)[0] == spaced("e1 81 00 00  02 01 17 01 00 81")


def test_no_report_goes_out_while_a_response_is_unconfirmed() -> None:
    talk = enabled(hold_s=1.0)
    turned(talk)
    talk.ask(f"c1 01 {CLASS_1}")
    turned(talk)
    assert talk.after(2.0) == []
    assert talk.ask("c1 00") == []
    assert talk.after(1.1) == [spaced("f1 82 00 00  02 01 17 01 00 01")]


def test_a_restart_forgets_what_was_enabled_and_greets_again() -> None:
    talk = enabled()
    talk.session.restart(keeps_events=False)
    talk.session.link_up()
    assert talk.sent() == [spaced("f0 82 80 00")]
    talk.ask("d0 00")
    turned(talk)
    assert talk.sent() == []


def test_a_cold_restart_loses_events_and_a_warm_one_keeps_them() -> None:
    talk = Talk(Entry(BI, 0, event_class=1))
    turned(talk)
    talk.session.restart(keeps_events=True)
    assert talk.rtu.buffer.count((1,)) == 1
    talk.session.restart(keeps_events=False)
    assert len(talk.rtu.buffer.lost) == 1
    assert talk.rtu.buffer.held[1] == 0
