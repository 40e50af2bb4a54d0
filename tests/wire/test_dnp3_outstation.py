"""What the simulated outstation sends, octet by octet: IEEE 1815-2012, clause 4 and Annex A."""

import pytest

from otgate_dnp3.stack.points import Flag
from otgate_sim.dnp3.database import Entry
from outstations import (
    AI,
    AOS,
    BI,
    BO,
    CLASSES,
    CLEAR_RESTART,
    CTR,
    DBI,
    FCTR,
    INTEGRITY,
    OCT,
    START_MS,
    Talk,
    spaced,
)

STAMP = START_MS.to_bytes(6, "little").hex()


def binaries(count: int, **cells: int) -> list[Entry]:
    return [Entry(BI, index, **cells) for index in range(count)]


def test_an_outstation_that_restarted_says_so_until_that_is_written() -> None:
    talk = Talk(*binaries(1))
    talk.rtu.restarted = True
    assert talk.ask("c0 17") == [spaced("c0 81 80 00  34 02 07 01 0000")]
    assert talk.ask(f"c1 02 {CLEAR_RESTART}") == [spaced("c1 81 00 00")]
    assert talk.ask("c2 17") == [spaced("c2 81 00 00  34 02 07 01 0000")]


def test_only_the_restart_indication_can_be_written_and_only_to_off() -> None:
    talk = Talk(*binaries(1))
    talk.rtu.restarted = True
    assert talk.ask("c0 02 50 01 00 07 07 01") == [spaced("c0 81 80 04")]
    assert talk.ask("c1 02 50 01 00 04 04 00") == [spaced("c1 81 80 04")]


def test_class_0_reports_every_type_in_the_order_of_groups() -> None:
    talk = Talk(
        Entry(OCT, 0, value=b"abc"),
        Entry(AOS, 0, value=-1),
        Entry(AI, 4, value=-2),
        Entry(FCTR, 0, value=7),
        Entry(CTR, 0, value=9),
        Entry(BO, 0, value=1),
        Entry(DBI, 0, value=2),
        Entry(BI, 1, value=1),
    )
    (sent,) = talk.ask("c5 01 3c 01 06")
    assert sent == spaced(
        "c5 81 00 00"
        "01 02 00 01 01 81"
        "03 02 00 00 00 81"
        "0a 02 00 00 00 81"
        "14 01 00 00 00 01 09000000"
        "15 01 00 00 00 01 07000000"
        "1e 01 00 04 04 01 feffffff"
        "28 01 00 00 00 01 ffffffff"
        "6e 03 00 00 00 616263"
    )


def test_consecutive_indices_share_a_header_and_a_hole_begins_another() -> None:
    talk = Talk(Entry(BI, 0), Entry(BI, 1, value=1), Entry(BI, 300))
    assert talk.ask("c0 01 01 00 06") == [
        spaced("c0 81 00 00  01 02 00 00 01 01 81  01 02 01 2c01 2c01 01")
    ]


def test_packed_binaries_are_lowest_bit_first_and_only_while_online() -> None:
    talk = Talk(*binaries(10, value=1, static_variation=1))
    assert talk.ask("c0 01 3c 01 06") == [spaced("c0 81 00 00  01 01 00 00 09 ff 03")]
    talk.set(BI, 3, 1, Flag.COMM_LOST)
    (sent,) = talk.ask("c1 01 01 01 00 02 04")
    assert sent == spaced("c1 81 00 00  01 01 00 02 02 01  01 02 00 03 03 84  01 01 00 04 04 01")


def test_a_value_too_big_for_a_variation_is_cut_and_flagged_over_range() -> None:
    talk = Talk(Entry(AI, 0, value=40_000.0))
    assert talk.ask("c0 01 1e 02 00 00 00") == [spaced("c0 81 00 00  1e 02 00 00 00 21 ff7f")]
    assert talk.ask("c1 01 1e 05 00 00 00") == [spaced("c1 81 00 00  1e 05 00 00 00 01 00401c47")]
    assert talk.ask("c2 01 1e 06 00 00 00") == [
        spaced("c2 81 00 00  1e 06 00 00 00 01 000000000088e340")
    ]


def test_ranges_and_lists_answer_what_exists_and_refuse_the_rest() -> None:
    talk = Talk(*binaries(3))
    assert talk.ask("c0 01 01 02 00 01 01") == [spaced("c0 81 00 00  01 02 00 01 01 01")]
    assert talk.ask("c1 01 01 02 17 02 00 02") == [
        spaced("c1 81 00 00  01 02 00 00 00 01  01 02 00 02 02 01")
    ]
    assert talk.ask("c2 01 01 02 00 02 09") == [spaced("c2 81 00 04  01 02 00 02 02 01")]
    assert talk.ask("c3 01 01 02 02 00000000 ffffffff")[0].startswith("c3 81 00 04 01 02 00 00 02")


