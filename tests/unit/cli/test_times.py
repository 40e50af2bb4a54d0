"""Moments and spans as verbs read and write them."""

import time
from argparse import ArgumentTypeError

import pytest

from otgate.cli.times import ago, exact, lasting, moment, moment_ns

S = 10**9


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0.0 s"),
        (0.26, "0.3 s"),
        (9.96, "10.0 s"),
        (12, "12 s"),
        (119, "119 s"),
        (120, "2 min"),
        (5400, "90 min"),
        (7200, "2 h"),
        (9000, "2.5 h"),
        (172_800, "2 d"),
        (86400 * 1234.5, "1,234.5 d"),
    ],
)
def test_a_span_has_one_unit(seconds: float, told: str) -> None:
    assert lasting(seconds * S) == told


def test_what_is_yet_to_come_was_just_now() -> None:
    assert ago(-5 * S) == "0.0 s ago"


def test_moments_are_utc() -> None:
    ns = 1_763_765_412_000_001_999
    assert moment(ns) == "2025-11-21 22:50:12Z"
    assert exact(ns) == "2025-11-21T22:50:12.000001Z"


@pytest.mark.parametrize(
    "text",
    [
        "2025-11-21T22:50:12Z",
        "2025-11-21T22:50:12",
        "2025-11-21 22:50:12+00:00",
        "2025-11-21T23:50:12+01:00",
    ],
)
def test_a_moment_without_a_zone_is_utc(text: str) -> None:
    assert moment_ns(text) == 1_763_765_412 * S


def test_a_microsecond_is_kept() -> None:
    assert moment_ns("2025-11-21T22:50:12.000001Z") == 1_763_765_412 * S + 1000


def test_a_span_is_how_long_ago() -> None:
    assert moment_ns("2h") == pytest.approx(time.time_ns() - 7200 * S, abs=60 * S)


@pytest.mark.parametrize("text", ["", "yesterday", "2025-13-01", "-2h", "0s"])
def test_anything_else_is_no_moment(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="is no moment"):
        moment_ns(text)
