"""The field side: devices, report by exception, gates and spools in one process."""

import asyncio
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog

from otgate.app.accepted import Accepted
from otgate.app.administration import Administration
from otgate.app.anomalies import Anomalies
from otgate.app.attending import attending
from otgate.app.auditing import Recorder, audited, prepared
from otgate.app.by_point import ByPoint
from otgate.app.confinement import enter, staying
from otgate.app.counting import count, counting
from otgate.app.egress import Egress
from otgate.app.field_metrics import field_metrics
from otgate.app.firsts import Firsts
from otgate.app.flat import FlatLines
from otgate.app.loop import settle, trimming
from otgate.app.machine import moved, this_machine
from otgate.app.maintenance import Maintenance
from otgate.app.measured import Measured, metrics_path
from otgate.app.needs import beyond, field_needs, field_own
from otgate.app.outlet import Way, Ways
from otgate.app.shutters import Shutters
from otgate.config.site import Loaded, Site
from otgate.driver import Driver
from otgate.errors import Refused
from otgate.observe import control
from otgate.observe.audit.anchor import Shown
from otgate.observe.clock import ClockWatch
from otgate.observe.notify import Notifier
from otgate.sandbox.needs import Needs
from otgate.spool.epoch import epoch_text
from otgate.spool.files import OS
from otgate.spool.items import ANCHOR
from otgate.spool.state_file import StateFile
from otgate.supervisor import Supervisor
from otgate.supervisor.reserve import allow_all_files
from otgate.together import in_step, together

RELEASE_S = 0.1
"""How often held values are looked at, and what has waited while there is more of it."""

LIVE_S = 5.0
"""How often every spool gets a liveness frame; sooner when a device changes its state."""

LOOK_S = 0.5
"""How often device states are compared for that, and spools looked at."""

CALM_S = 5.0
"""A spool that failed has to write for so long before it is said to."""

log = structlog.get_logger()
Clock = Callable[[], int]


async def field_side(
    site: Site,
    drivers: Mapping[str, Driver],
    control_path: Path,
    reread: Callable[[], Loaded] | None = None,
) -> int:
    """Run the field side of ``site`` until cancelled. ``reread`` loads its files for a reload.

    Raises:
        SpoolUnusable: a spool cannot be written.
        Refused: the administration socket cannot be opened.
        Unconfined: the sandbox that the site requires cannot be had.
        Outgrown: the folder of the spools or the state was made anew.
    """
    allow_all_files()
    with (
        control.bound(control_path) as listener,
        control.bound(metrics_path(control_path)) as scraped,
        closing(Notifier()) as notifier,
    ):
        means = prepared(site.audit, f"{site.id}/{site.gateway}/field")
        sandbox = confined(site, drivers, control_path)
        with audited(means, {**told(site), "sandbox": sandbox}) as recorder:
            door = Door(listener, scraped, notifier, sandbox, recorder)
            if reread is not None and site.sandbox != "off":
                held = field_needs(site, drivers, control_path.parent)
                reread = partial(within, held, drivers, reread)
            await confined_side(site, drivers, door, reread)
    return 0


def told(site: Site) -> Mapping[str, object]:
    """Say of a site what tells it from others, for the audit log."""
    policy = site.policy
    return {
        "site": str(site.path),
        "policy": policy.name,
        "policy_version": policy.version,
        "policy_hash": site.policy_hash,
        "map_hash": site.map_hash,
        "site_hash": site.site_hash,
        "signers": dict(site.signers),
    }


def confined(site: Site, drivers: Mapping[str, Driver], control_path: Path) -> str:
    """Enter the sandbox; what it lets the side write is made before."""
    if site.sandbox != "off":
        for own in field_own(site):
            with suppress(OSError):  # whoever needs it says so
                OS.mkdir(own)
    return enter(field_needs(site, drivers, control_path.parent), site.sandbox)


