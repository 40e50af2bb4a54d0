import pytest
from hypothesis import given
from hypothesis import strategies as st

from otgate.testing.contract import Remembered
from otgate_modbus.pipelining import CALM, DOUBTS, STEPS, TRIALS, Pipelining


def auto(state: Remembered | None = None) -> Pipelining:
    return Pipelining("auto", state or Remembered(), alone=True)


def polls(pipelining: Pipelining, count: int, *, requests: int = 8, held: bool = True) -> list[int]:
    depths = []
    for _ in range(count):
        depths.append(pipelining.begin(requests))
        pipelining.note(sound=held, held=held)
    return depths


def proved(state: Remembered, depth: int = 2) -> Pipelining:
    pipelining = auto(state)
    polls(pipelining, CALM + STEPS.index(depth) * TRIALS)
    assert pipelining.begin(1) == depth
    pipelining.note(sound=True, held=True)
    return pipelining


def test_more_is_tried_after_calm_polls_only_and_step_by_step() -> None:
    depths = polls(auto(), CALM + 3 * TRIALS + 5)
    assert depths == [1] * CALM + [2] * TRIALS + [4] * TRIALS + [8] * (TRIALS + 5)


@pytest.mark.parametrize("sound_before", range(1, TRIALS + 1))
def test_a_poll_that_fails_between_steps_puts_the_next_off(sound_before: int) -> None:
    pipelining = auto()
    polls(pipelining, CALM + TRIALS + sound_before)
    pipelining.begin(1)
    pipelining.note(sound=False, held=True)
    depth = 2 if sound_before < TRIALS else 4
    assert polls(pipelining, CALM + 1) == [depth] * CALM + [2 * depth]


def test_what_failed_its_trial_is_not_tried_again_even_after_a_restart() -> None:
    state = Remembered()
    pipelining = auto(state)
    polls(pipelining, CALM)
    assert polls(pipelining, 1, held=False) == [2]
    assert set(polls(pipelining, 100)) == {1}
    assert set(polls(auto(state), 100)) == {1}


def test_a_poll_that_failed_for_another_reason_ends_a_trial_without_a_verdict() -> None:
    pipelining = auto()
    polls(pipelining, CALM)
    assert pipelining.begin(8) == 2
    pipelining.note(sound=False, held=True)
    assert polls(pipelining, CALM + 1)[-1] == 2


def test_what_was_proved_is_remembered() -> None:
    state = Remembered()
    proved(state, 4)
    assert auto(state).begin(8) == 4


def test_a_connection_lost_in_trial_after_trial_ends_trying() -> None:
    state = Remembered()
    tried = 0
    for _ in range(10):
        pipelining = auto(state)
        polls(pipelining, CALM)
        tried += pipelining.begin(8) == 2  # and no word of how it went
    assert tried == 2


def test_one_lost_connection_does_not_condemn_a_device() -> None:
    state = Remembered()
    pipelining = auto(state)
    polls(pipelining, CALM)
    assert pipelining.begin(8) == 2
    assert polls(auto(state), CALM + TRIALS)[-1] == 2


def test_a_proved_step_that_no_longer_holds_is_left_for_good() -> None:
    state = Remembered()
    pipelining = proved(state, 4)
    assert set(polls(pipelining, DOUBTS, requests=4, held=False)) == {4}
    assert set(polls(pipelining, 100)) == {1}
    assert set(polls(auto(state), 100)) == {1}


def test_one_bad_poll_between_good_ones_changes_nothing() -> None:
    pipelining = proved(Remembered(), 8)
    for _ in range(20):
        polls(pipelining, DOUBTS - 1, held=False)
        assert polls(pipelining, 1) == [8]


def test_a_poll_of_one_request_proves_nothing() -> None:
    assert set(polls(auto(), 100, requests=1)) == {1}


def test_devices_behind_one_endpoint_are_not_tried() -> None:
    assert set(polls(Pipelining("auto", Remembered(), alone=False), 100)) == {1}


@pytest.mark.parametrize("depth", [1, 5, 8])
def test_a_number_is_taken_as_it_is(depth: int) -> None:
    pipelining = Pipelining(depth, Remembered(), alone=False)
    assert polls(pipelining, 5) + polls(pipelining, 5, held=False) == [depth] * 10


@pytest.mark.parametrize(
    "kept",
    [None, 7, {}, {"proved": 3, "tried": 4, "cut": 0}, {"proved": "2", "tried": 4, "cut": 0}],
)
def test_a_state_that_is_not_understood_begins_anew(kept: object) -> None:
    state = Remembered()
    state.put("pipeline", kept)
    assert auto(state).begin(8) == 1


@given(st.lists(st.tuples(st.integers(1, 12), st.booleans(), st.booleans(), st.booleans())))
def test_no_step_is_skipped_and_none_stands_untried(
    told: list[tuple[int, bool, bool, bool]],
) -> None:
    state = Remembered()
    pipelining, highest = auto(state), 1
    for requests, sound, held, restart in told:
        depth = pipelining.begin(requests)
        assert depth in STEPS
        assert STEPS.index(depth) <= STEPS.index(highest) + 1
        highest = max(highest, depth)
        if restart:
            pipelining = auto(state)
        else:
            pipelining.note(sound=sound and held, held=held)
