"""What a reader hands out: frames of samples, gaps, epochs and liveness."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from otgate.model import Batch, Lane
from otgate.spool.catalog import Catalog


class GapReason(StrEnum):
    """Why samples that have sequence numbers cannot be read."""

    DROPPED = "dropped"
    """The writer had no room for them."""
    REMOVED = "removed"
    """Retention removed their segments before they were read."""
    DAMAGED = "damaged"
    """Their frames are unreadable, or a power cut took them."""
    REFUSED = "refused"
    """The broker did not take them, though it took others; never written into a spool."""
    RECALLED = "recalled"
    """The newest catalog no longer has their points; never written into a spool."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One batch as it was spooled. Its n-th sample has sequence number ``seq + n``.

    ``batch.index`` counts into ``catalog.ids``; its columns are read-only.
    """

    lane: Lane
    epoch: int
    seq: int
    catalog: Catalog = field(repr=False)
    batch: Batch
    spooled_ns: int


@dataclass(frozen=True, slots=True)
class Gap:
    """``count`` samples from ``seq`` on that exist nowhere any more.

    Where retention removed whole epochs unread, their samples are counted in the epoch that the
    reader stood in (0 for a reader that never stood in one), beyond its end.
    """

    lane: Lane
    epoch: int
    seq: int
    count: int
    from_ns: int
    to_ns: int
    reason: GapReason
    at_least: bool = False
    """Whether more may have been lost: a kill met a disk that took no frames."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """What follows belongs to ``epoch``. First after every open and rewind."""

    lane: Lane
    epoch: int
    previous_epoch: int
    """0 where there was none."""
    previous_end: int
    """One above the last sample of ``previous_epoch`` that its successor recovered."""
    samples_before: int
    """Samples in all earlier epochs, of this lane."""
    catalog: Catalog = field(repr=False)


@dataclass(frozen=True, slots=True)
class Passed:
    """Samples that are acknowledged already, for who follows values and not numbers."""

    frame: Frame


Item = Frame | Gap | Epoch | Passed


ANCHOR = "@audit"
"""Stands among the states of a sign of life for `Live.anchor`; no device has such an id."""


@dataclass(frozen=True, slots=True)
class Live:
    """The field side was alive at ``time_ns`` and knew ``states`` of its devices."""

    epoch: int
    time_ns: int
    states: Mapping[str, str]
    anchor: str = ""
    """Hash of a checkpoint of its audit log, where it shows one."""
