"""Times of outstations: in UTC, in local time, and those that mean nothing."""

from datetime import UTC, datetime

import numpy as np

from otgate.quality import names
from otgate_dnp3.stack.points import TimeQuality
from otgate_dnp3.times import SourceTimes

RECEIVED_NS = 1_800_000_000_000_000_000
GIVEN = TimeQuality.GIVEN


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def read(zone: str, *stamps: int, known: TimeQuality = GIVEN) -> list[tuple[int, tuple[str, ...]]]:
    quality = np.zeros(len(stamps), np.uint32)
    times = SourceTimes(zone).read(stamps, RECEIVED_NS, quality, known)
    return [(at, names(word)) for at, word in zip(times.tolist(), quality.tolist(), strict=True)]


def test_a_stamp_is_utc_to_the_millisecond() -> None:
    assert read("", ms("2026-07-01T12:00:00.123")) == [
        (ms("2026-07-01T12:00:00.123") * 1_000_000, ("good",))
    ]


def test_an_unsynchronised_common_time_says_so() -> None:
    assert read("", ms("2026-07-01"), known=TimeQuality.UNSYNCHRONISED)[0][1] == (
        "good",
        "clock_unsynchronised",
    )


def test_local_time_is_read_by_its_zone_in_summer_and_in_winter() -> None:
    stamps = ms("2026-07-01T14:00:00.005"), ms("2026-01-01T13:00:00.005")
    assert read("Europe/Berlin", *stamps) == [
        (ms("2026-07-01T12:00:00.005") * 1_000_000, ("good",)),
        (ms("2026-01-01T12:00:00.005") * 1_000_000, ("good",)),
    ]


def test_the_hour_that_comes_twice_is_questionable_and_those_beside_it_are_not() -> None:
    stamps = [ms(f"2026-10-25T{text}") for text in ("01:59:59", "02:00:00", "02:59:59", "03:00:00")]
    told = [quality for _, quality in read("Europe/Berlin", *stamps)]
    twice = ("questionable", "clock_unsynchronised")
    assert told == [("good",), twice, twice, ("good",)]


def test_the_hour_that_never_was_is_questionable() -> None:
    assert read("Europe/Berlin", ms("2026-03-29T02:30:00"))[0][1][0] == "questionable"


def test_a_stamp_that_means_nothing_is_replaced_and_said() -> None:
    for zone in ("", "Europe/Berlin"):
        for stamp in (0, 2**48 - 1):
            assert read(zone, stamp) == [(RECEIVED_NS, ("good", "source_time_unknown"))]