@pytest.mark.parametrize(
    ("request_text", "iin2"),
    [
        ("c0 01 1e 00 06", "02"),  # no analog inputs
        ("c0 01 63 01 06", "02"),  # no such group
        ("c0 01 01 09 06", "02"),  # no such variation
        ("c0 01 01 02 07 01", "04"),  # a count of static objects
        ("c0 01 01 02 00 05", "04"),  # cut off
        ("c0 01 01 02 0c 05", "04"),  # no such qualifier
        ("c0 02 63 01 07 01 00", "02"),
        ("c0 02 01 02 00 00 00 01", "02"),  # binary inputs cannot be written
        ("c0 07 14 00 06", "02"),  # no counters
        ("c0 19", "01"),  # open file
        ("c0 63", "01"),
        ("c0 14 3c 02 06", "01"),  # unsolicited is not supported
    ],
)
def test_what_cannot_be_done_is_refused_with_its_bit(request_text: str, iin2: str) -> None:
    assert Talk(*binaries(1)).ask(request_text) == [spaced(f"c0 81 00 {iin2}")]


def test_an_event_is_sent_with_its_time_asks_for_a_confirm_and_goes_with_it() -> None:
    talk = Talk(*binaries(2, event_class=1))
    talk.set(BI, 1, 1)
    assert talk.ask("c0 17") == [spaced("c0 81 02 00  34 02 07 01 0000")]
    assert talk.ask("c1 01 3c 02 06") == [spaced(f"e1 81 00 00  02 02 17 01 01 81 {STAMP}")]
    assert talk.ask("c1 00") == []
    assert talk.confirmed == [1]
    assert talk.ask("c2 01 3c 02 06") == [spaced("c2 81 00 00")]


def test_events_go_before_static_data_and_oldest_first_whatever_their_class() -> None:
    talk = Talk(
        Entry(BI, 0, event_class=2, event_variation=1),
        Entry(BI, 1, event_class=1, event_variation=1),
    )
    talk.set(BI, 0, 1)
    talk.set(BI, 1, 1)
    talk.set(BI, 0, 0)
    assert talk.ask(f"c0 01 {INTEGRITY}") == [
        spaced("e0 81 00 00  02 01 17 03 00 81 01 81 00 01  01 02 00 00 01 01 81")
    ]


def test_a_limit_counts_events_and_the_rest_stays_indicated() -> None:
    talk = Talk(Entry(BI, 0, event_class=1, event_variation=1))
    for value in (1, 0, 1):
        talk.set(BI, 0, value)
    assert talk.ask("c0 01 3c 02 07 02") == [spaced("e0 81 02 00  02 01 17 02 00 81 00 01")]


def test_an_event_group_is_read_in_the_variation_asked_for() -> None:
    talk = Talk(Entry(AI, 0, event_class=2), Entry(BI, 0, event_class=1))
    talk.set(BI, 0, 1)
    talk.set(AI, 0, 1.5)
    assert talk.ask("c0 01 20 05 06") == [spaced("e0 81 02 00  20 05 17 01 00 01 0000c03f")]


def test_relative_times_follow_a_common_time_and_too_late_ones_another() -> None:
    talk = Talk(Entry(BI, 0, event_class=1, event_variation=3))
    talk.set(BI, 0, 1)
    talk.clock.forward(65.535)
    talk.set(BI, 0, 0)
    talk.clock.forward(0.001)
    talk.set(BI, 0, 1)
    later = (START_MS + 65_536).to_bytes(6, "little").hex()
    assert talk.ask("c0 01 3c 02 06") == [
        spaced(
            f"e0 81 00 00  33 01 07 01 {STAMP}  02 03 17 02 00 81 0000 00 01 ffff"
            f"33 01 07 01 {later}  02 03 17 01 00 81 0000"
        )
    ]


def test_the_common_time_of_a_clock_that_was_never_set_is_unsynchronised() -> None:
    talk = Talk(Entry(DBI, 0, event_class=1, event_variation=3), needs_time=True)
    talk.set(DBI, 0, 2)
    assert talk.ask("c0 01 3c 02 06") == [
        spaced(f"e0 81 10 00  33 02 07 01 {STAMP}  04 03 17 01 00 81 0000")
    ]


def test_octet_strings_are_sent_in_the_variation_of_their_length() -> None:
    talk = Talk(Entry(OCT, 0, event_class=3, value=b"ab"))
    talk.set(OCT, 0, b"xyz")
    talk.set(OCT, 0, b"xyz!")
    assert talk.ask("c0 01 3c 04 06") == [
        spaced("e0 81 00 00  6f 03 17 01 00 78797a  6f 04 17 01 00 78797a21")
    ]


