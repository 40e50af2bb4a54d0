"""What a field side tells its audit log at the end of each day: what crossed and what did not."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, NoReturn

from otgate.app.by_point import ByPoint
from otgate.app.egress import Egress
from otgate.app.outlet import Way
from otgate.observe.audit.log import Audit

DAY_S = 86_400.0


async def counting(egress: Egress, by_point: ByPoint, audit: Audit) -> NoReturn:
    """Record for ever, at the end of each day in UTC, what crossed and what did not."""
    while True:
        await asyncio.sleep(DAY_S - time.time() % DAY_S)
        count(egress, by_point, audit)


def count(egress: Egress, by_point: ByPoint, audit: Audit) -> None:
    """Record what crossed each conduit and what did not, since the side started, and by point."""
    for way in egress.ways:
        audit.hear("counts", counts(way))
    by_point.tell()


def counts(way: Way) -> Mapping[str, Any]:
    """Count the samples of one conduit; those that are in a spool since its epoch began."""
    gate, spool = way.gate, way.spool.status()
    return {
        "conduit": way.conduit,
        "epoch": spool.epoch,
        "crossed": {str(lane): number for lane, number in spool.samples.items()},
        "dropped": {str(lane): number for lane, number in spool.dropped.items()},
        "denied": gate.withheld,
        "suppressed": gate.suppressed,
        "under_test": gate.under_test,
    }
