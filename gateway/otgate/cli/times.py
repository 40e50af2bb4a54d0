"""Moments and spans as verbs read and write them; all moments are UTC."""

import time
from argparse import ArgumentTypeError
from datetime import UTC, datetime

from otgate.cli.duration import duration_s

NS = 10**9
BRIEF_S = 10
"""Spans below are told to the tenth."""
STEPS = ((86400, "d"), (3600, "h"), (60, "min"))
"""Spans of at least two of a unit are told in it."""


def moment(ns: int) -> str:
    """Write a moment to the second."""
    return f"{datetime.fromtimestamp(ns // NS, UTC):%Y-%m-%d %H:%M:%SZ}"


def exact(ns: int) -> str:
    """Write a moment to the microsecond."""
    return f"{datetime.fromtimestamp(ns // NS, UTC):%Y-%m-%dT%H:%M:%S}.{ns % NS // 1000:06d}Z"


def lasting(ns: float) -> str:
    """Write a span with one unit."""
    seconds = ns / NS
    for size, unit in STEPS:
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {unit}".replace(".0 ", " ")
    return f"{seconds:.1f} s" if seconds < BRIEF_S else f"{seconds:.0f} s"


def ago(ns: float) -> str:
    """Write how long ago something was."""
    return f"{lasting(max(ns, 0))} ago"


def moment_ns(text: str) -> int:
    """Read a moment, ``2026-11-26T12:00``, UTC where no zone is given, or how long ago: ``2h``.

    Raises:
        ArgumentTypeError: it is neither.
    """
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        try:
            return time.time_ns() - round(duration_s(text) * NS)
        except ArgumentTypeError:
            raise ArgumentTypeError(
                f"{text!r} is no moment: write 2026-11-26T12:00 (UTC), or how long ago: 90s, 2h, 1d"
            ) from None
    zoned = read if read.tzinfo else read.replace(tzinfo=UTC)
    return round(zoned.timestamp() * 10**6) * 1000
