"""Until when a policy holds: through the last moment, in UTC, of the day that it names."""

from datetime import UTC, datetime, timedelta

from otgate.policy.language import Policy

DAY_NS = 86_400 * 1_000_000_000
WARNED_DAYS = (7, 30, 90)
"""Days ahead of its end at which a policy's owners are warned."""


def ends_ns(policy: Policy) -> int | None:
    """Return the first moment at which it holds no more, ns since the epoch; None: never."""
    if not policy.valid_until:
        return None
    day = datetime.fromisoformat(policy.valid_until).replace(tzinfo=UTC) + timedelta(days=1)
    return round(day.timestamp()) * 1_000_000_000


def is_expired(policy: Policy, now_ns: int) -> bool:
    """Tell whether nothing may cross any more."""
    ends = ends_ns(policy)
    return ends is not None and now_ns >= ends


def warning_due(policy: Policy, now_ns: int) -> int | None:
    """Return the number of days within which it ends, as people are warned of them; 0: ended."""
    ends = ends_ns(policy)
    if ends is None:
        return None
    left_ns = ends - now_ns
    if left_ns <= 0:
        return 0
    return next((days for days in WARNED_DAYS if left_ns <= days * DAY_NS), None)
