import pytest

from otgate.errors import SpoolUnusable
from otgate.spool.epoch import EPOCH_BITS, epoch_number, epoch_text, next_epoch
from spools import NOW_NS


def test_an_epoch_is_eight_crockford_characters() -> None:
    assert epoch_text(0) == "00000000"
    assert epoch_text(31) == "0000000Z"
    assert epoch_text((1 << EPOCH_BITS) - 1) == "ZZZZZZZZ"


@pytest.mark.parametrize("epoch", [0, 1, 32, 1_753_237_491, (1 << EPOCH_BITS) - 1])
def test_an_epoch_survives_its_spelling(epoch: int) -> None:
    assert epoch_number(epoch_text(epoch)) == epoch


@pytest.mark.parametrize("text", ["", "0000000", "000000000", "0000000I", "0000000a", "0000000-"])
def test_what_is_no_epoch_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an epoch"):
        epoch_number(text)


def test_texts_sort_as_the_numbers_do() -> None:
    epochs = [3, 31, 32, 1 << 20, 1 << 39]
    assert sorted(map(epoch_text, epochs)) == [epoch_text(epoch) for epoch in epochs]


def test_an_epoch_comes_from_the_clock() -> None:
    assert next_epoch(NOW_NS, []) == NOW_NS // 1_000_000 // 1024


def test_an_epoch_is_above_those_present_though_the_clock_went_back() -> None:
    assert next_epoch(NOW_NS, [1 << 35, 7]) == (1 << 35) + 1


def test_two_starts_within_a_second_differ() -> None:
    first = next_epoch(NOW_NS, [])
    assert next_epoch(NOW_NS, [first]) == first + 1


def test_the_last_epoch_of_all_ends_the_spool() -> None:
    with pytest.raises(SpoolUnusable, match="ZZZZZZZZ"):
        next_epoch(NOW_NS, [(1 << EPOCH_BITS) - 1])