def within(held: Needs, drivers: Mapping[str, Driver], reread: Callable[[], Loaded]) -> Loaded:
    """Read a site again; refuse what the sandbox would not let work.

    Raises:
        Refused: a device needs what this side gave up.
    """
    loaded = reread()
    if loaded.site is not None and (what := beyond(loaded.site, drivers, held)):
        raise Refused(f"{what}, which this field side gave up as it started; restart it")
    return loaded


@dataclass(frozen=True, slots=True)
class Door:
    """What was opened on the way into the sandbox."""

    listener: socket.socket
    metrics: socket.socket
    notifier: Notifier
    sandbox: str
    """What confines the side, in words."""
    recorder: Recorder


async def confined_side(
    site: Site,
    drivers: Mapping[str, Driver],
    door: Door,
    reread: Callable[[], Loaded] | None,
) -> None:
    """Run the field side behind its sandbox until cancelled."""
    own = field_own(site) if site.sandbox != "off" else ()
    maintenance = Maintenance(site.state_directory)
    accepted = Accepted(site)
    written = accepted.held(site)
    site = maintenance.of(written)
    shutters = Shutters(site.state_directory, time.time_ns, time.monotonic)
    egress = Egress(site, time.time_ns, shutters.why, asyncio.get_running_loop())
    egress.swap(site)
    firsts = Firsts(StateFile(site.state_directory / "firsts.json", OS), door.recorder.audit.hear)
    egress.show(firsts)
    by_point = ByPoint(door.recorder.audit.hear)
    egress.count(by_point)
    clock = ClockWatch(passed_ns=shutters.clock.kept_ns, checked=site.clock_checked)
    egress.outlet.doubtful = clock.doubtful
    try:
        supervisor = Supervisor(
            site.devices,
            drivers,
            egress.outlet,
            clock=time.time_ns,
            states=site.state_directory / "devices",
            plans=site.plans,
        )
        administration = Administration(egress, written, supervisor, shutters, maintenance, reread)
        besides = {"sandbox": door.sandbox, "moved": moved(site.state_directory, this_machine())}
        verbs = door.recorder.verbs(with_more(administration, besides))
        stuck = partial(hung, egress)
        flat = FlatLines(lambda: egress.site.devices, supervisor.newest)
        found = partial(field_metrics, egress, supervisor, flat)
        measured = Measured("field", found, stuck, door.recorder.audit, clock)
        async with control.answering(door.listener, verbs), measured.served(door.metrics):
            log.info(
                "field_side_started",
                site=site.id,
                devices=len(site.devices),
                sandbox=door.sandbox,
            )
            await asyncio.to_thread(accepted.keep, site)
            settle()
            await together(
                supervisor.run(),
                releasing(egress.outlet),
                living(egress, supervisor, door.recorder.shown),
                delaying(egress),
                telling(egress),
                shutting(egress, shutters),
                trimming(),
                attending(door.notifier, stuck),
                *measured.tasks(site.metrics_listen),
                administration.hung_up(),
                staying(own),
                firsts.keeping(),
                counting(egress, by_point, door.recorder.audit),
                Anomalies(supervisor.status).watch(),
                flat.watch(),
            )
    finally:
        count(egress, by_point, door.recorder.audit)
        egress.close()


def with_more(administration: Administration, besides: Mapping[str, str]) -> control.Verbs:
    """Return the verbs; the status says what was found at the start, too."""

    def status(request: control.Request) -> control.Answer:
        return {**administration.status(request), **besides}

    return {**administration.verbs, "status": status}


def hung(egress: Egress, limit_s: float) -> str:
    """Name the conduits whose disk has kept a write for longer than ``limit_s``."""
    stuck = [
        way.conduit for way in egress.ways if any(spool.stuck_s > limit_s for spool in way.spools)
    ]
    return f"nothing can be written for {', '.join(stuck)}" if stuck else ""


async def releasing(outlet: Ways) -> None:
    """Release held values for ever; look seldom whether any may be held, which a reload changes."""
    while True:
        await in_step(RELEASE_S if outlet.holds else LOOK_S)
        if outlet.holds:
            outlet.release()


