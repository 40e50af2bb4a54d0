"""What an administrator may ask of a running field side, and what it answers."""

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any, TypeVar

import structlog

from otgate.app.accepted import Accepted, held_back
from otgate.app.editions import Editions
from otgate.app.egress import Egress, Ready, readied, types_of
from otgate.app.loop import take_hangups
from otgate.app.maintenance import Maintenance, Switched, now_told
from otgate.app.outlet import Way
from otgate.app.shutters import Shutters
from otgate.app.staging import Staging
from otgate.app.tracing import trace_point
from otgate.config.diagnostic import Severity
from otgate.config.nearest import did_you_mean
from otgate.config.render import rendered
from otgate.config.site import Loaded, Site
from otgate.errors import Refused
from otgate.observe.control import Request, Verbs
from otgate.policy.changes import Change, Side, changes
from otgate.supervisor import Supervisor

FIXED = (
    "id", "gateway", "state_directory", "control_directory", "signers", "sandbox", "audit",
    "clock_checked", "metrics_listen",
)  # fmt: skip
"""What of a site cannot change while it runs."""

SIGNALLED = "SIGHUP"
"""Who asks for a reload by a signal cannot be told."""

T = TypeVar("T")

log = structlog.get_logger()


SWITCHES = ("on", "off", "site")
"""What a device's maintenance may be set to; `site` leaves it to the site file."""


