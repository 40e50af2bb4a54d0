"""One point at each place on its way: read at the device, in the spools, at a broker."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from otgate.config.site import Site
from otgate.driver import Driver, planned_types
from otgate.live.agreement import ABSENT, Findings, Seen, Way
from otgate.live.reading import look
from otgate.model import Device, Point, ValueType
from otgate.observe.control import ask
from otgate.policy.decide import Verdict, decide
from otgate.policy.language import UnderTest
from otgate.publish.payload import Samples
from otgate.publish.subscribe import Joined, Received
from otgate.quality import names
from otgate.spool.tail import Spooled, Tail

ARRIVAL_S = 3.0
"""How long a refreshed value may take to the broker."""
LONGEST_HOLD_S = 65.0
"""How long a `min_interval_s` of the policy is waited for besides."""
LOOK_S = 0.05


class Arrivals:
    """The newest sample of each point that came from one gateway; see `subscribe.Sink`."""

    def __init__(self, site: str, gateway: str) -> None:
        self.standing = asyncio.Event()
        self.trouble = ""
        self._of = (site, gateway)
        self._seen: dict[tuple[str, str], tuple[Seen, int]] = {}

    def connected(self, joined: Joined) -> None:  # noqa: ARG002  one of a sink's
        """Take note that samples come from now on."""
        self.standing.set()

    def lost(self, reason: str) -> None:
        """Take note why none come."""
        self.trouble = reason

    def malformed(self, topic: str, reason: str) -> None:
        """Leave it: `otgate verify` is about that."""

    def received(self, received: Received) -> None:
        """Take samples."""
        payload = received.payload
        if not isinstance(payload, Samples) or (payload.site, payload.gateway) != self._of:
            return
        for sample in payload.points:
            path = f"{payload.device}/{sample.id}"
            seen = Seen(sample.v, sample.q)
            self._seen[payload.conduit, path] = seen, payload.spooled_us

    def since(self, conduit: str, path: str, from_ns: int) -> Seen:
        """Return what came of a point that was spooled after ``from_ns``."""
        seen, spooled_us = self._seen.get((conduit, path), (ABSENT, 0))
        return seen if spooled_us * 1000 >= from_ns else ABSENT


@dataclass(slots=True)
class Hops:
    """Looks at points of a running gateway."""

    site: Site
    drivers: Mapping[str, Driver]
    socket: Path
    arrivals: Arrivals
    tails: dict[str, Tail] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for conduit in self.site.policy.conduits:
            self.tails[conduit] = Tail(self.site.spool.directory / conduit)

    def close(self) -> None:
        """Give files back."""
        for tail in self.tails.values():
            tail.close()

    async def look(self, device: Device, point: Point) -> Findings:
        """Read a point at the device, have the gateway pass on what it knows, and follow that.

        Raises:
            Refused: no gateway runs on the site.
        """
        from_ns = time.time_ns()
        alone = replace(device, points=(point,))
        seen = await look(alone, self.drivers[device.driver])
        value = seen.values[0] if seen.values else None
        there = value is not None and value.readable
        told = names(value.quality) if value is not None else ()
        under_test = await self._refreshed(device)
        number = list(device.points).index(point)
        types = planned_types(device, self.site.plans[device.id])
        ways = await self._ways(device, point, types[number], from_ns, under_test=under_test)
        at_device = Seen(value.value if value is not None and there else None, told)
        return Findings(point, at_device, seen.failure, ways)

    async def _refreshed(self, device: Device) -> bool:
        """Ask for all that is known of a device; return whether it is under maintenance."""
        await asyncio.to_thread(ask, self.socket, "refresh", device=device.id)
        status = await asyncio.to_thread(ask, self.socket, "status")
        told = status.get("maintenance", {}).get(device.id, {})
        return bool(told.get("maintenance"))

    async def _ways(
        self, device: Device, point: Point, of: ValueType, from_ns: int, *, under_test: bool
    ) -> tuple[Way, ...]:
        path = f"{device.id}/{point.id}"
        verdicts = [
            decide(self.site.policy, conduit, device, point, of)
            for conduit in self.site.policy.conduits.values()
        ]
        ways = [way_of(verdict, under_test=under_test) for verdict in verdicts]
        held_s = max((one.restriction.min_interval_s for one in verdicts if one.crosses), default=0)
        until_s = time.monotonic() + ARRIVAL_S + min(held_s, LONGEST_HOLD_S)
        while True:
            found = tuple(self._followed(way, path, from_ns) for way in ways)
            complete = all(way.broker.there for way in found if not way.barred)
            # of what may not be seen nothing must come either, for as long as other things take
            if (complete and any(not way.barred for way in found)) or time.monotonic() > until_s:
                return found
            await asyncio.sleep(LOOK_S)

    def _followed(self, way: Way, path: str, from_ns: int) -> Way:
        tail = self.tails[way.conduit]
        tail.read()
        spooled = tail.newest.get(path)
        return replace(
            way,
            spool=in_spool(spooled, from_ns),
            broker=self.arrivals.since(way.conduit, path, from_ns),
        )


def in_spool(spooled: Spooled | None, from_ns: int) -> Seen:
    """Return what a spool has of a point since ``from_ns``."""
    if spooled is None or spooled.spooled_ns < from_ns:
        return ABSENT
    return Seen(spooled.value, names(spooled.quality))


def way_of(verdict: Verdict, *, under_test: bool) -> Way:
    """Return what has to become of a point on a conduit."""
    conduit = verdict.conduit
    barred = "" if verdict.crosses else f"the policy says {verdict.reason}"
    if not barred and under_test and conduit.test is UnderTest.DROP:
        barred = "the device is under maintenance"
    if not barred and verdict.restriction.delay_s:
        barred = f"held back for {verdict.restriction.delay_s:g} s"
    return Way(conduit.id, barred, step=verdict.restriction.quantize)
