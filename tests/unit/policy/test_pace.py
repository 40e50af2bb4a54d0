import math
from dataclasses import replace

import pytest

from otgate.model import Batch, Clock, Origin, ValueType
from otgate.policy.gate import Gate
from otgate.policy.language import Limits
from otgate.policy.pace import Pace
from otgate.quality import Quality
from policies import SECOND, START, allow, batch, gate, point

LOST = Quality.INVALID | Quality.COMM_LOST
UNREAD = Quality.INVALID | Quality.NO_VALUE | Quality.NOT_YET_READ
EVERY_MINUTE = Limits(min_interval_s=60)


def slow(*names: str, value_type: ValueType = ValueType.F64, quantize: float = 0.0) -> Gate:
    limits = replace(EVERY_MINUTE, quantize=quantize)
    return gate(*map(point, names or ("ia",)), limits=limits, value_type=value_type)


def passed(held: Gate, second: float, *values: object, quality: int = 0) -> list[Batch]:
    now_ns = START + round(second * SECOND)
    kind = ValueType.TEXT if isinstance(values[0], str) else ValueType.F64
    given = batch(values, quality, received_ns=now_ns, value_type=kind)
    return [out for _, out in held.pass_(given, now_ns)]


def released(held: Gate, second: float) -> list[Batch]:
    return [out for _, out in held.release(START + round(second * SECOND))]


def test_a_point_is_sent_at_most_once_per_interval() -> None:
    held = slow()
    sent = [second for second in range(300) if passed(held, second, float(second))]
    assert sent == [0, 60, 120, 180, 240]


def test_the_newest_held_value_goes_when_the_interval_ends_with_its_own_time() -> None:
    held = slow()
    for second in range(0, 50, 10):
        passed(held, second, float(second))
    assert released(held, 59.9) == []
    [out] = released(held, 60)
    assert out.values.tolist() == [40.0]
    assert (out.received_ns, out.source_ns) == (START + 40 * SECOND, None)
    assert released(held, 120) == []


def test_a_gate_is_asked_to_release_when_the_first_interval_ends_and_not_before() -> None:
    pace = Pace("f3", ValueType.F64, (60.0, 5.0))
    assert not pace.ready(START + 999 * SECOND)
    for second, values in ((0, [1.0, 1.0]), (1, [2.0, 2.0])):
        now_ns = START + second * SECOND
        assert bool(pace.pass_(batch(values), now_ns)) is (second == 0)
    assert [pace.ready(START + second * SECOND) for second in (1, 4, 5)] == [False, False, True]
    assert [len(out) for out in pace.release(START + 5 * SECOND)] == [1]
    assert [pace.ready(START + second * SECOND) for second in (59, 60)] == [False, True]
    pace.release(START + 60 * SECOND)
    assert not pace.ready(START + 999 * SECOND)


def test_a_sample_held_later_delays_no_earlier_one() -> None:
    held = slow("ia", "ib")
    held.pass_(batch([1.0], index=[0]), START)
    held.pass_(batch([1.0], index=[1]), START + 20 * SECOND)
    held.pass_(batch([2.0], index=[0]), START + 30 * SECOND)
    held.pass_(batch([2.0], index=[1]), START + 31 * SECOND)
    assert [out.index.tolist() for out in released(held, 60)] == [[0]]
    assert [out.index.tolist() for out in released(held, 80)] == [[1]]


def test_after_the_clock_was_set_back_a_release_is_due_by_the_new_one() -> None:
    held = slow("ia", "ib")
    for second, value in ((3600, 1.0), (3601, 2.0)):
        held.pass_(batch([value], index=[0]), START + second * SECOND)
    held.pass_(batch([9.0], index=[1]), START)
    assert released(held, 59) == []
    assert [out.values.tolist() for out in released(held, 60)] == [[2.0]]


def test_a_release_starts_the_next_interval() -> None:
    held = slow()
    passed(held, 0, 1.0)
    passed(held, 10, 2.0)
    released(held, 65)
    assert passed(held, 70, 3.0) == []
    assert released(held, 124.9) == []
    assert [out.values.tolist() for out in released(held, 125)] == [[3.0]]


def test_a_new_value_after_the_interval_goes_instead_of_the_held_one() -> None:
    held = slow()
    passed(held, 0, 1.0)
    passed(held, 10, 2.0)
    assert [out.values.tolist() for out in passed(held, 61, 3.0)] == [[3.0]]
    assert released(held, 200) == []
    assert held.suppressed == 1


