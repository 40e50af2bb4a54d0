from dataclasses import replace

from otgate.publish.liveness import FieldWatch
from otgate.spool.items import Live

S = 1_000_000_000
NOW_NS = 1_763_765_412 * S


def live(age_s: float = 0.0) -> Live:
    return Live(1, NOW_NS - int(age_s * S), {"f3": "good"})


def test_nothing_is_known_before_the_first_sign_of_life() -> None:
    watch = FieldWatch(0.0)
    watch.seen(None, 1.0, NOW_NS)
    assert watch.state(1.0) == "unknown"
    assert watch.state(16.0) == "lost"


def test_an_anchor_outlives_the_field_side() -> None:
    watch = FieldWatch(0.0)
    assert watch.anchor == ""
    watch.seen(replace(live(), anchor="ab"), 0.0, NOW_NS)
    assert (watch.state(16.0), watch.anchor) == ("lost", "ab")


def test_the_field_side_is_lost_after_15_silent_seconds() -> None:
    watch = FieldWatch(0.0)
    watch.seen(live(), 0.0, NOW_NS)
    assert watch.state(14.9) == "alive"
    assert watch.state(15.1) == "lost"


def test_an_old_sign_of_life_found_at_start_is_not_fresh() -> None:
    watch = FieldWatch(0.0)
    watch.seen(live(age_s=3600), 0.0, NOW_NS)
    assert watch.state(0.0) == "lost"


def test_a_clock_that_steps_while_we_look_changes_nothing() -> None:
    watch = FieldWatch(0.0)
    watch.seen(live(), 0.0, NOW_NS)
    watch.seen(live(age_s=-5), 5.0, NOW_NS + 3600 * S)
    assert watch.state(6.0) == "alive"


def test_what_arrived_while_nobody_looked_is_judged_by_its_age() -> None:
    watch = FieldWatch(0.0)
    watch.seen(live(), 0.0, NOW_NS)
    watch.seen(live(age_s=-10), 100.0, NOW_NS + 100 * S)
    assert watch.state(100.0) == "lost"


def test_the_same_sign_of_life_twice_is_one() -> None:
    watch = FieldWatch(0.0)
    for second in range(17):
        watch.seen(live(), float(second), NOW_NS)
    assert watch.state(16.0) == "lost"


def test_states_are_not_known_without_a_living_field_side() -> None:
    watch = FieldWatch(0.0)
    watch.seen(live(), 0.0, NOW_NS)
    assert watch.devices(1.0) == {"f3": "good"}
    assert watch.devices(16.0) == {}
