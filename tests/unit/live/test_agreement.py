"""What speaks against passing a point."""

from typing import Any

import pytest

from otgate.live.agreement import ABSENT, Findings, Seen, Way, alike, doubts, matches, spelled
from otgate.model import Kind
from simulated import point

GOOD = ("good",)
IA = point("ia", unit="A")
CB = point("cb", kind=Kind.STATUS, states={1: "open", 2: "closed"})


def way(spool: Any, broker: Any, **cells: Any) -> Way:
    return Way("analytics", spool=Seen(spool, GOOD), broker=Seen(broker, GOOD), **cells)


def said(device: Any, *ways: Way, expected: str = "") -> list[str]:
    return list(doubts(Findings(IA, Seen(device, GOOD), ways=ways), expected, 0.02))


def test_what_agrees_everywhere_has_none() -> None:
    assert said(412.3, way(412.0, 412.1), expected="410") == []
    assert said(412.3, way(412.5, 412.5, step=0.5), Way("other", barred="denied")) == []


def test_what_differs_is_said_with_its_place() -> None:
    assert said(412.3, way(300.0, 412.1)) == ["analytics: in the spool it is 300 A"]
    assert said(412.3, expected="600") == ["the device says 412.3 A, expected 600"]
    assert said(412.3, Way("analytics", spool=Seen(412.3, GOOD))) == [
        "analytics: not seen at the broker"
    ]


def test_what_must_not_be_seen_must_not_be() -> None:
    leak = Way("analytics", barred="the policy says denied", broker=Seen(412.3, GOOD))
    assert said(412.3, leak) == [
        "analytics: it is at the broker, and must not be: the policy says denied"
    ]


def test_what_is_invalid_on_its_way_is_no_agreement() -> None:
    lost = Seen(412.3, ("invalid", "comm_lost"))
    assert said(412.3, Way("a", spool=Seen(412.3, GOOD), broker=lost)) == [
        "a: at the broker it is invalid, comm lost"
    ]


def test_a_device_without_a_value_passes_nothing() -> None:
    silent = Findings(IA, ABSENT, "nobody answers")
    assert list(doubts(silent, "", 0.02)) == ["the device gives no value: nobody answers"]
    refused = Findings(IA, Seen(None, ("invalid", "illegal_address")))
    assert list(doubts(refused, "", 0.02)) == ["the device gives no value: illegal_address"]


@pytest.mark.parametrize(
    ("expected", "value", "wanted"),
    [
        ("closed", 2, True),
        ("Closed", 2, True),
        ("2", 2, True),
        ("open", 2, False),
        ("on", True, True),
        ("off", True, False),
        ("1", True, True),
        ("412", 412.3, True),
        ("4l2", 412.3, False),
        ("P1 V2", "P1 V2", True),
    ],
)
def test_what_is_typed_is_a_number_a_state_or_a_text(
    expected: str, value: Any, *, wanted: bool
) -> None:
    assert matches(CB, expected, value, 0.02) is wanted


def test_large_integers_that_travel_as_texts_are_the_same() -> None:
    assert alike(2**60, str(2**60), 0.0)
    assert alike(str(2**60), 2**60, 0.0)
    assert not alike("text", 1, 0.5)


def test_a_value_is_spelled_for_a_person() -> None:
    assert spelled(CB, 2) == "2 (closed)"
    assert spelled(IA, 412.30000001) == "412.3 A"
