"""Dates in four registers: year, month and day, hour and minute, milliseconds of the minute.

The layout is that of the binary time of IEC 60870-5, as Schneider Electric's manuals print it under
TI081 (IM400N user manual, "Date and time format"); Siemens has the same registers the other way
round, which is an order.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from otgate.quality import Quality

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DOUBTFUL = Quality.QUESTIONABLE | Quality.CLOCK_UNSYNCHRONISED
"""The device says so itself, or the hour comes twice or never was in its time zone."""

SUMMER, UNSYNCHRONISED = 0x8000, 0x0080
"""Bits of the register with hour and minute."""


def zone_of(name: str) -> tzinfo:
    """Return the zone in which a device stamps; UTC where none is named."""
    return ZoneInfo(name) if name and name.upper() != "UTC" else UTC


def milliseconds(words: Sequence[int], zone: tzinfo) -> tuple[int, Quality]:
    """Return a date as milliseconds since 1970, and whether it is in doubt.

    Raises:
        ValueError: it is no date.
    """
    year, days, hours, ms = words
    local = datetime(
        2000 + (year & 0x7F),
        days >> 8 & 0x0F,
        days & 0x1F,
        hours >> 8 & 0x1F,
        hours & 0x3F,
        ms // 1000,
        ms % 1000 * 1000,
        tzinfo=zone,
    )
    doubtful = bool(hours & UNSYNCHRONISED) or not certain(local, summer=bool(hours & SUMMER))
    since = local.astimezone(UTC) - EPOCH
    return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000, (
        DOUBTFUL if doubtful else Quality.GOOD
    )


def certain(local: datetime, *, summer: bool) -> bool:
    """Say whether a local time is one moment: the first of two, where it says summer time."""
    first, second = local.utcoffset(), local.replace(fold=1).utcoffset()
    return first == second or (summer and first is not None and first > (second or first))
