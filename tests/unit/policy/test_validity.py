from dataclasses import replace
from datetime import UTC, datetime

import pytest

from otgate.policy.validity import ends_ns, is_expired, warning_due
from policies import allow, policy

HELD = replace(policy(allow()), valid_until="2027-11-30")


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2027-08-01", None),
        ("2027-09-02", 90),
        ("2027-10-31", 90),
        ("2027-11-01", 30),
        ("2027-11-24", 7),
        ("2027-11-30T23:59:59", 7),
        ("2027-12-01", 0),
        ("2099-01-01", 0),
    ],
)
def test_people_are_warned_90_30_and_7_days_ahead(now: str, due: int | None) -> None:
    assert warning_due(HELD, at(now)) == due


def test_a_policy_holds_through_its_last_day_in_utc() -> None:
    end = at("2027-12-01")
    assert not is_expired(HELD, end - 1)
    assert is_expired(HELD, end)
    assert (warning_due(HELD, end - 1), warning_due(HELD, end)) == (7, 0)


def test_a_policy_without_an_end_holds_for_ever() -> None:
    forever = policy(allow())
    assert (ends_ns(forever), warning_due(forever, at("2999-01-01"))) == (None, None)
    assert not is_expired(forever, at("2999-01-01"))
