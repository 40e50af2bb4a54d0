"""Devices read once, each through its driver: what every point has, or why it has nothing."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from otgate.driver import Driver, Peeking
from otgate.errors import LinkLost, Mistakes, Unusable
from otgate.model import Batch, Device
from otgate.quality import Quality
from otgate.together import within

LIMIT_S = 120.0
"""How long one device may take: a slow line with a thousand registers needs a minute."""
AT_ONCE = 8
"""Links that are read side by side; devices of one link come one after another."""

UNREAD = int(Quality.INVALID | Quality.NO_VALUE | Quality.NOT_YET_READ)


class Value(NamedTuple):
    """What a point had, as its driver reads it."""

    value: Any
    quality: int
    received_ns: int

    @property
    def readable(self) -> bool:
        """Whether there is a value at all."""
        return not self.quality & Quality.NO_VALUE


NOTHING = Value(None, UNREAD, 0)


@dataclass(slots=True)
class Look:
    """One device as it was found. ``values`` run parallel to its points."""

    device: Device
    values: Sequence[Value]
    failure: str = ""
    """Why it could not be read; empty where it could."""
    took_s: float = 0.0


class Newest:
    """The newest value of each point; callable as `otgate.driver.Emit`."""

    def __init__(self, device: Device) -> None:
        self.values: list[Value] = [NOTHING] * len(device.points)

    def __call__(self, batch: Batch) -> "Newest":
        """Take a batch."""
        columns = (batch.index.tolist(), batch.values.tolist(), batch.quality.tolist())
        for point, value, quality in zip(*columns, strict=True):
            self.values[point] = Value(value, quality, batch.received_ns)
        return self

    async def durable(self, limit_s: float = 5.0) -> None:
        """Return at once: nothing is kept."""


async def look(device: Device, driver: Driver, limit_s: float = LIMIT_S) -> Look:
    """Read a device once. Never raises for what a device or its network does."""
    if not isinstance(driver, Peeking):
        return Look(device, [], f"driver `{device.driver}` cannot read a device beside the gateway")
    newest, begun_s = Newest(device), time.monotonic()
    failure = ""
    try:
        async with within(limit_s):
            await driver.peek(device, newest)
    except TimeoutError as silent:
        failure = str(silent) or f"it did not answer within {limit_s:g} s"
    except (LinkLost, Unusable) as lost:
        failure = str(lost)
    except Mistakes as wrong:
        failure = "; ".join(mistake.message for mistake in wrong.mistakes)
    return Look(device, newest.values, failure, time.monotonic() - begun_s)


Result = TypeVar("Result")


async def by_link(
    devices: Iterable[Device], drivers: Mapping[str, Driver], work: Callable[[Device], Any]
) -> list[Any]:
    """Do ``work`` for every device, links side by side, devices of a link in turn."""
    links: dict[Any, list[Device]] = {}
    for device in devices:
        key = (device.driver, drivers[device.driver].link_key(device))
        links.setdefault(key, []).append(device)
    gate = asyncio.Semaphore(AT_ONCE)

    async def in_turn(members: Sequence[Device]) -> list[Any]:
        async with gate:
            return [await work(device) for device in members]

    done = await asyncio.gather(*map(in_turn, links.values()))
    return [result for results in done for result in results]
