"""The ways out of a field side: a gate and a spool per conduit, swapped while it runs."""

from asyncio import AbstractEventLoop
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from otgate.app.by_point import ByPoint
from otgate.app.catalog import catalog
from otgate.app.delay.clock import Boot, DelayClock, this_boot
from otgate.app.delay.hold import Hold, Terms
from otgate.app.delay.waiting import Exit
from otgate.app.firsts import Firsts
from otgate.app.outlet import Way, Ways
from otgate.config.site import Site
from otgate.driver import planned_types
from otgate.errors import SpoolUnusable
from otgate.model import ValueType
from otgate.policy.decide import delay_of
from otgate.policy.gate import Gate, compile_gates
from otgate.policy.language import Policy
from otgate.spool.catalog import Catalog
from otgate.spool.files import OS, PRIVATE
from otgate.spool.state_file import StateFile
from otgate.spool.writer import Retention, SpoolWriter

log = structlog.get_logger()

DELAY = "delay"
"""The directory of what waits, in the site's state: for the field side's eyes alone."""

Types = Mapping[str, Sequence[ValueType]]
Shut = Callable[[Policy, str], str]
"""Returns why a conduit of a policy is shut, or nothing where it is open."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A site compiled for a swap, for one alone: its gates come to hold what runs."""

    site: Site
    types: Types
    gates: Mapping[str, Gate]
    catalogs: Mapping[str, Catalog]
    """Of gates that are open."""


def readied(site: Site) -> Ready:
    """Compile a site; of what runs nothing is touched, so that a thread may do it."""
    types = types_of(site)
    gates = compile_gates(site.policy, site.devices, types)
    catalogs = {conduit: catalog(site, conduit, gate, types) for conduit, gate in gates.items()}
    for one in catalogs.values():
        one.prepare()
    return Ready(site, types, gates, catalogs)


