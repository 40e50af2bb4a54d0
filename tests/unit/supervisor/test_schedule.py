import math

from otgate.model import Scan, ValueType
from otgate.supervisor.schedule import Grid, Schedule, Slot


def scan(period_s: float) -> Scan:
    return Scan(f"every {period_s:g} s", period_s, [0], [ValueType.F64])


def slot(device: str, period_s: float = 1.0, origin_s: float = 0.0, number: int = 0) -> Slot:
    return Slot(device, scan(period_s), Grid(origin_s, period_s), number)


def test_a_grid_does_not_drift_in_a_year() -> None:
    grid = Grid(123.456, 0.1)
    number = 365 * 86400 * 10
    assert grid.due_s(number) == 123.456 + number * 0.1
    assert grid.current(grid.due_s(number)) == number


def test_a_slot_served_in_time_is_followed_by_the_next() -> None:
    served = slot("a", number=4)
    assert served.served(4.2) == 0
    assert (served.due_s, served.deadline_s) == (5.0, 6.0)


def test_a_slot_that_ended_late_can_still_be_followed_by_the_current_one() -> None:
    served = slot("a", number=4)
    assert served.served(5.3) == 0
    assert served.due_s == 5.0


def test_slots_missed_whole_are_skipped_and_counted() -> None:
    served = slot("a", number=4)
    assert served.served(8.3) == 3
    assert served.due_s == 8.0


def test_a_slot_that_was_never_served_is_skipped_and_keeps_its_urgency() -> None:
    waiting = slot("a", number=4)
    assert waiting.skipped(6.3) == 2
    assert (waiting.due_s, waiting.urgent_s) == (6.0, 5.0)


def test_a_new_link_reads_a_slow_scan_at_once() -> None:
    begun = slot("a", period_s=60.0, origin_s=30.0)
    begun.begin(10.0, catch_up_s=1.0)
    assert (begun.due_s, begun.deadline_s) == (-30.0, 30.0)


def test_a_new_link_waits_for_a_slot_that_comes_soon() -> None:
    begun = slot("a", period_s=60.0, origin_s=30.0)
    begun.begin(29.5, catch_up_s=1.0)
    assert begun.due_s == 30.0


def test_a_slot_due_this_moment_is_not_left_out() -> None:
    begun = slot("a", period_s=0.5)
    begun.begin(2.0, catch_up_s=1.0)
    assert begun.due_s == 2.0


def test_nothing_is_picked_before_it_is_due() -> None:
    schedule = Schedule()
    schedule.add(slot("a", number=3))
    assert schedule.pick(2.9) is None
    assert schedule.next_due_s() == 3.0
    assert schedule.pick(3.0) is not None
    assert schedule.next_due_s() == math.inf


def test_of_what_is_due_the_first_to_end_goes_first() -> None:
    schedule = Schedule()
    for name, period_s in (("slow", 10.0), ("fast", 0.5), ("normal", 2.0)):
        schedule.add(slot(name, period_s))
    assert [schedule.pick(0.1).device for _ in range(3)] == ["fast", "normal", "slow"]  # type: ignore[union-attr]


def test_devices_of_one_pace_take_turns() -> None:
    schedule = Schedule()
    for name in "abc":
        schedule.add(slot(name))
    order = []
    for number in range(6):
        picked = schedule.pick(0.9)
        assert picked is not None
        order.append(picked.device)
        picked.number = number
        schedule.add(picked)
    assert "".join(order) == "abcabc"


def test_a_probe_goes_when_nothing_else_is_due() -> None:
    schedule = Schedule()
    probe = Slot("dead", scan(1.0), Grid(0.5, 1.0), probe_s=0.5)
    probe.due_s = probe.deadline_s = 0.5
    schedule.add(probe)
    schedule.add(slot("alive", period_s=9.0))
    assert [schedule.pick(0.9).device for _ in range(2)] == ["alive", "dead"]  # type: ignore[union-attr]


def test_a_removed_device_is_not_picked() -> None:
    schedule = Schedule()
    schedule.add(slot("a"))
    schedule.add(slot("b"))
    schedule.remove("a")
    assert schedule.pick(0.0).device == "b"  # type: ignore[union-attr]
    assert schedule.pick(0.0) is None


def test_a_suspect_may_keep_the_link_until_others_need_it() -> None:
    schedule = Schedule()
    schedule.add(slot("a", period_s=2.0, number=3))
    schedule.add(slot("b", period_s=0.5, origin_s=5.5))
    assert schedule.spare_s("suspect") == 5.75
    assert schedule.spare_s("b") == 7.0
