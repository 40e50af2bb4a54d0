"""`otgate sim`: serve the simulated devices of a site, or tell a running one what to do."""

import asyncio
import json
import logging
import os
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from otgate.app.loop import die_with_parent, run
from otgate.cli.command import FAILED, OK, USAGE
from otgate.cli.loading import loaded
from otgate.errors import Refused
from otgate.model import Device
from otgate_sim.control import ask, default_path, free_path, listening
from otgate_sim.dnp3.binding import DNP3
from otgate_sim.dnp3.faults import Dnp3Fault
from otgate_sim.faults import Fault
from otgate_sim.iec61850.behaviour import IedFault
from otgate_sim.modbus_endpoints import Shown
from otgate_sim.simulation import Settings, Simulation

FASTEST = 10_000.0
SECURE = {"tcps", "mmss"}


def execute(options: Namespace) -> int:
    """Run the verb."""
    verbs = {"fault": fault, "burst": burst, "status": status}
    return verbs.get(options.site, serve)(options)


def fault(options: Namespace) -> int:
    """Tell the simulator that runs on this machine to show a fault."""
    if len(options.fault) != 2:
        print(f"otgate sim fault DEVICE KIND\nModbus kinds: {', '.join(Fault)}", file=sys.stderr)
        print(f"DNP3 kinds: {', '.join(Dnp3Fault)}", file=sys.stderr)
        print(f"IEC 61850 kinds: {', '.join(IedFault)}", file=sys.stderr)
        return USAGE
    device, kind = options.fault
    asked = {"verb": "fault", "device": device, "kind": kind, "for_s": options.for_s}
    done = ask(options.control or default_path(), asked)
    lasting = "" if done["for_s"] is None else f" for {done['for_s']:g} s"
    print(f"{done['device']}: {done['kind']}{lasting}")
    return OK


def burst(options: Namespace) -> int:
    """Tell a simulated device that reports events to make many events of a point at once."""
    if len(options.fault) != 3 or not options.fault[2].isdecimal():
        print("otgate sim burst DEVICE POINT COUNT [--start MS] [--step MS]", file=sys.stderr)
        return USAGE
    device, point, count = options.fault
    asked = {"verb": "burst", "device": device, "point": point, "count": int(count)}
    asked |= {"start_ms": options.start_ms, "step_ms": options.step_ms}
    done = ask(options.control or default_path(), asked)
    print(f"{done['device']}: {done['count']} events of {done['point']}, up to {done['last']}")
    return OK


def status(options: Namespace) -> int:
    """Print what each simulated device does, as JSON."""
    if options.fault:
        print("otgate sim status", file=sys.stderr)
        return USAGE
    done = ask(options.control or default_path(), {"verb": "status"})
    print(json.dumps(done["devices"], indent=1))
    return OK


def serve(options: Namespace) -> int:
    """Serve the devices of a site until a signal stops it."""
    if options.fault or not 0 < options.speed <= FASTEST or not 0 <= options.port_base < 65536:
        print("otgate sim SITE: see otgate sim --help", file=sys.stderr)
        return USAGE
    site = loaded(Path(options.site))
    if site is None:
        return FAILED
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    settings = Settings(
        options.seed,
        options.speed,
        options.port_base,
        str(options.listen),
        terminals=options.serial,
        shown=Shown(options.cert, options.key) if options.cert and options.key else None,
    )
    control = options.control or free_path(default_path())
    if options.parent is not None:
        die_with_parent(options.parent)
    try:
        return run(serving(Simulation(site.wired, settings), control, options.map))
    except OSError as error:
        raise Refused(str(error)) from error


async def serving(simulation: Simulation, control: Path, map_file: Path | None) -> int:
    """Serve until cancelled."""
    async with simulation.serving() as urls, listening(control, simulation.answer):
        if map_file is not None:
            await asyncio.to_thread(write_map, map_file, simulation.devices, urls)
        print(listed(simulation.devices, urls, control), flush=True)
        await asyncio.get_running_loop().create_future()
    return OK


def write_map(path: Path, devices: Sequence[Device], urls: Mapping[str, str]) -> None:
    """Write how each device is reached, whole or not at all."""
    of = {device.id: device for device in devices}
    text = json.dumps({name: reached(of[name], url) for name, url in urls.items()}, indent=1)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(path)


def reached(device: Device, url: str) -> dict[str, Any]:
    """Return what of a device's settings is different here: no way leads to the real one."""
    settings = device.settings
    found: dict[str, Any] = {"url": url}
    if getattr(settings, "backup", None) is not None:
        found["backup"] = None
    if getattr(settings, "tls", None) is not None and urlsplit(url).scheme not in SECURE:
        found["tls"] = None
    return found


def listed(devices: Sequence[Device], urls: Mapping[str, str], control: Path) -> str:
    """Return the map as a table for people."""
    rows = [("device", "unit", "in the site", "simulated at", "points")]
    for device in devices:
        url = urls.get(device.id, f"not simulated: {device.driver}")
        key = "outstation" if device.driver == DNP3 else "unit"
        unit, site_url = (getattr(device.settings, each, "") for each in (key, "url"))
        rows.append((device.id, str(unit), str(site_url), url, str(len(device.points))))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([*lines, "", f"faults: otgate sim fault DEVICE KIND --control {control}"])