def test_what_does_not_fit_follows_in_fragments_that_are_each_confirmed() -> None:
    talk = Talk(*binaries(300), fragment=292)
    (first,) = talk.ask("c7 01 3c 01 06")
    assert first.startswith("a7 81 00 00 01 02")  # FIR, CON
    assert len(bytes.fromhex(first)) <= 292
    assert talk.ask("c6 00") == []  # another one's confirm
    (last,) = talk.ask("c7 00")
    assert last.startswith("48 81 00 00 01 02")  # FIN, the next sequence number


def test_a_fragment_with_events_follows_only_the_confirm_of_the_one_before() -> None:
    talk = Talk(Entry(BI, 0, event_class=1), fragment=292)
    for _ in range(100):
        talk.set(BI, 0, 1 - int(talk.database.of(BI)[0].value))  # type: ignore[arg-type]
    sent = talk.ask("c0 01 3c 02 06")
    sequence = 0
    while sent and int(sent[-1][:2], 16) & 0x40 == 0:
        sent += talk.ask(f"c{sequence:x} 00")
        sequence += 1
    assert len(sent) == 3
    assert talk.ask(f"c{sequence:x} 00") == []
    assert len(talk.confirmed) == 100


def test_the_clock_is_set_at_once_or_to_what_was_recorded() -> None:
    talk = Talk(*binaries(1), needs_time=True)
    assert talk.ask("c0 17")[0].startswith("c0 81 10 00")
    assert talk.ask("c1 02 32 01 07 01 00 10 00 00 00 00") == [spaced("c1 81 00 00")]
    assert talk.ask("c2 01 32 01 06") == [spaced("c2 81 00 00  32 01 07 01 001000000000")]
    assert talk.ask("c3 18") == [spaced("c3 81 00 00")]
    talk.clock.forward(0.016)
    assert talk.ask("c4 02 32 03 07 01 00 20 00 00 00 00") == [spaced("c4 81 00 00")]
    assert talk.rtu.time_ms() == 0x2010
    assert talk.ask("c5 02 32 03 07 01 00 20 00 00 00 00") == [spaced("c5 81 00 04")]


def test_need_time_comes_back_by_period() -> None:
    talk = Talk(*binaries(1), need_time_every_s=60.0)
    assert talk.ask("c0 17")[0].startswith("c0 81 00")
    talk.clock.forward(60)
    assert talk.ask("c1 17")[0].startswith("c1 81 10")


def test_deadbands_are_read_and_written_by_the_input_s_index() -> None:
    talk = Talk(Entry(AI, 0, event_class=2, deadband=2.0))
    assert talk.ask("c0 01 22 01 06") == [spaced("c0 81 00 00  22 01 00 00 00 0200")]
    assert talk.ask("c1 02 22 02 17 01 00 0a000000") == [spaced("c1 81 00 00")]
    talk.set(AI, 0, 10)
    assert talk.rtu.buffer.made == 0
    talk.set(AI, 0, 11)
    assert talk.rtu.buffer.made == 1
    assert talk.ask("c2 02 22 02 17 01 07 0a000000") == [spaced("c2 81 04 04")]


def test_a_freeze_copies_counters_and_a_clearing_one_starts_them_again() -> None:
    talk = Talk(Entry(CTR, 0, value=5), Entry(FCTR, 0, event_class=3))
    assert talk.ask("c0 07 14 00 06") == [spaced("c0 81 08 00")]
    assert talk.ask("c1 01 15 01 06") == [spaced("c1 81 08 00  15 01 00 00 00 01 05000000")]
    assert talk.ask("c2 0a 14 00 00 00 00") == []  # clear, no response
    talk.rtu.follow(talk.database.of(CTR)[0], 6)
    assert talk.ask("c3 01 14 01 06") == [spaced("c3 81 08 00  14 01 00 00 00 01 01000000")]
    event = f"01 05000000 {STAMP}"
    assert talk.ask("c4 01 3c 04 06") == [spaced(f"e4 81 00 00  17 05 17 02 00 {event} 00 {event}")]


def test_classes_are_assigned() -> None:
    talk = Talk(*binaries(2, event_class=1))
    assert talk.ask("c0 16 3c 01 06 01 00 00 00 00  3c 04 06 01 00 00 01 01") == [
        spaced("c0 81 00 00")
    ]
    talk.set(BI, 0, 1)
    talk.set(BI, 1, 1)
    assert talk.ask("c1 17")[0].startswith("c1 81 08 00")


def test_a_broadcast_is_carried_out_unanswered_and_shown_once() -> None:
    talk = Talk(*binaries(1))
    talk.rtu.restarted = True
    assert talk.ask(f"c0 02 {CLEAR_RESTART}", broadcast=0xFFFF) == []
    assert talk.ask("c1 01 3c 01 06", broadcast=0xFFFF) == []
    assert talk.ask("c2 17")[0].startswith("c2 81 01 00")
    assert talk.ask("c3 17")[0].startswith("c3 81 00 00")


