import math

import pytest

from otgate.histogram import Histogram
from otgate.observe.exposition import Kind, Metric, exposed, number
from otgate.observe.metrics import BUS, FIELD
from prometheus import parsed

PLAIN = Metric("things", Kind.GAUGE, "How many\\there are.\nNow.")
LABELLED = Metric("done_total", Kind.COUNTER, "What was done.", ("who", "what"))
TIMED = Metric("took_seconds", Kind.HISTOGRAM, "How long it took.", ("who",))
UNITS = (
    "_bytes",
    "_seconds",
    "_total",
    "_info",
    "_fds",
    "_messages",
    "_points",
    "_segments",
    "_samples",
)
BARE = {
    "otgate_healthy", "otgate_clock_synchronised", "otgate_clock_doubted",
    "otgate_devices", "otgate_device_state",
    "otgate_conduit_open", "otgate_spool_failing", "otgate_broker_connected",
    "otgate_broker_attempts", "otgate_spool_readable", "otgate_cursor_saved",
    "otgate_audit_failing", "otgate_field_side_alive", "otgate_field_devices",
}  # fmt: skip
"""States and counts of things: they have no unit to be named by."""


def test_a_metric_is_told_with_its_help_and_kind() -> None:
    assert list(exposed([(PLAIN, (), 3)])) == [
        "# HELP things How many\\\\there are.\\nNow.\n",
        "# TYPE things gauge\n",
        "things 3\n",
    ]


def test_series_of_one_metric_stand_together_however_they_come() -> None:
    found = [
        (LABELLED, ("a", "x"), 1),
        (PLAIN, (), 2.5),
        (LABELLED, ("b", 'say "hi"\\\n'), 7),
    ]
    told = parsed("".join(exposed(found)))
    assert told["done_total"].value(who="a") == 1
    assert told["done_total"].value(who="b", what='say "hi"\\\n') == 7
    assert told["things"].value() == 2.5


def test_buckets_of_a_histogram_count_all_below_their_end() -> None:
    histogram = Histogram()
    for seconds in (0.0005, 0.002, 0.002, 90_000.0):
        histogram.observe(seconds)
    told = parsed("".join(exposed([(TIMED, ("me",), histogram)])))["took_seconds"]
    counts = {dict(at).get("le"): told.series[part, at] for part, at in told.series}
    assert (counts["0.001"], counts["0.0025"], counts["3600"], counts["+Inf"]) == (1, 3, 3, 4)


@pytest.mark.parametrize(
    ("value", "text"),
    [(3, "3"), (True, "1"), (2.0, "2"), (0.1, "0.1"), (math.inf, "+Inf"), (-math.inf, "-Inf"),
     (math.nan, "NaN"), (1e300, "1e+300"), (10**30, "1" + "0" * 30)],
)  # fmt: skip
def test_numbers_are_spelled_as_scrapers_read_them(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize("metric", dict.fromkeys([*FIELD, *BUS]), ids=lambda metric: metric.name)
def test_metrics_are_named_as_prometheus_wants(metric: Metric) -> None:
    assert metric.name.startswith(("otgate_", "process_"))
    assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
    assert metric.name.endswith(UNITS) or metric.name in BARE
    assert metric.kind is not Kind.HISTOGRAM or metric.name.endswith("_seconds")
    assert "le" not in metric.labels


def test_no_metric_has_a_point_for_a_label_and_the_bus_side_names_no_device() -> None:
    assert "point" not in {label for metric in (*FIELD, *BUS) for label in metric.labels}
    assert "device" not in {label for metric in BUS for label in metric.labels}


@pytest.mark.parametrize("metrics", [FIELD, BUS])
def test_a_side_declares_each_name_once(metrics: tuple[Metric, ...]) -> None:
    names = [metric.name for metric in metrics]
    assert len(set(names)) == len(names)
