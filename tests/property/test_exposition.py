"""Whatever stands in labels and numbers, another reader of the format finds the same."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from otgate.histogram import Histogram
from otgate.observe.exposition import Found, Kind, Metric, exposed
from prometheus import parsed

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PLAIN = Metric("a_total", Kind.COUNTER, "A.", ("one", "two"))


@settings(max_examples=40)
@given(st.dictionaries(st.tuples(texts, texts), st.floats() | st.integers(-(2**70), 2**70)))
def test_labels_and_numbers_come_through(values: dict[tuple[str, str], float]) -> None:
    found: list[Found] = [(PLAIN, labels, value) for labels, value in values.items()]
    if not found:
        return
    told = parsed("".join(exposed(found)))["a_total"]
    for (one, two), value in values.items():
        read = told.series["a_total", frozenset({("one", one), ("two", two)})]
        assert read == float(value) or (math.isnan(read) and math.isnan(value))


@settings(max_examples=40)
@given(texts)
def test_help_comes_through(text: str) -> None:
    metric = Metric("a", Kind.GAUGE, text)
    assert parsed("".join(exposed([(metric, (), 1)])))["a"].help == text


@settings(max_examples=40)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32)))
def test_a_histogram_holds_every_duration_once(durations: list[float]) -> None:
    histogram = Histogram()
    for seconds in durations:
        histogram.observe(seconds)
    told = parsed("".join(exposed([(Metric("a_seconds", Kind.HISTOGRAM, "A."), (), histogram)])))
    assert told["a_seconds"].series["a_seconds_count", frozenset()] == len(durations)
