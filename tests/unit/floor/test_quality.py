from functools import reduce
from operator import or_

from hypothesis import given
from hypothesis import strategies as st

from otgate.quality import BY_NAME, VALIDITY_MASK, Quality, from_names, names

words = st.sets(st.sampled_from(sorted(BY_NAME.values()))).map(lambda bits: int(sum_of(bits)))


def sum_of(bits: set[Quality]) -> Quality:
    return reduce(or_, bits, Quality.GOOD)


def test_good_is_the_empty_word() -> None:
    assert Quality.GOOD == 0
    assert names(0) == ("good",)


def test_every_detail_of_the_standard_and_of_the_gateway_has_a_name() -> None:
    standard = (
        "overflow out_of_range bad_reference oscillatory failure old_data inconsistent inaccurate "
        "substituted test operator_blocked"
    )
    ours = (
        "no_value comm_lost stale restart not_yet_read illegal_address not_implemented "
        "source_time_unknown clock_unsynchronised"
    )
    assert set(BY_NAME) == {"good", "questionable", "invalid", *standard.split(), *ours.split()}


def test_validity_comes_first_and_details_follow() -> None:
    quality = Quality.INVALID | Quality.COMM_LOST | Quality.NO_VALUE
    assert names(quality) == ("invalid", "no_value", "comm_lost")


@given(words, words)
def test_joining_two_qualities_never_raises_either(a: int, b: int) -> None:
    joined = a | b
    assert joined & VALIDITY_MASK >= max(a & VALIDITY_MASK, b & VALIDITY_MASK)
    assert set(names(a)[1:]) | set(names(b)[1:]) == set(names(joined)[1:])


@given(words)
def test_what_is_spelled_can_be_read_back(word: int) -> None:
    assert int(from_names(names(word))) == word