class Administration:
    """The verbs of a field side's administration socket."""

    def __init__(
        self,
        egress: Egress,
        written: Site,
        supervisor: Supervisor,
        shutters: Shutters,
        maintenance: Maintenance,
        reread: Callable[[], Loaded] | None,
    ) -> None:
        self._maintenance = maintenance
        self._accepted = Accepted(written)
        self._egress = egress
        self._supervisor = supervisor
        self._shutters = shutters
        self._reread = reread
        self._editions = Editions(egress.site)
        self._written = written
        """The site as its files have it; what runs may differ in devices under maintenance."""
        self._reloading = asyncio.Lock()
        self._staging = Staging(egress.outlet)
        self.verbs: Verbs = {
            "status": self.status,
            "reload": self.reload,
            "stop": self.stop,
            "start": self.start,
            "stage": self.stage,
            "maintain": self.maintain,
            "refresh": self.refresh,
            "trace": partial(trace_point, egress, supervisor),
        }

    def status(self, _: Request) -> Mapping[str, Any]:
        """Describe the field side."""
        egress = self._egress
        site = egress.site
        return {
            "side": "field",
            "site": site.id,
            "gateway": site.gateway,
            "policy_hash": site.policy_hash,
            "map_hash": site.map_hash,
            "not_yet_allowed": held_back(site),
            "valid_until": site.policy.valid_until,
            "maintenance": self._maintenance.status(site),
            "devices": {device: asdict(now) for device, now in self._supervisor.status().items()},
            "conduits": {
                way.conduit: conduit_status(way, egress.why_shut(way.conduit))
                for way in egress.ways
            },
        }

    # Stop and start

    def stop(self, request: Request) -> Mapping[str, Any]:
        """Let nothing cross a conduit any more, from now on and after a restart."""
        conduit = self._conduit(request)
        note = partial(self._shutters.stops.stop, conduit, request.by)
        return self._shut("stop", conduit, note, request)

    async def start(self, request: Request) -> Mapping[str, Any]:
        """Undo a stop."""
        conduit = self._conduit(request)
        note = partial(self._shutters.stops.start, conduit)
        async with self._reloading:
            ready = await asyncio.to_thread(readied, self._egress.site)
            return self._shut("start", conduit, note, request, ready)

    def _conduit(self, request: Request) -> str:
        conduit = request.arguments.get("conduit")
        known = [way.conduit for way in self._egress.ways]
        if conduit not in known:
            raise Refused(f"no conduit `{conduit}`; there are {', '.join(known)}")
        return str(conduit)

    def _shut(
        self,
        verb: str,
        conduit: str,
        note: Callable[[], None],
        request: Request,
        ready: Ready | None = None,
    ) -> Mapping[str, Any]:
        unwritten = ""
        try:
            note()
        except OSError as error:
            unwritten = f"not written down, so a restart undoes it: {error.strerror}"
        log.warning("conduit_asked", conduit=conduit, verb=verb, by=request.by)
        changed = self._egress.shut_or_open(ready)
        why = self._egress.why_shut(conduit)
        if changed and not why:
            self._supervisor.refresh(self._supervisor.status())
        return {"conduit": conduit, "shut": why, "remark": unwritten}

    # Devices

    async def maintain(self, request: Request) -> Mapping[str, Any]:
        """Put a device under maintenance or take it out; the session of this one begins anew."""
        device, given = self._device(request), request.arguments
        wanted, why = given.get("maintenance"), str(given.get("why", ""))
        if wanted not in SWITCHES:
            raise Refused(f"maintenance is one of {', '.join(SWITCHES)}")
        by, unwritten = request.by, ""
        told = None if wanted == "site" else Switched(wanted == "on", by, why, now_told())
        async with self._reloading:
            try:
                self._maintenance.switch(device, told)
            except OSError as error:
                unwritten = f"not written down, so a restart undoes it: {error.strerror}"
            log.warning("maintenance_asked", device=device, maintenance=wanted, by=by, why=why)
            site = self._maintenance.of(self._written)
            await self._run_by(site, ())
        now = next(one for one in site.devices if one.id == device)
        return {"device": device, "maintenance": now.maintenance, "remark": unwritten}

    def refresh(self, request: Request) -> Mapping[str, Any]:
        """Pass on every value of a device that is known, as a refresh."""
        device = self._device(request)
        self._supervisor.refresh([device])
        return {"device": device}

    def _device(self, request: Request) -> str:
        device = request.arguments.get("device")
        known = [one.id for one in self._egress.site.devices]
        if device not in known:
            raise Refused(f"no device `{device}`: {did_you_mean(str(device), known)}")
        return str(device)

    # Stage

    async def stage(self, request: Request) -> Mapping[str, Any]:
        """Judge a policy that was sent beside the running one; nothing crosses by it."""
        given = request.arguments
        text, for_s = given.get("policy"), given.get("for_s")
        if not isinstance(text, str) or not isinstance(for_s, int | float):
            raise Refused("stage takes a policy's text and seconds")
        log.info("policy_staged", by=request.by, for_s=for_s)
        name = str(given.get("name", "policy.yaml"))
        return await self._staging.stage(self._egress.site, name, text, for_s)

    # Reload

    async def reload(self, request: Request) -> Mapping[str, Any]:
        """Read the site's files again and run by them, or refuse them and change nothing."""
        allow_gain = request.arguments.get("allow_gain") is True
        return await self._reload(request.by, allow_gain=allow_gain)

    async def hung_up(self) -> None:
        """Reload at each SIGHUP; what is refused is logged."""
        asked = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, asked.set)
        take_hangups()
        while True:
            await asked.wait()
            asked.clear()
            try:
                await self._reload(SIGNALLED, allow_gain=False)
            except Refused as refused:
                log.error("reload_refused", by=SIGNALLED, why=str(refused))  # noqa: TRY400  it is said

    async def _reload(self, by: str, *, allow_gain: bool) -> Mapping[str, Any]:
        if self._reread is None:
            raise Refused("this field side was not told where its files are")
        async with self._reloading:
            loaded = await asyncio.to_thread(self._reread)
            site = await asyncio.to_thread(fit, loaded, self._egress.site, self._written)
            self._editions.check(site)
            found = await asyncio.to_thread(differences, self._egress.site, site)
            gains = [one for one in found if one.is_gain]
            if gains and not allow_gain:
                raise Refused(f"{told_gains(gains)}\nallow it with --allow-gain")
            self._editions.keep(site)
            self._written = site
            begun = await self._run_by(self._maintenance.of(site), gains)
            await asyncio.to_thread(self._accepted.keep, site)
        self._shutters.look(site.policy)  # which says that it has ended, before anything follows
        log.warning(
            "reloaded",
            by=by,
            gains=len(gains),
            losses=len(found) - len(gains),
            gained=[f"{one.conduit} {one.path}" for one in gains[:SHOWN]],
            devices_begun=len(begun),
            policy_version=site.policy.version,
            policy_hash=site.policy_hash,
            map_hash=site.map_hash,
        )
        warnings = [one for one in loaded.diagnostics if one.severity is Severity.WARNING]
        return {
            "changes": [asdict(one) for one in found],
            "devices_begun": begun,
            "warnings": rendered(warnings) if warnings else "",
        }

    async def _run_by(self, site: Site, gains: Sequence[Change]) -> list[str]:
        """Stop what changes, swap the gates, and begin what is new; return the devices begun.

        In this order: a gate numbers a device's points as its map does. It is compiled beside the
        loop, so that polls go on meanwhile.
        """
        ready = await asyncio.to_thread(readied, site)
        await self._supervisor.retire(site.devices, site.plans)
        self._egress.swap(ready)
        begun = await self._supervisor.adopt(site.devices, site.plans)
        gaining = {one.path.partition("/")[0] for one in gains}
        self._supervisor.refresh(gaining.difference(begun))
        return begun


