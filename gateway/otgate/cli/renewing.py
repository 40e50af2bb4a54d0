"""Bus files that were edited, and the running bus sides that are to take them up."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otgate.app.login import FileLogin
from otgate.cli.box import side_socket
from otgate.config.bus import load_bus
from otgate.config.bus_compared import FIXED, SECRET, described, differing
from otgate.config.bus_side import BusFile
from otgate.config.render import rendered
from otgate.errors import Refused
from otgate.observe.control import ask

BACK_LIMIT_S, LOOK_S = 30.0, 0.1
"""How long a side may take to end and to be started again, and how often it is asked."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """What a bus file says now, beside what the side that runs was told."""

    conduit: str
    socket: Path
    said: Mapping[str, Any]
    changed: Sequence[str]
    """Keys that say something else."""
    silent: str = ""
    """Why the side could not be asked."""


def closed(files: Sequence[Path]) -> list[Path]:
    """Return the files that whoever asks may not read: they are another administrator's."""
    return [path for path in files if not os.access(path, os.R_OK)]


def alone(file: Path, control: Path | None) -> list[Renewal]:
    """Return how one bus file differs from what its running side was told.

    Raises:
        Refused: as `compared` does, or nobody answers.
    """
    [one] = compared([file], file.absolute().parents[1], control)
    if one.silent:
        raise Refused(one.silent)
    return [one]


def compared(files: Sequence[Path], site: Path, control: Path | None) -> list[Renewal]:
    """Return how bus files differ from what their running sides were told.

    Raises:
        Refused: a file has errors, or a change that a side cannot take up.
    """
    read = [load_bus(path) for path in files]
    if wrong := [one for bus, found in read if bus is None for one in found]:
        raise Refused(rendered(wrong))
    return [renewal(bus, site, control) for bus, _ in read if bus is not None]


def renewal(bus: BusFile, site: Path, control: Path | None) -> Renewal:
    """Compare one bus file.

    Raises:
        Refused: it has a change that its side cannot take up.
    """
    socket, said = side_socket(site, control, f"bus-{bus.conduit}"), described(bus)
    try:
        running = ask(socket, "config")
    except Refused as silent:
        return Renewal(bus.conduit, socket, said, (), str(silent))
    changed = differing(running, said)
    if fixed := [key for key in changed if key in FIXED]:
        message = f"{', '.join(fixed)} changed, which takes a restart of this bus side"
        raise Refused(f"{bus.path}: {message}")
    if any(key in SECRET for key in changed):
        try:
            FileLogin(bus).keys()
        except Refused as missing:
            raise Refused(f"{bus.path}: {missing}") from None
    return Renewal(bus.conduit, socket, said, changed)


def renewed(one: Renewal) -> Iterator[str]:
    """Have a side take up what changed; yield what to tell.

    Raises:
        Refused: it does not, or it does not come back.
    """
    if one.silent:
        yield f"bus side {one.conduit} was not asked: {one.silent}"
    if not one.changed:
        return
    ask(one.socket, "renew")
    await_back(one)
    yield f"bus side {one.conduit} started again: {', '.join(one.changed)} changed"


def await_back(one: Renewal) -> None:
    """Return once a side runs by what its file says.

    Raises:
        Refused: it has not come back.
    """
    until = time.monotonic() + BACK_LIMIT_S
    while time.monotonic() < until:
        time.sleep(LOOK_S)
        try:
            if not differing(ask(one.socket, "config"), one.said):
                return
        except Refused:
            continue
    message = f"ended to take up its file and is not back within {BACK_LIMIT_S:.0f} s"
    raise Refused(f"bus side {one.conduit} {message}: its log says why")
