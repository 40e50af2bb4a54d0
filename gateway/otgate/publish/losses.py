"""Samples that a spool has lost: each span is logged once, however often it is sent again."""

import structlog

from otgate.spool.epoch import epoch_text
from otgate.spool.items import Gap, GapReason

SPOOL = frozenset({GapReason.DROPPED, GapReason.REMOVED, GapReason.DAMAGED})
"""Reasons that a spool has. What is recalled or refused is told of elsewhere, and often."""

REMEMBERED = 1000

log = structlog.get_logger()


class Losses:
    """The newest spans that were logged; they come in any order, and again after a reconnect."""

    def __init__(self) -> None:
        self._logged: dict[tuple[str, int, int, int], None] = {}

    def note(self, gap: Gap) -> None:
        """Log a gap of the spool, unless it was logged."""
        span = (gap.lane, gap.epoch, gap.seq, gap.count)
        if gap.reason not in SPOOL or span in self._logged:
            return
        self._logged[span] = None
        if len(self._logged) > REMEMBERED:
            del self._logged[next(iter(self._logged))]
        log.warning(
            "samples_lost",
            lane=str(gap.lane),
            epoch=epoch_text(gap.epoch),
            first_seq=gap.seq,
            count=gap.count,
            from_ns=gap.from_ns,
            to_ns=gap.to_ns,
            reason=str(gap.reason),
        )
