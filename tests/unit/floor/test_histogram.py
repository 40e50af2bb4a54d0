import pytest

from otgate.histogram import BOUNDS_S, Histogram


def test_a_duration_at_the_end_of_a_bucket_belongs_to_it() -> None:
    histogram = Histogram()
    histogram.observe(BOUNDS_S[3])
    assert [place for place, count in enumerate(histogram.counts) if count] == [3]


@pytest.mark.parametrize(
    ("seconds", "place"), [(0.0, 0), (-5.0, 0), (0.0011, 1), (3600.0, 15), (86_400.0, 16)]
)
def test_every_duration_has_a_bucket(seconds: float, place: int) -> None:
    histogram = Histogram()
    histogram.observe(seconds)
    assert histogram.counts[place] == 1
    assert sum(histogram.counts) == 1


def test_a_clock_that_was_set_back_takes_nothing_from_the_sum() -> None:
    histogram = Histogram()
    histogram.observe(2.0)
    histogram.observe(-100.0)
    assert histogram.sum_s == 2.0
