"""What crosses each conduit, and what is kept from it, for the first time under a policy.

Each point is told once per conduit. What was told is kept over restarts, as long as policy and
point maps are the same: a side that dies again and again tells nothing twice.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from otgate.app.outlet import Part, Way
from otgate.config.site import Site
from otgate.model import Batch, Device, Index, Point, distinct
from otgate.spool.state_file import StateFile
from otgate.spool.writer import SpoolWriter
from otgate.together import in_step

Tell = Callable[[str, Mapping[str, Any]], None]
Bits = npt.NDArray[np.bool_]

KEEP_S = 1.0
"""How soon what was told is written down."""
IN_ONE_RECORD = 500
"""Points that one record names."""
MOST_COLUMNS = 64
"""Columns of a device that are known to hold nothing new."""
CROSSES, DENIED = "first_crossing", "first_denial"


@dataclass(frozen=True, slots=True)
class Sight:
    """What is still new to one conduit of one device; bits are by the device's points."""

    conduit: str
    device: str
    spool: SpoolWriter
    first: int
    """The device's first number in the catalog."""
    points: Index
    """Its points that cross, in the catalog's order."""
    crossing: Bits
    denied: Bits

    @property
    def name(self) -> str:
        """What tells it from others of the site."""
        return f"{self.conduit}/{self.device}"

    @property
    def is_over(self) -> bool:
        """Whether nothing of the device can be new to the conduit any more."""
        return not (self.crossing.any() or self.denied.any())

    def forget(self, left: Sequence[str]) -> None:
        """Leave no more to be told than ``left`` spells; where that is unreadable, all."""
        for bits, told in zip((self.crossing, self.denied), left, strict=False):
            with suppress(ValueError, TypeError):
                raw = np.unpackbits(np.frombuffer(bytes.fromhex(told), np.uint8))
                np.logical_and(bits, raw[: len(bits)], out=bits)


@dataclass(slots=True)
class Watched:
    """One device, and the conduits to which some of it may be new."""

    device: Device
    sights: list[Sight]
    known: dict[int, Index] = field(default_factory=dict)
    """Columns of points that were all seen, by their identity."""


class Firsts:
    """Told of every batch and what crossed of it; tells what is new of that."""

    def __init__(self, file: StateFile, tell: Tell) -> None:
        self._file = file
        self._tell = tell
        self._of = ""
        """The policy and the point maps that hold."""
        self._kept: dict[str, list[str]] = {}
        """What was left to be told by sights that are gone, by conduit and device."""
        self._sights: list[Sight] = []
        self._watched: dict[str, Watched] = {}
        self._changed = False

    def swapped(self, site: Site, ways: Sequence[Way], shut: Callable[[str], str]) -> None:
        """Look at other ways from now on; those that are shut keep everything back."""
        of = f"{site.policy_hash} {site.map_hash}"
        self._kept = self._left() if of == self._of else self._read(of)
        self._of = of
        devices = {device.id: device for device in site.devices}
        open_ways = [way for way in ways if not shut(way.conduit)]
        self._sights = [sight for way in open_ways for sight in sights_of(way, site.devices)]
        self._watched = {}
        for sight in self._sights:
            sight.forget(self._kept.get(sight.name, ()))
            if not sight.is_over:
                empty = Watched(devices[sight.device], [])
                self._watched.setdefault(sight.device, empty).sights.append(sight)

    def __call__(self, batch: Batch, parts: Sequence[Part]) -> None:
        """Look at ``batch`` and at what the gates passed of it."""
        watched = self._watched.get(batch.device)
        if watched is None or id(batch.index) in watched.known:
            return
        points = watched.device.points
        for sight in watched.sights:
            self._say(DENIED, sight, points, news(sight.denied, batch.index))
            for spool, _, crossing in parts:
                if spool is sight.spool:
                    for _, out in crossing:
                        crossed = sight.points[out.index - sight.first]
                        self._say(CROSSES, sight, points, news(sight.crossing, crossed))
        self._settle(watched, batch.index)

    def _say(self, event: str, sight: Sight, points: Sequence[Point], new: Sequence[int]) -> None:
        for at in range(0, len(new), IN_ONE_RECORD):
            ids = [points[number].id for number in new[at : at + IN_ONE_RECORD]]
            self._tell(event, {"conduit": sight.conduit, "device": sight.device, "points": ids})
            self._changed = True

    def _settle(self, watched: Watched, index: Index) -> None:
        """Look at a column no more once it holds nothing new, nor at a device."""
        watched.sights = [sight for sight in watched.sights if not sight.is_over]
        if not watched.sights:
            del self._watched[watched.device.id]
        elif len(watched.known) < MOST_COLUMNS and not any(
            (sight.crossing | sight.denied)[index].any() for sight in watched.sights
        ):
            watched.known[id(index)] = index

    # Kept over restarts

    async def keeping(self) -> None:
        """Write down for ever what was told; a disk that takes it not is tried again."""
        while True:
            await in_step(KEEP_S)
            if self._changed:
                self._changed = False
                content = json.dumps({"of": self._of, "left": self._left()}).encode()
                try:
                    await asyncio.to_thread(self._file.write, content)
                except OSError:
                    self._changed = True

    def _left(self) -> dict[str, list[str]]:
        """Return what each sight has still to be told, as bits in hexadecimal."""
        now = {one.name: [spelled(one.crossing), spelled(one.denied)] for one in self._sights}
        return {**self._kept, **now}

    def _read(self, of: str) -> dict[str, list[str]]:
        with suppress(OSError, ValueError, TypeError, KeyError):
            found = json.loads(self._file.read())
            if found["of"] == of:
                return dict(found["left"])
        return {}


def sights_of(way: Way, devices: Sequence[Device]) -> list[Sight]:
    """Return a sight for each device, in which all is new."""
    crossing: dict[int, tuple[int, list[int]]] = {}
    for number, (device, point) in enumerate(way.gate.crossing):
        crossing.setdefault(device, (number, []))[1].append(point)
    return [sight_of(way, device, *crossing.get(at, (0, []))) for at, device in enumerate(devices)]


def sight_of(way: Way, device: Device, first: int, crossing: Sequence[int]) -> Sight:
    """Return a sight of a device of which the points ``crossing`` cross."""
    crosses = np.zeros(len(device.points), np.bool_)
    points = np.array(crossing, np.int32)
    crosses[points] = True
    return Sight(way.conduit, device.id, way.inlet, first, points, crosses, ~crosses)


def news(unseen: Bits, points: Index) -> list[int]:
    """Return which of ``points`` are unseen, and see them."""
    new = distinct(points[unseen[points]])
    unseen[new] = False
    return new


def spelled(bits: Bits) -> str:
    """Spell bits."""
    return np.packbits(bits).tobytes().hex()