def test_a_validity_change_passes_at_once_with_the_last_released_value_and_its_time() -> None:
    held = slow()
    passed(held, 0, 10.0)
    passed(held, 5, 12.0)
    [out] = passed(held, 7, 12.0, quality=LOST)
    assert out.values.tolist() == [10.0]
    assert out.quality.tolist() == [LOST]
    assert out.received_ns == START + 7 * SECOND
    assert out.source_ns is not None
    assert out.source_ns.tolist() == [START]
    [out] = released(held, 60)
    assert (out.values.tolist(), out.quality.tolist()) == ([12.0], [LOST])


def test_no_held_good_value_follows_a_loss() -> None:
    held = slow()
    passed(held, 0, 10.0)
    passed(held, 5, 12.0)
    passed(held, 7, 12.0, quality=LOST)
    assert all(out.quality.tolist() == [LOST] for out in released(held, 60))


def test_a_recovery_passes_at_once_without_the_newer_value() -> None:
    held = slow()
    passed(held, 0, 10.0)
    passed(held, 5, 10.0, quality=LOST)
    [out] = passed(held, 9, 14.0)
    assert (out.values.tolist(), out.quality.tolist()) == ([10.0], [0])
    assert out.source_ns is not None
    assert out.source_ns.tolist() == [START]
    assert [out.values.tolist() for out in released(held, 60)] == [[14.0]]


def test_a_changed_detail_waits_while_validity_stays() -> None:
    held = slow()
    passed(held, 0, 10.0, quality=Quality.INVALID | Quality.FAILURE)
    assert passed(held, 5, 10.0, quality=LOST) == []


def test_a_resent_value_keeps_its_device_time() -> None:
    held = slow()
    stamped = batch([10.0], source_ns=[START - 3 * SECOND])
    held.pass_(stamped, START)
    later = batch([11.0], LOST, received_ns=START + 5 * SECOND, source_ns=[START])
    [(_, out)] = held.pass_(later, START + 5 * SECOND)
    assert out.source_ns is not None
    assert out.source_ns.tolist() == [START - 3 * SECOND]
    assert out.clock is Clock.DEVICE


def test_the_gateway_s_own_time_of_a_resent_value_is_never_called_the_device_s() -> None:
    held = slow()
    passed(held, 0, 10.0)
    [out] = passed(held, 5, 11.0, quality=LOST)
    assert out.clock is Clock.GATEWAY


@pytest.mark.parametrize("clock", list(Clock))
def test_a_held_sample_keeps_whose_clock_its_time_is_of(clock: Clock) -> None:
    held = slow()
    passed(held, 0, 10.0)
    stamped = replace(batch([11.0], source_ns=[START]), clock=clock)
    held.pass_(stamped, START + SECOND)
    assert [out.clock for out in released(held, 61)] == [clock]


def test_a_point_never_read_shows_its_first_value_at_once() -> None:
    held = slow()
    assert len(passed(held, 0, 0.0, quality=UNREAD)) == 1
    [out] = passed(held, 2, 412.3)
    assert (out.values.tolist(), out.source_ns) == ([412.3], None)
    assert passed(held, 4, 413.0) == []


def test_a_value_that_ceases_to_exist_is_told_at_once_and_frees_no_newer_one() -> None:
    held = slow()
    passed(held, 0, 10.0)
    passed(held, 5, 12.0)
    [out] = passed(held, 7, 0.0, quality=UNREAD)
    assert out.quality.tolist() == [UNREAD]
    assert out.source_ns is None
    [out] = passed(held, 9, 13.0)
    assert out.values.tolist() == [10.0]
    assert [out.values.tolist() for out in released(held, 60)] == [[13.0]]


def test_a_repeated_lack_of_a_value_waits_like_any_other() -> None:
    held = slow()
    passed(held, 0, 0.0, quality=UNREAD)
    assert passed(held, 5, 0.0, quality=UNREAD) == []


