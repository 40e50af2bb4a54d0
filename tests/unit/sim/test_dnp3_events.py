"""Events wait, are written, come back or are confirmed; what is lost is said."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from otgate_dnp3.stack.points import PointType
from otgate_sim.dnp3.events import Buffer, Event, Selection
from otgate_sim.dnp3.packing import Packing

ROOM = 2000


def event(serial: int, event_class: int = 1) -> Event:
    return Event(serial, event_class, PointType.BINARY_INPUT, 0, 1, serial % 2, 1, 0)


def buffer(*events: Event, capacity: int = 100) -> Buffer:
    made = Buffer(dict.fromkeys((1, 2, 3), capacity))
    for each in events:
        made.add(each)
    return made


def serials(events: Iterable[Event]) -> list[int]:
    return [each.serial for each in events]


def written(held: Buffer, *classes: int, size: int = ROOM) -> list[Event]:
    return held.write([Selection(classes)], Packing(size, 1))[0]


def test_what_is_written_is_not_written_again_until_it_comes_back() -> None:
    held = buffer(event(1), event(2))
    sent = written(held, 1)
    assert serials(sent) == [1, 2]
    assert written(held, 1) == []
    held.give_back(sent)
    assert serials(written(held, 1)) == [1, 2]


def test_what_comes_back_goes_before_what_came_since() -> None:
    held = buffer(event(1), event(2, 2), event(3))
    sent = written(held, 1, 2)
    held.add(event(4, 2))
    held.add(event(5))
    held.give_back(sent)
    assert serials(held.in_order()) == [1, 2, 3, 4, 5]


def test_other_classes_are_left_in_place() -> None:
    held = buffer(event(1), event(2, 2), event(3, 3), event(4))
    assert serials(written(held, 3, 1)) == [1, 3, 4]
    assert serials(held.in_order()) == [2]


def test_a_full_fragment_takes_the_oldest() -> None:
    held = buffer(*(event(serial) for serial in range(1, 11)))
    sent, whole = held.write([Selection((1,))], Packing(4 + 2 * 3, 1))
    assert (serials(sent), whole) == ([1, 2, 3], False)


def test_a_full_class_loses_its_oldest_waiting_event_and_says_so() -> None:
    held = buffer(event(1), event(2), capacity=2)
    assert not held.overflowed
    held.add(event(3))
    assert held.overflowed
    assert serials(held.lost) == [1]
    assert serials(held.in_order()) == [2, 3]


def test_an_event_on_its_way_is_not_lost_to_a_new_one() -> None:
    held = buffer(event(1), event(2), capacity=2)
    sent = written(held, 1)
    held.add(event(3))
    assert serials(held.lost) == [3]
    held.give_back(sent)
    assert serials(held.in_order()) == [1, 2]


def test_the_overflow_is_over_once_a_confirm_made_room() -> None:
    held = buffer(event(1), event(2), event(3), capacity=2)
    sent = written(held, 1)
    assert held.overflowed
    held.confirm(sent)
    assert not held.overflowed
    assert serials(held.confirmed) == [2, 3]
    assert held.held[1] == 0


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 3)),
        st.tuples(st.just("write"), st.integers(8, 40)),
        st.tuples(st.sampled_from(["confirm", "lose"]), st.just(0)),
    ),
    max_size=80,
)


@given(STEPS)
def test_every_event_is_waiting_written_confirmed_or_lost_and_confirmed_in_order(
    steps: list[tuple[str, int]],
) -> None:
    held, on_the_way, made = buffer(capacity=5), list[Event](), 0
    for step, number in steps:
        if step == "add":
            made += 1
            held.add(event(made, number))
        elif step == "write" and not on_the_way:
            on_the_way = written(held, 1, 2, 3, size=number)
        elif step == "confirm":
            held.confirm(on_the_way)
            on_the_way = []
        elif step == "lose":
            held.give_back(on_the_way)
            on_the_way = []
    everywhere = [*held.in_order(), *on_the_way, *held.confirmed, *held.lost]
    assert sorted(serials(everywhere)) == list(range(1, made + 1))
    assert serials(held.confirmed) == sorted(serials(held.confirmed))
    assert sum(held.held.values()) == len(on_the_way) + held.count((1, 2, 3))
