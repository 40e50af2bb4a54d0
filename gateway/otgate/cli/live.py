"""What `otgate check --live` does: every point of the real devices read, and judged."""

import asyncio
import json
import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from otgate.cli.command import FAILED, OK
from otgate.cli.loading import loaded
from otgate.cli.places import socket_of
from otgate.cli.progress import progress
from otgate.cli.unknown import unknown
from otgate.config.render import counted, visible
from otgate.driver import Driver, installed
from otgate.live.guessing import Examination, Guess, Suspect, examined, unsound
from otgate.live.reading import by_link
from otgate.model import Device
from otgate.observe.logs import LogForm, configure
from otgate.quality import names

MOST_GUESSES = 3
RUNNING = (
    "note: a gateway runs on this site; a device that serves one client at a time may refuse us"
)


def check_live(files: Sequence[Path], options: Namespace) -> int:
    """Read and judge the devices of sites that have no errors; return the exit code.

    Raises:
        Refused: ``options.endpoints`` is not a JSON object of objects.
    """
    sites = [site for file in files if (site := loaded(file, options.endpoints)) is not None]
    known = [device for site in sites for device in site.wired]
    wanted = [device for device in known if options.device in {None, device.id}]
    if not wanted:
        return unknown("device", options.device, [device.id for device in known])
    if any(socket_of(site.path, None, "field").exists() for site in sites):
        print(RUNNING, file=sys.stderr)
    configure(LogForm.CONSOLE, level="error")
    found = asyncio.run(_examined(wanted, installed()))
    if options.format == "json":
        print(json.dumps([document(each) for each in found], indent=2, ensure_ascii=False))
    else:
        for each in found:
            print("\n".join(map(visible, lines(each))))
    return FAILED if unsound(found) else OK


async def _examined(devices: Sequence[Device], drivers: Mapping[str, Driver]) -> list[Examination]:
    with progress("reading devices") as step:
        done = 0

        async def examine(device: Device) -> Examination:
            nonlocal done
            step(f"reading {device.id}", done, len(devices))
            examination = await examined(device, drivers[device.driver])
            done += 1
            return examination

        found: list[Examination] = await by_link(devices, drivers, examine)
    order = {id(device): number for number, device in enumerate(devices)}
    return sorted(found, key=lambda each: order[id(each.look.device)])


def lines(found: Examination) -> Iterator[str]:
    """Say for a person what was found of a device."""
    device = found.look.device
    if found.look.failure:
        yield f"{device.id}: not read: {found.look.failure}"
        return
    yield f"{device.id}: {', '.join(summary(found))}"
    if found.wide is not None:
        wide = found.wide
        yield (
            f"  {wide.mends} of {wide.of} points that it concerns would be mended by "
            f"`{wide.setting}` in the block `{device.driver}` of the device"
        )
    for suspect in found.suspects:
        yield f"  {suspect.point.id} at {suspect.point.address}: {told(suspect)}"
        for guess in suspect.guesses[:MOST_GUESSES]:
            value = spelled(guess.value, suspect.point.unit)
            yield f"    {guess.words} gives {value}: write `{guess.cell}`"


def summary(found: Examination) -> Iterator[str]:
    """Yield how much was asked, and how much of it is wrong."""
    asked = counted(len(found.look.device.points), "point")
    yield f"{asked} asked in {found.look.took_s:.1f} s"
    unread = sum(not suspect.value.readable for suspect in found.suspects)
    if unread:
        yield f"{unread} without a value"
    if wrong := len(found.suspects) - unread:
        yield f"{wrong} {'looks' if wrong == 1 else 'look'} wrong"
    if not found.suspects:
        yield "nothing looks wrong"


def told(suspect: Suspect) -> str:
    """Say what was read and why it cannot be."""
    if not suspect.value.readable:
        return f"no value: {suspect.why}"
    return f"reads {spelled(suspect.value.value, suspect.point.unit)}: {suspect.why}"


def spelled(value: Any, unit: str) -> str:
    """Return a value with its unit, of a float what a person reads."""
    return f"{f'{value:.6g}' if isinstance(value, float) else value} {unit}".rstrip()


def document(found: Examination) -> dict[str, Any]:
    """Say the same for a program."""
    device = found.look.device
    wide = found.wide
    return {
        "device": device.id,
        "failure": found.look.failure,
        "points": [
            {
                "id": point.id,
                "value": value.value if value.readable else None,
                "q": names(value.quality),
            }
            for point, value in zip(device.points, found.look.values, strict=False)
        ],
        "suspects": [
            {
                "id": suspect.point.id,
                "why": suspect.why,
                "guesses": [_guess(guess) for guess in suspect.guesses],
            }
            for suspect in found.suspects
        ],
        "setting": None
        if wide is None
        else {"write": wide.setting, "mends": wide.mends, "of": wide.of},
    }


def _guess(guess: Guess) -> dict[str, Any]:
    return {"how": guess.words, "value": guess.value, "write": guess.cell}
