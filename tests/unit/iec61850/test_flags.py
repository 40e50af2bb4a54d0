"""Each row of the table from IEC 61850's quality and time to this gateway's."""

import pytest

from otgate.quality import Quality, names
from otgate_iec61850.flags import DETAILS, REFUSALS, TIMES, quality_of, refusal, stamp_of
from otgate_iec61850.mms.errors import AccessError
from otgate_iec61850.mms.quality import QUALITY_BITS
from otgate_iec61850.mms.values import Bits, TimeFlag, UtcTime

STAMP_NS = 1_700_000_000_500_000_000


@pytest.mark.parametrize(
    ("bits", "validity"),
    [("00", "good"), ("01", "invalid"), ("10", "invalid"), ("11", "questionable")],
)
def test_validity(bits: str, validity: str) -> None:
    assert names(quality_of(Bits(13, int(bits + "0" * 11, 2)))) == (validity,)


@pytest.mark.parametrize(
    ("place", "word"),
    [
        (2, "overflow"),
        (3, "out_of_range"),
        (4, "bad_reference"),
        (5, "oscillatory"),
        (6, "failure"),
        (7, "old_data"),
        (8, "inconsistent"),
        (9, "inaccurate"),
        (10, "substituted"),
        (11, "test"),
        (12, "operator_blocked"),
    ],
)
def test_each_detail_bit_is_one_of_ours(place: int, word: str) -> None:
    assert names(quality_of(Bits.of(QUALITY_BITS, place))) == ("good", word)


def test_all_thirteen_bits_are_in_the_table() -> None:
    assert len(DETAILS) == QUALITY_BITS - 2
    assert len(set(DETAILS.values())) == len(DETAILS)


@pytest.mark.parametrize("value", [Bits(1, 0), 0, None, True, "good"])
def test_what_is_no_quality_is_invalid_and_inconsistent(value: object) -> None:
    assert names(quality_of(value)) == ("invalid", "inconsistent")


@pytest.mark.parametrize(
    ("flag", "words", "told"),
    [
        (TimeFlag.CLOCK_FAILURE, ("source_time_unknown", "clock_unsynchronised"), False),
        (TimeFlag.NOT_SYNCHRONISED, ("clock_unsynchronised",), True),
        (TimeFlag.LEAP_SECONDS_KNOWN, (), True),
    ],
)
def test_each_flag_of_a_time(flag: TimeFlag, words: tuple[str, ...], told: bool) -> None:  # noqa: FBT001
    stamp = stamp_of(UtcTime.of(STAMP_NS, flag | 10))
    assert names(stamp.quality)[1:] == words
    assert (stamp.ns is not None) is told


def test_every_flag_of_a_time_is_in_the_table() -> None:
    assert set(TIMES) == set(TimeFlag)


def test_a_clock_that_was_never_set_says_no_time() -> None:
    assert stamp_of(UtcTime(8)) == (None, Quality.SOURCE_TIME_UNKNOWN)


@pytest.mark.parametrize("error", AccessError)
def test_every_refusal_is_invalid_without_a_value(error: AccessError) -> None:
    quality = refusal(error)
    assert quality & Quality.INVALID == Quality.INVALID
    assert quality & Quality.NO_VALUE
    assert set(REFUSALS) == set(AccessError)


def test_a_refusal_of_an_unknown_number_is_a_failure() -> None:
    assert names(refusal(99)) == ("invalid", "failure", "no_value")
