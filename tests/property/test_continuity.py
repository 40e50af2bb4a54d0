"""A subscriber's account agrees with a plain set of numbers, whatever arrives."""

from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from otgate.publish.ledger import Account

Stretch = tuple[int, int]
STRETCHES = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 12)), min_size=1, max_size=20)


def numbers(stretches: list[Stretch]) -> set[int]:
    return {n for start, count in stretches for n in range(start, start + count)}


@given(STRETCHES, STRETCHES)
def test_a_loss_is_what_neither_came_nor_was_announced(
    came: list[Stretch], announced: list[Stretch]
) -> None:
    account = Account()
    for start, count in came:
        account.take(start, count, "data", 1.0)
    for start, count in announced:
        account.announced.add(start, start + count)
    seen, known = numbers(came), numbers(announced)
    expected = set(range(came[0][0], max(seen) + 1)) - seen - known
    assert {n for low, high in account.losses() for n in range(low, high)} == expected


def book(account: Account, messages: list[tuple[int, int, str]]) -> None:
    for start, count, what in sorted(messages):
        if what == "data":
            account.take(start, count, what, 1.0)
        else:
            account.announce(start, start + count)


@given(STRETCHES, STRETCHES, st.integers(1, 6))
def test_settling_changes_no_count_of_what_comes_in_order(
    came: list[Stretch], announced: list[Stretch], most: int
) -> None:
    plain, bounded = Account(), Account()
    messages = [(*stretch, "data") for stretch in came] + [(*gap, "gap") for gap in announced]
    with patch("otgate.publish.ledger.MOST_STRETCHES", most):
        book(bounded, messages)
    book(plain, messages)
    assert (bounded.count, bounded.lost, bounded.gaps) == (plain.count, plain.lost, plain.gaps)
    assert len(bounded.received) <= most
    assert bounded.duplicates == plain.duplicates


@given(STRETCHES)
def test_every_sample_is_new_or_a_duplicate(came: list[Stretch]) -> None:
    account = Account()
    for start, count in came:
        account.take(start, count, "data", 1.0)
    assert account.count == len(numbers(came))
    assert account.count + account.duplicates == sum(count for _, count in came)
    assert account.ages.count == account.count


@given(STRETCHES)
def test_disorder_is_only_ever_counted_for_new_samples(came: list[Stretch]) -> None:
    account = Account()
    for start, count in sorted(came):
        account.take(start, count, "data", 1.0)
    assert account.disorder <= account.count