def test_a_broadcast_to_be_confirmed_is_shown_until_it_is() -> None:
    talk = Talk(*binaries(1))
    talk.ask("c0 02", broadcast=0xFFFE)
    assert talk.ask("c1 17")[0].startswith("e1 81 01 00")
    assert talk.ask("c2 17")[0].startswith("e2 81 01 00")
    talk.ask("c2 00")
    assert talk.ask("c3 17")[0].startswith("c3 81 00 00")


CLOSE = "41 01 64000000 00000000"
"""Close, pulse on, once, 100 ms."""


@pytest.mark.parametrize("qualifier", ["17 01 00", "28 0100 0000"])
def test_a_binary_output_is_selected_and_operated(qualifier: str) -> None:
    talk = Talk(Entry(BO, 0))
    block = f"0c 01 {qualifier} {CLOSE} 00"
    assert talk.ask(f"c0 03 {block}") == [spaced(f"c0 81 00 00 {block}")]
    assert talk.database.of(BO)[0].value == 0
    assert talk.ask(f"c1 04 {block}") == [spaced(f"c1 81 00 00 {block}")]
    assert talk.database.of(BO)[0].value == 1


@pytest.mark.parametrize(
    ("variation", "value", "expected"),
    [
        ("01", "feffffff", -2),
        ("02", "feff", -2),
        ("03", "0000c03f", 1.5),
        ("04", "000000000000f83f", 1.5),
    ],
)
def test_an_analog_output_takes_every_variation(
    variation: str, value: str, expected: float
) -> None:
    talk = Talk(Entry(AOS, 3))
    block = f"29 {variation} 17 01 03 {value} 00"
    assert talk.ask(f"c0 05 {block}") == [spaced(f"c0 81 00 00 {block}")]
    assert talk.database.of(AOS)[3].value == expected


def test_each_command_is_answered_by_itself() -> None:
    talk = Talk(Entry(BO, 0))
    sent = talk.ask(f"c0 05 0c 01 17 02 00 {CLOSE} 00 09 {CLOSE} 00")
    assert sent == [spaced(f"c0 81 00 00 0c 01 17 02 00 {CLOSE} 00 09 {CLOSE} 04")]
    assert talk.database.of(BO)[0].value == 1
    assert talk.ask("c1 06 0c 01 17 01 00 81 01 00000000 00000000 00") == []  # trip, no response
    assert talk.database.of(BO)[0].value == 0


@pytest.mark.parametrize(
    ("operate", "wait_s", "status"),
    [
        (f"c2 04 0c 01 17 01 00 {CLOSE} 00", 0.0, "02"),  # not the next in sequence
        ("c1 04 0c 01 17 01 00 81 01 64000000 00000000 00", 0.0, "02"),  # another command
        (f"c1 04 0c 01 17 01 00 {CLOSE} 00", 11.0, "01"),  # too late
    ],
)
def test_an_operate_that_does_not_match_its_select_does_nothing(
    operate: str, wait_s: float, status: str
) -> None:
    talk = Talk(Entry(BO, 0))
    talk.ask(f"c0 03 0c 01 17 01 00 {CLOSE} 00")
    talk.clock.forward(wait_s)
    (sent,) = talk.ask(operate)
    assert sent.endswith(status)
    assert talk.database.of(BO)[0].value == 0


def test_an_operate_after_another_request_finds_no_select() -> None:
    talk = Talk(Entry(BO, 0))
    block = f"0c 01 17 01 00 {CLOSE} 00"
    talk.ask(f"c0 03 {block}")
    talk.ask("c1 17")
    assert talk.ask(f"c2 04 {block}")[0].endswith("02")


def test_a_switch_on_local_refuses_commands_and_says_so() -> None:
    talk = Talk(Entry(BO, 0), local=True)
    assert talk.ask(f"c0 05 0c 01 17 01 00 {CLOSE} 00") == [
        spaced(f"c0 81 20 00 0c 01 17 01 00 {CLOSE} 07")
    ]


def test_a_restart_says_how_long_it_takes() -> None:
    talk = Talk(*binaries(1), restart_ms=700)
    assert talk.ask("c0 0d") == [spaced("c0 81 00 00  34 02 07 01 bc02")]


def test_a_buffer_that_ran_over_says_so_until_there_is_room() -> None:
    talk = Talk(Entry(BI, 0, event_class=1, event_variation=1), capacity={1: 2, 2: 2, 3: 2})
    for value in (1, 0, 1):
        talk.set(BI, 0, value)
    assert talk.ask(f"c0 01 {CLASSES}") == [spaced("e0 81 00 08  02 01 17 02 00 01 00 81")]
    talk.ask("c0 00")
    assert talk.ask("c1 17")[0].startswith("c1 81 00 00")
