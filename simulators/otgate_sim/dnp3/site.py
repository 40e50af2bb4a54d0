"""The DNP3 devices of a site: their outstations, a channel for each address, and bursts."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from otgate.errors import Refused
from otgate.model import Device
from otgate.together import cancelled
from otgate_sim.binding import Read
from otgate_sim.dnp3.binding import DNP3, Driven, driven, is_datagram
from otgate_sim.dnp3.options import Options
from otgate_sim.dnp3.outstation import Outstation
from otgate_sim.dnp3.server import Endpoint
from otgate_sim.loopback import LOOPBACK

__all__ = ["DNP3", "Outstations"]

MOST_IN_A_BURST = 100_000


@dataclass(slots=True)
class Outstations:
    """The outstations of a site."""

    clock: Callable[[], int]
    advance: Callable[[int], None]
    late_s: float
    devices: dict[str, Device] = field(default_factory=dict)
    driven: dict[str, Driven] = field(default_factory=dict)
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    """By the address that the site gives, while serving."""

    def __getitem__(self, device: str) -> Outstation:
        return self.driven[device].outstation

    def __contains__(self, device: object) -> bool:
        return device in self.driven

    def add(self, device: Device, reads: Sequence[Read], options: Options) -> None:
        """Simulate a device.

        Raises:
            Refused: a point of it cannot be simulated.
        """
        made = driven(device, reads, self.clock, self.advance, options, self.late_s)
        self.devices[device.id], self.driven[device.id] = device, made

    @asynccontextmanager
    async def serving(
        self, port_base: int = 0, host: str = LOOPBACK
    ) -> AsyncIterator[Mapping[str, str]]:
        """Serve every outstation at ``host`` while the block runs; yield their addresses.

        Raises:
            OSError: a port is taken.
            Refused: two devices share a channel and an outstation address.
        """
        following: list[asyncio.Future[None]] = []
        urls: dict[str, str] = {}
        try:
            for number, (url, members) in enumerate(self._channels().items()):
                made = [self[device.id] for device in members]
                endpoint = Endpoint(made, port_base + number if port_base else 0, host)
                self.endpoints[url] = endpoint
                datagram = is_datagram(members[0])
                port = await (endpoint.start_udp() if datagram else endpoint.start())
                where = f"{'udp' if datagram else 'tcp'}://{host}:{port}"
                urls |= {device.id: where for device in members}
            following += [asyncio.ensure_future(each.follow()) for each in self.driven.values()]
            yield urls
        finally:
            await cancelled(following)
            await asyncio.gather(*(endpoint.stop() for endpoint in self.endpoints.values()))
            self.endpoints.clear()

    def burst(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Make many events of a point at once, as a control request asks.

        Raises:
            Refused: it names no simulated point, or no possible number or time.
        """
        device, point, count = (asked.get(key) for key in ("device", "point", "count"))
        if not isinstance(device, str) or device not in self.driven:
            known = ", ".join(self.driven) or "none"
            raise Refused(f"there is no simulated DNP3 device {device!r}; there are {known}")
        made = self.driven[device]
        if not isinstance(point, str) or point not in made.places:
            raise Refused(f"{device} has no point {point!r}")
        if type(count) is not int or not 1 <= count <= MOST_IN_A_BURST:
            raise Refused(f"a burst has 1 to {MOST_IN_A_BURST} events")
        start_ms, step_ms = asked.get("start_ms"), asked.get("step_ms", 1)
        if not all(type(ms) is int and ms >= 0 for ms in (start_ms or 0, step_ms)):
            raise Refused("times are whole milliseconds")
        place = made.places[point]
        serials = made.outstation.burst(place.point_type, place.index, count, start_ms, step_ms)
        return {"device": device, "point": point, "count": count, "last": serials[-1]}

    def events(self, device: str) -> dict[str, int]:
        """Count a device's events; of none where it is no outstation."""
        if device not in self.driven:
            return {}
        buffer = self[device].rtu.buffer
        held = sum(buffer.held.values())
        return {
            "made": buffer.made,
            "held": held,
            "lost": len(buffer.lost),
            "confirmed": len(buffer.confirmed),
        }

    def _channels(self) -> dict[str, list[Device]]:
        shared: dict[str, list[Device]] = {}
        for device in self.devices.values():
            shared.setdefault(device.settings.url, []).append(device)
        for url, members in shared.items():
            if len({device.settings.outstation for device in members}) < len(members):
                raise Refused(f"two devices of {url} have the same outstation address")
        return shared
