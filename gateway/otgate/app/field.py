"""The field side: devices, report by exception, gates and spools in one process."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import structlog

from otgate.app.catalog import catalog
from otgate.app.loop import settle, trimming
from otgate.app.outlet import Way, Ways
from otgate.config.site import Site
from otgate.driver import Driver, planned_types
from otgate.model import ValueType
from otgate.observe import control
from otgate.policy.gate import compile_gates
from otgate.spool.writer import Retention, SpoolState, SpoolWriter
from otgate.supervisor import Supervisor
from otgate.supervisor.reserve import allow_all_files
from otgate.together import together

RELEASE_S = 0.1
"""How often held values are looked at."""

LIVE_S = 5.0
"""How often every spool gets a liveness frame; sooner when a device changes its state."""

LOOK_S = 0.5
"""How often device states are compared for that, and spools looked at."""

CALM_S = 5.0
"""A spool that failed has to write for so long before it is said to."""

log = structlog.get_logger()
Clock = Callable[[], int]


async def field_side(site: Site, drivers: Mapping[str, Driver], control_path: Path) -> int:
    """Run the field side of ``site`` until cancelled.

    Raises:
        SpoolUnusable: a spool cannot be written.
        Refused: the administration socket cannot be opened.
    """
    allow_all_files()
    clock = time.time_ns
    types = {device.id: planned_types(device, site.plans[device.id]) for device in site.devices}
    with opened(site, types, clock) as ways:
        outlet = Ways(ways, clock)
        supervisor = Supervisor(
            site.devices,
            drivers,
            outlet,
            clock=clock,
            states=site.state_directory / "devices",
            plans=site.plans,
        )
        verbs = {"status": lambda: status(site, supervisor, ways)}
        async with control.serve(control_path, verbs):
            log.info("field_side_started", site=site.id, devices=len(site.devices))
            settle()
            await together(
                supervisor.run(),
                releasing(outlet),
                living(ways, site, supervisor),
                telling(ways),
                trimming(),
            )
    return 0


@contextmanager
def opened(
    site: Site, types: Mapping[str, Sequence[ValueType]], clock: Clock
) -> Iterator[list[Way]]:
    """Open one spool per conduit, each behind its compiled gate; close them all at the end."""
    gates = compile_gates(site.policy, site.devices, types)
    retention = Retention(
        size_bytes=site.spool.size_mb * 1_000_000,
        age_ns=int(site.spool.age_h * 3600e9),
        reserve_bytes=site.spool.reserve_mb * 1_000_000,
    )
    with ExitStack() as stack:
        ways = []
        for conduit, gate in gates.items():
            spool = SpoolWriter.open(
                site.spool.directory / conduit,
                catalog(site, conduit, gate, types),
                retention,
                clock=clock,
            )
            stack.callback(spool.close)
            ways.append(Way(conduit, gate, spool))
        yield ways


async def releasing(outlet: Ways) -> None:
    """Release held values for ever."""
    while True:
        await asyncio.sleep(RELEASE_S)
        outlet.release()


async def living(ways: Sequence[Way], site: Site, supervisor: Supervisor) -> None:
    """Write liveness to every spool each `LIVE_S`, and at once when a device's state changes."""
    visible = {way.conduit: crossing_devices(way, site) for way in ways}
    loop = asyncio.get_running_loop()
    before: dict[str, str] = {}
    due = loop.time()
    while True:
        states = {device: str(now.state) for device, now in supervisor.status().items()}
        if states != before or loop.time() >= due:
            for way in ways:
                way.spool.live({device: states[device] for device in visible[way.conduit]})
            before, due = states, loop.time() + LIVE_S
        await asyncio.sleep(LOOK_S)


async def telling(ways: Sequence[Way]) -> None:
    """Log for ever when a spool starts failing and when it writes again."""
    loop = asyncio.get_running_loop()
    failed_s: dict[str, float] = {}
    while True:
        for way in ways:
            tell(way, failed_s, loop.time())
        await asyncio.sleep(LOOK_S)


def tell(way: Way, failed_s: dict[str, float], now_s: float) -> None:
    """Log an edge of a spool's state; ``failed_s`` holds when each conduit's failed last."""
    spool = way.spool.status()
    if spool.state is SpoolState.FAILING:
        if way.conduit not in failed_s:
            log.error("spool_failing", conduit=way.conduit, error=spool.error)
        failed_s[way.conduit] = now_s
    elif now_s - failed_s.get(way.conduit, now_s) >= CALM_S:
        del failed_s[way.conduit]
        log.info("spool_writing", conduit=way.conduit, dropped=sum(spool.dropped.values()))


def crossing_devices(way: Way, site: Site) -> list[str]:
    """Return the ids of devices that have a point crossing this conduit."""
    return [
        site.devices[number].id for number in sorted({device for device, _ in way.gate.crossing})
    ]


def status(site: Site, supervisor: Supervisor, ways: Sequence[Way]) -> dict[str, Any]:
    """Describe the field side for its administrators."""
    return {
        "side": "field",
        "site": site.id,
        "gateway": site.gateway,
        "policy_hash": site.policy_hash,
        "map_hash": site.map_hash,
        "devices": {device: asdict(now) for device, now in supervisor.status().items()},
        "conduits": {
            way.conduit: {
                "crossing_points": len(way.gate.crossing),
                "withheld": way.gate.withheld,
                "suppressed": way.gate.suppressed,
                "latched_suppressed": way.gate.latched_suppressed,
                "under_test": way.gate.under_test,
                "spool": asdict(way.spool.status()),
            }
            for way in ways
        },
    }