class Egress:
    """All conduits of a site. What is swapped is swapped between two batches."""

    def __init__(
        self,
        site: Site,
        clock: Callable[[], int],
        shut: Shut,
        loop: AbstractEventLoop | None = None,
        boot: Boot | None = None,
    ) -> None:
        self.site = site
        self._loop = loop
        self.outlet = Ways([], clock)
        self._clock = clock
        self._shut = shut
        self._boot = boot or this_boot()
        self._delayed: DelayClock | None = None
        self._why: dict[str, str] = {}
        self._firsts: Firsts | None = None
        self._by_point: ByPoint | None = None
        self._failure: SpoolUnusable | None = None
        """Why a swap was left half done; nothing is to be trusted to these ways any more."""

    @property
    def ways(self) -> Sequence[Way]:
        """The conduits in the order of the policy."""
        return self.outlet.ways

    def why_shut(self, conduit: str) -> str:
        """Return why nothing crosses ``conduit`` now, or nothing where something may."""
        return self._why.get(conduit, "")

    def show(self, firsts: Firsts) -> None:
        """Let ``firsts`` know from now on of all that comes and crosses."""
        self._firsts = self.outlet.witness = firsts
        firsts.swapped(self.site, self.ways, self.why_shut)

    def count(self, by_point: ByPoint) -> None:
        """Let ``by_point`` count from now on what comes."""
        self._by_point = self.outlet.tally = by_point
        by_point.swapped(self.site, self.ways)

    def swap(self, site: Site | Ready) -> None:
        """Let a site decide from now on: its gates at once, its catalogs in new epochs.

        A conduit that is shut, or that is gone, gets an empty catalog: the bus side recalls by it
        what is still to be sent.

        Raises:
            SpoolUnusable: a spool cannot be written; `shut_or_open` says so from now on, that the
                process ends and is started again.
        """
        try:
            self._swap(site if isinstance(site, Ready) else readied(site))
        except SpoolUnusable as failure:
            self._failure = failure
            raise

    def _swap(self, ready: Ready) -> None:
        site = ready.site
        why = {conduit: self._shut(site.policy, conduit) for conduit in ready.gates}
        running = {way.conduit: way for way in self.outlet.ways}
        ways = [
            self._way(ready, conduit, running.pop(conduit, None), shut=bool(why[conduit]))
            for conduit in ready.gates
        ]
        for way in running.values():
            way.spool.close()
            if way.hold is not None:
                way.hold.remove()
            self._opened(self.site, empty(site, way.conduit)).close()
        self.site, self._why, self.outlet.ways = site, why, ways
        self.outlet.shadow = None  # it numbers points by the maps of before
        if self._firsts is not None:
            self._firsts.swapped(site, ways, self.why_shut)
        if self._by_point is not None:
            self._by_point.swapped(site, ways)

    def _way(self, ready: Ready, conduit: str, way: Way | None, *, shut: bool) -> Way:
        """Return the way to a conduit, which takes the place of ``way``."""
        site, gate = ready.site, ready.gates[conduit]
        if way is not None and gate is way.gate and not shut:
            return way
        held = Gate(gate.conduit) if shut else gate
        known = None if shut else ready.catalogs.get(conduit)
        wanted = known or catalog(site, conduit, held, ready.types)
        spool = self._spool(site, way, wanted)
        hold = self._hold(site, way, Exit(site.spool.directory / conduit, spool, wanted))
        made = Way(conduit, held, spool, wanted.hash, hold)
        if way is not None:
            made.append(held.inherit(way.gate))
        return made

    def shut_or_open(self, ready: Ready | None = None) -> bool:
        """Swap where a conduit is to be shut or opened; tell whether one was.

        A conduit is shut at once. To open one the site is compiled, which ``ready`` spares.

        Raises:
            SpoolUnusable: a spool cannot be written.
        """
        if self._failure is not None:
            raise self._failure
        policy = self.site.policy
        before, now = self._why, {one: self._shut(policy, one) for one in self._why}
        if now == before:
            return False
        opens = any(why and not now[conduit] for conduit, why in before.items())
        self.swap((ready or self.site) if opens else self._running())
        for conduit, why in self._why.items():
            if why != before.get(conduit):
                log.warning("conduit_shut" if why else "conduit_open", conduit=conduit, why=why)
        return True

    def _running(self) -> Ready:
        """Return what runs, for a swap that opens nothing."""
        return Ready(self.site, {}, {way.conduit: way.gate for way in self.ways}, {})

    def close(self) -> None:
        """Close every spool; what waits is kept."""
        for way in self.outlet.ways:
            if way.hold is not None:
                way.hold.close()
            way.spool.close()
        self.outlet.ways = []
        if self._delayed is not None:
            self._delayed.keep()

    def relieve(self) -> None:
        """Take away what held samples back, where a delay is over and nothing waits any more."""
        for way in self.outlet.ways:
            if way.hold is not None and way.hold.is_over:
                direct = replace(way, hold=None)
                self.outlet.ways = [direct if each is way else each for each in self.outlet.ways]
                way.hold.remove()

    def _hold(self, site: Site, way: Way | None, exit_: Exit) -> Hold | None:
        """Return what holds the samples of a conduit back: by a delay, or until it is emptied."""
        conduit = exit_.catalog.conduit
        delay_s = delay_of(site.policy, site.policy.conduits[conduit]).seconds
        terms = Terms(delay_s, exit_, retention(site))
        if way is not None and way.hold is not None:
            way.hold.agree(terms)
            return way.hold
        directory = site.state_directory / DELAY / conduit
        if not delay_s and not Hold.is_left(directory):
            return None
        return Hold(conduit, directory, self._delay_clock(site), terms, self._loop)

    def _delay_clock(self, site: Site) -> DelayClock:
        if self._delayed is None:
            OS.mkdir(site.state_directory)  # which is not private
            file = StateFile(site.state_directory / DELAY / "clock.json", PRIVATE)
            self._delayed = DelayClock(file, self._clock, self._boot)
        return self._delayed

    def _spool(self, site: Site, way: Way | None, wanted: Catalog) -> SpoolWriter:
        """Return the writer that goes on where the catalog is the same, else one in a new epoch."""
        if way is None:
            return self._opened(site, wanted)
        if wanted.hash == way.catalog_hash and site.spool == self.site.spool:
            return way.spool
        way.spool.close()
        return self._opened(site, wanted)

    def _opened(self, site: Site, wanted: Catalog) -> SpoolWriter:
        directory = site.spool.directory / wanted.conduit
        writer = SpoolWriter.open(directory, wanted, retention(site), clock=self._clock)
        if self._loop is not None:
            writer.gather_on(self._loop)
        return writer


def retention(site: Site) -> Retention:
    """Return what every spool of ``site`` keeps at most."""
    place = site.spool
    return Retention(
        size_bytes=place.size_mb * 1_000_000,
        age_ns=int(place.age_h * 3600e9),
        reserve_bytes=place.reserve_mb * 1_000_000,
    )


def types_of(site: Site) -> Types:
    """Return the value type of every point, by device id."""
    return {device.id: planned_types(device, site.plans[device.id]) for device in site.devices}


def empty(site: Site, conduit: str) -> Catalog:
    """Return a catalog of nothing."""
    return Catalog(
        site=site.id,
        site_name=site.name,
        gateway=site.gateway,
        conduit=conduit,
        policy_hash=site.policy_hash,
        map_hash=site.map_hash,
        devices=(),
    )
