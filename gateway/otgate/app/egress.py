"""The ways out of a field side: a gate and a spool per conduit, swapped while it runs."""

from asyncio import AbstractEventLoop
from collections.abc import Callable, Mapping, Sequence

import structlog

from otgate.app.catalog import catalog
from otgate.app.outlet import Way, Ways
from otgate.config.site import Site
from otgate.driver import planned_types
from otgate.errors import SpoolUnusable
from otgate.model import ValueType
from otgate.policy.gate import Gate, compile_gates
from otgate.policy.language import Policy
from otgate.spool.catalog import Catalog
from otgate.spool.writer import Retention, SpoolWriter

log = structlog.get_logger()

Types = Mapping[str, Sequence[ValueType]]
Shut = Callable[[Policy, str], str]
"""Returns why a conduit of a policy is shut, or nothing where it is open."""


class Egress:
    """All conduits of a site. What is swapped is swapped between two batches."""

    def __init__(
        self,
        site: Site,
        clock: Callable[[], int],
        shut: Shut,
        loop: AbstractEventLoop | None = None,
    ) -> None:
        self.site = site
        self._loop = loop
        self.outlet = Ways([], clock)
        self._clock = clock
        self._shut = shut
        self._why: dict[str, str] = {}
        self._failure: SpoolUnusable | None = None
        """Why a swap was left half done; nothing is to be trusted to these ways any more."""

    @property
    def ways(self) -> Sequence[Way]:
        """The conduits in the order of the policy."""
        return self.outlet.ways

    def why_shut(self, conduit: str) -> str:
        """Return why nothing crosses ``conduit`` now, or nothing where something may."""
        return self._why.get(conduit, "")

    def swap(self, site: Site) -> None:
        """Let ``site`` decide from now on: its gates at once, its catalogs in new epochs.

        A conduit that is shut, or that is gone, gets an empty catalog: the bus side recalls by it
        what is still to be sent.

        Raises:
            SpoolUnusable: a spool cannot be written; `shut_or_open` says so from now on, that the
                process ends and is started again.
        """
        try:
            self._swap(site)
        except SpoolUnusable as failure:
            self._failure = failure
            raise

    def _swap(self, site: Site) -> None:
        types = types_of(site)
        gates = compile_gates(site.policy, site.devices, types)
        why = {conduit: self._shut(site.policy, conduit) for conduit in gates}
        running = {way.conduit: way for way in self.outlet.ways}
        ways = []
        for conduit, gate in gates.items():
            held = Gate(gate.conduit) if why[conduit] else gate
            way = running.pop(conduit, None)
            wanted = catalog(site, conduit, held, types)
            ways.append(Way(conduit, held, self._spool(site, way, wanted), wanted.hash))
            if way is not None:
                ways[-1].append(held.inherit(way.gate))
        for way in running.values():
            way.spool.close()
            self._opened(self.site, empty(site, way.conduit)).close()
        self.site, self._why, self.outlet.ways = site, why, ways
        self.outlet.shadow = None  # it numbers points by the maps of before

    def shut_or_open(self) -> bool:
        """Swap where a conduit is to be shut or opened; tell whether one was.

        Raises:
            SpoolUnusable: a spool cannot be written.
        """
        if self._failure is not None:
            raise self._failure
        policy = self.site.policy
        if all(self._shut(policy, conduit) == why for conduit, why in self._why.items()):
            return False
        before = self._why
        self.swap(self.site)
        for conduit, why in self._why.items():
            if why != before.get(conduit):
                log.warning("conduit_shut" if why else "conduit_open", conduit=conduit, why=why)
        return True

    def close(self) -> None:
        """Close every spool."""
        for way in self.outlet.ways:
            way.spool.close()
        self.outlet.ways = []

    def _spool(self, site: Site, way: Way | None, wanted: Catalog) -> SpoolWriter:
        """Return the writer that goes on where the catalog is the same, else one in a new epoch."""
        if way is None:
            return self._opened(site, wanted)
        if wanted.hash == way.catalog_hash and site.spool == self.site.spool:
            return way.spool
        way.spool.close()
        return self._opened(site, wanted)

    def _opened(self, site: Site, wanted: Catalog) -> SpoolWriter:
        place = site.spool
        retention = Retention(
            size_bytes=place.size_mb * 1_000_000,
            age_ns=int(place.age_h * 3600e9),
            reserve_bytes=place.reserve_mb * 1_000_000,
        )
        writer = SpoolWriter.open(
            place.directory / wanted.conduit, wanted, retention, clock=self._clock
        )
        if self._loop is not None:
            writer.gather_on(self._loop)
        return writer


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