async def living(egress: Egress, supervisor: Supervisor, shown: Shown) -> None:
    """Write liveness to every spool each `LIVE_S`, and at once when what it tells changes."""
    loop = asyncio.get_running_loop()
    signs = Signs(egress, shown)
    due = loop.time()
    while True:
        states = {device: str(state) for device, state in supervisor.states().items()}
        now_s = loop.time()
        signs.write(states, due=now_s >= due)
        due = now_s + LIVE_S if now_s >= due else due
        await in_step(LOOK_S)


class Signs:
    """Signs of life, each with the states of the devices that its conduit may tell of.

    A spool gets one when those change, and not when any other device's do: that would tell as much.
    """

    def __init__(self, egress: Egress, shown: Shown) -> None:
        self._egress = egress
        self._shown = shown
        self._ways: Sequence[Way] = ()
        self._visible: Mapping[str, frozenset[str]] = {}
        self._told: dict[str, Mapping[str, str]] = {}

    def write(self, states: Mapping[str, str], *, due: bool) -> None:
        """Write a sign to every spool that is to tell something else, and to all if it is due."""
        site, ways = self._egress.site, tuple(self._egress.ways)
        if ways != self._ways:
            self._visible = {way.conduit: crossing_devices(way, site) for way in ways}
            self._ways, self._told = ways, {}
        for way in ways:
            seen = self._visible[way.conduit]
            told = way.late({one: state for one, state in states.items() if one in seen})
            if due or told != self._told.get(way.conduit):
                visible = {one: state for one, state in told.items() if one in seen}
                way.spool.live({**visible, **self._anchor()})
                self._told[way.conduit] = told

    def _anchor(self) -> Mapping[str, str]:
        head = self._shown.head if self._egress.site.audit.shown else ""
        return {ANCHOR: head} if head else {}


async def delaying(egress: Egress) -> None:
    """Hand on for ever what has waited long enough."""
    while True:
        more = [await way.hold.step() for way in egress.ways if way.hold is not None]
        egress.relieve()
        await in_step(RELEASE_S if any(more) else LOOK_S)


async def shutting(egress: Egress, shutters: Shutters) -> None:
    """Shut every conduit for ever once the policy has ended."""
    while True:
        shutters.look(egress.site.policy)
        egress.shut_or_open()
        await in_step(LOOK_S)


async def telling(egress: Egress) -> None:
    """Log for ever when a spool starts failing and when it writes again."""
    loop = asyncio.get_running_loop()
    failed_s: dict[str, float] = {}
    while True:
        for way in egress.ways:
            tell(way, failed_s, loop.time())
        await in_step(LOOK_S)


def tell(way: Way, failed_s: dict[str, float], now_s: float) -> None:
    """Log an edge of a spool's state; ``failed_s`` holds when each conduit's failed last."""
    tell_dropped(way)
    if error := next((spool.error for spool in way.spools if spool.error), ""):
        if way.conduit not in failed_s:
            log.error("spool_failing", conduit=way.conduit, error=error)
        failed_s[way.conduit] = now_s
    elif now_s - failed_s.get(way.conduit, now_s) >= CALM_S:
        del failed_s[way.conduit]
        dropped = sum(sum(spool.status().dropped.values()) for spool in way.spools)
        log.info("spool_writing", conduit=way.conduit, dropped=dropped)


def tell_dropped(way: Way) -> None:
    """Log which samples found no room, as consumers will be told of them."""
    for lane, gap in way.spool.dropped():
        log.warning(
            "samples_dropped",
            conduit=way.conduit,
            lane=str(lane),
            epoch=epoch_text(way.spool.epoch),
            first_seq=gap.seq,
            count=gap.count,
            from_ns=gap.from_ns,
            to_ns=gap.to_ns,
        )


def crossing_devices(way: Way, site: Site) -> frozenset[str]:
    """Return the ids of devices that have a point crossing this conduit."""
    return frozenset(site.devices[number].id for number in {at for at, _ in way.gate.crossing})