def test_samples_of_one_point_in_one_batch_keep_their_order() -> None:
    events = batch([1.0, 7.0, 2.0, 3.0], index=[0, 1, 0, 0], origin=Origin.EVENT)
    held = slow("ia", "ib")
    [(_, out)] = held.pass_(events, START)
    assert (out.index.tolist(), out.values.tolist()) == ([0, 1], [1.0, 7.0])
    [out] = released(held, 60)
    assert (out.values.tolist(), out.origin) == ([3.0], Origin.EVENT)
    assert held.suppressed == 1


def test_every_event_of_an_unlimited_point_passes_beside_limited_ones() -> None:
    rules = [allow(), allow("slow", EVERY_MINUTE, point=("f3/ia",))]
    held = gate(point("ia"), point("x"), rules=rules)
    events = batch([1.0, 2.0, 9.0, 3.0, 9.5], index=[1, 1, 0, 1, 0], origin=Origin.EVENT)
    outs = [out for _, out in held.pass_(events, START)]
    told = [pair for out in outs for pair in zip(out.index, out.values, strict=True)]
    assert [value for index, value in told if index == 1] == [1.0, 2.0, 3.0]
    assert [value for index, value in told if index == 0] == [9.0]


def test_held_samples_leave_grouped_by_their_own_reception_and_origin() -> None:
    held = slow("ia", "ib", "ic")
    passed(held, 0, 1.0, 1.0, 1.0)
    held.pass_(batch([2.0], index=[1], received_ns=START + 3), START + 3)
    held.pass_(batch([3.0, 4.0], index=[0, 2], received_ns=START + 2), START + 4)
    outs = released(held, 60)
    assert [(out.received_ns, out.index.tolist()) for out in outs] == [
        (START + 2, [0, 2]),
        (START + 3, [1]),
    ]


def test_held_samples_keep_their_device_times() -> None:
    held = slow("ia", "ib")
    passed(held, 0, 1.0, 1.0)
    held.pass_(batch([2.0, 3.0], source_ns=[START + 7, START + 8], received_ns=START + 9), START)
    [out] = released(held, 60)
    assert out.source_ns is not None
    assert out.source_ns.tolist() == [START + 7, START + 8]
    assert out.received_ns == START + 9


def test_a_held_value_is_quantised_and_so_is_its_resend() -> None:
    held = slow(quantize=0.5)
    passed(held, 0, 10.1)
    passed(held, 5, 12.3)
    assert passed(held, 7, 12.3, quality=LOST)[0].values.tolist() == [10.0]
    assert released(held, 60)[0].values.tolist() == [12.5]


def test_nan_and_texts_are_held_like_numbers() -> None:
    held = slow()
    passed(held, 0, math.nan)
    passed(held, 1, math.inf)
    assert released(held, 60)[0].values.tolist() == [math.inf]
    words = slow(value_type=ValueType.TEXT)
    passed(words, 0, "open")
    assert passed(words, 1, "closed") == []
    assert passed(words, 2, "closed", quality=LOST)[0].values.tolist() == ["open"]


def test_a_clock_set_back_never_lets_a_point_through_early_nor_stops_it_for_longer() -> None:
    held = slow()
    passed(held, 3600, 1.0)
    assert passed(held, 0, 2.0) == []
    assert passed(held, 59, 3.0) == []
    assert [out.values.tolist() for out in released(held, 60)] == [[3.0]]


def test_a_clock_set_back_while_nothing_arrives_does_not_keep_a_held_value() -> None:
    held = slow()
    passed(held, 3600, 1.0)
    passed(held, 3601, 2.0)
    assert released(held, 0) == []
    assert [out.values.tolist() for out in released(held, 60)] == [[2.0]]


def test_held_samples_of_several_origins_and_clocks_are_not_mixed() -> None:
    held = slow("ia", "ib", "ic")
    passed(held, 0, 1.0, 1.0, 1.0)
    held.pass_(batch([2.0], index=[0], source_ns=[START]), START)
    held.pass_(batch([3.0], index=[1]), START)
    held.pass_(batch([4.0], index=[2], origin=Origin.GI), START)
    told = {(out.origin, out.source_ns is None): out.index.tolist() for out in released(held, 60)}
    assert told == {(Origin.POLL, False): [0], (Origin.POLL, True): [1], (Origin.GI, True): [2]}


def test_only_what_a_newer_sample_replaced_counts_as_suppressed() -> None:
    held = slow()
    for second in (0, 10, 20, 30):
        passed(held, second, float(second))
    assert held.suppressed == 2
    released(held, 60)
    assert held.suppressed == 2