def fit(loaded: Loaded, running: Site, written: Site) -> Site:
    """Return a site that the running one can become; what is the same of ``written`` is that.

    Raises:
        Refused: it has errors, or differs in what only a restart can change.
    """
    site = loaded.site
    if site is None:
        raise Refused(rendered(loaded.diagnostics))
    fixed = [name for name in FIXED if getattr(site, name) != getattr(running, name)]
    if site.spool.directory != running.spool.directory:
        fixed.append("spool.directory")
    if fixed:
        raise Refused(f"{', '.join(fixed)} changed, which takes a restart")
    return with_known(site, written)


def with_known(site: Site, before: Site) -> Site:
    """Return ``site`` with the devices and plans of ``before`` where they are equal.

    What is identical is compared in no time, on the loop as well.
    """
    known = {device.id: device for device in before.devices}
    devices = tuple(same(device, known.get(device.id)) for device in site.devices)
    plans = {name: same(plan, before.plans.get(name)) for name, plan in site.plans.items()}
    return replace(site, devices=devices, plans=plans)


def same(new: T, old: T | None) -> T:
    """Return ``old`` where it is equal to ``new``."""
    return old if old is not None and old == new else new


def differences(old: Site, new: Site) -> list[Change]:
    """Return every point that crosses otherwise under ``new``."""
    before, after = (Side(site.policy, site.devices, types_of(site)) for site in (old, new))
    return changes(before, after)


SHOWN = 20


def told_gains(gains: Sequence[Change]) -> str:
    """Name what more would cross."""
    lines = [f"more would cross: {len(gains)} point{'s' if len(gains) > 1 else ''}"]
    lines += [f"  {one.conduit}  {one.path}  {one.way}: {one.why}" for one in gains[:SHOWN]]
    lines += [f"  and {len(gains) - SHOWN} more"] if len(gains) > SHOWN else []
    return "\n".join(lines)


def conduit_status(way: Way, why_shut: str) -> Mapping[str, Any]:
    """Describe one conduit."""
    delay = {} if way.hold is None else {"delay": way.hold.status()}
    return {
        "shut": why_shut,
        "crossing_points": len(way.gate.crossing),
        "withheld": way.gate.withheld,
        "suppressed": way.gate.suppressed,
        "latched_suppressed": way.gate.latched_suppressed,
        "under_test": way.gate.under_test,
        "spool": asdict(way.spool.status()),
        **delay,
    }
