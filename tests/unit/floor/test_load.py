"""What a link's polls ask of it, and which scans cannot keep their period."""

import math

import pytest

from otgate.load import LinkLoad, ScanLoad, percent, seconds


def scan(
    name: str, period_s: float, busy_s: float, limit_s: float = math.inf, device: str = "f1"
) -> ScanLoad:
    return ScanLoad(device, name, period_s, busy_s, limit_s)


def late(*scans: ScanLoad) -> dict[str, str]:
    return {each.scan.name: each.code for each in LinkLoad(scans).late()}


def test_a_link_is_busy_with_all_scans_of_all_devices() -> None:
    load = LinkLoad([scan("a", 1, 0.1), scan("b", 10, 1), scan("a", 1, 0.05, device="f2")])
    assert load.share == pytest.approx(0.25)
    assert load.devices == ["f1", "f2"]


def test_scans_that_fit_are_not_late() -> None:
    assert late(scan("fast", 0.5, 0.1), scan("slow", 60, 0.4)) == {}


def test_a_poll_longer_than_its_period_is_too_long() -> None:
    found = [each.code for each in LinkLoad([scan("a", 1, 1.01), scan("b", 1, 0.1)]).late()]
    assert found == ["scan-too-long"]


def test_a_poll_longer_than_it_may_take_is_too_long() -> None:
    assert late(scan("a", 10, 1.2, limit_s=1)) == {"f1/a": "scan-too-long"}


def test_a_long_poll_makes_a_short_period_late() -> None:
    assert late(scan("fast", 0.5, 0.1), scan("slow", 60, 0.41)) == {"f1/fast": "scan-too-fast"}


def test_another_device_of_the_link_counts_too() -> None:
    other = scan("slow", 60, 0.41, device="f2")
    assert late(scan("fast", 0.5, 0.1), other) == {"f1/fast": "scan-too-fast"}


def test_an_overload_is_laid_to_the_scan_that_asks_most() -> None:
    scans = [scan("a", 1, 0.4), scan("b", 1, 0.3, device="f2"), scan("c", 1, 0.35, device="f3")]
    assert late(*scans) == {"f1/a": "link-overloaded"}


@pytest.mark.parametrize(
    ("duration_s", "text"),
    [(0.00175, "1.75 ms"), (0.0416, "41.6 ms"), (0.9994, "999 ms"), (1.2, "1.2 s"), (75, "75 s")],
)
def test_durations_are_written_to_three_digits(duration_s: float, text: str) -> None:
    assert seconds(duration_s) == text


def test_shares_are_written_in_percent() -> None:
    assert [percent(share) for share in (0.0341, 1.1, 0)] == ["3.41 %", "110 %", "0 %"]
