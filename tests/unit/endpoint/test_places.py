"""Which of several places is tried first."""

import pytest

from otgate.endpoint.places import KEY, first_open, keep, order
from otgate.errors import LinkLost
from otgate.testing.contract import Remembered


async def opened(place: str) -> str:
    if place.startswith("no"):
        raise LinkLost(f"{place} is not there")
    return place.upper()


async def test_the_first_place_that_is_there_is_taken() -> None:
    assert await first_open(["a", "b"], Remembered(), opened) == ("A", 0)
    assert await first_open(["none", "b"], Remembered(), opened) == ("B", 1)


async def test_where_no_place_is_there_every_reason_is_said() -> None:
    with pytest.raises(LinkLost, match="none is not there; nope is not there"):
        await first_open(["none", "nope"], Remembered(), opened)


def test_a_place_that_let_nothing_be_read_is_tried_last() -> None:
    state = Remembered()
    keep(state, 2, 0, good=False)
    assert order(state, 2) == [1, 0]
    keep(state, 2, 1, good=False)
    assert order(state, 2) == [0, 1]


def test_a_link_stays_with_the_place_that_served_it() -> None:
    state = Remembered()
    keep(state, 2, 1, good=True)
    assert order(state, 2) == [1, 0]


def test_a_single_place_leaves_nothing_to_remember() -> None:
    state = Remembered()
    keep(state, 1, 0, good=False)
    assert state.get(KEY) is None
    assert order(state, 1) == [0]


@pytest.mark.parametrize("kept", ["a", 2, -1, None, 0.5])
def test_what_was_kept_wrongly_is_forgotten(kept: object) -> None:
    state = Remembered()
    state.put(KEY, kept)
    assert order(state, 2) == [0, 1]
