"""The IEC 61850 devices of a site: a server for each, from its SCL or its points, and the plant."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from otgate.errors import Refused
from otgate.model import Device
from otgate.together import cancelled
from otgate_iec61850.mms.browse import Identity
from otgate_iec61850.scl.document import Scl, read_scl
from otgate_iec61850.scl.model import AccessPoint
from otgate_iec61850.scl.notes import SclRefused
from otgate_sim.binding import Read
from otgate_sim.faults import LATE_S, Trouble
from otgate_sim.iec61850 import from_points, from_scl
from otgate_sim.iec61850.behaviour import IedFault, Options
from otgate_sim.iec61850.driving import Driven
from otgate_sim.iec61850.filing import File
from otgate_sim.iec61850.server import Server
from otgate_sim.loopback import LOOPBACK

IEC61850 = "iec61850"
MOST_IN_A_BURST = 100_000

Clock = Callable[[], int]


def new_trouble(late_s: float = LATE_S) -> Trouble:
    """Return a server's fault: none yet."""
    return Trouble(time.monotonic, IedFault.NONE, IedFault, late_s=late_s)


def access_point_in(scl: Scl, ied: str | None, access_point: str | None) -> AccessPoint:
    """Return the server that a device entry means, the first where it does not say.

    Raises:
        Refused: the file has no such server.
    """
    names = list(scl.ieds)
    wanted = ied or (names[0] if names else "")
    if wanted not in names:
        raise Refused(f"{scl.file} has no IED {wanted!r}")
    for point in scl.ied(wanted).access_points:
        if access_point in {None, point.name}:
            return point
    raise Refused(f"IED {wanted} of {scl.file} has no access point {access_point or ''!r}")


def server_from_scl(
    path: Path,
    clock: Clock,
    *,
    ied: str | None = None,
    access_point: str | None = None,
    options: Options | None = None,
    trouble: Trouble | None = None,
) -> Server:
    """Return the server that an SCL file describes. It blocks.

    Raises:
        Refused: the file cannot be used, or has no such server.
    """
    options = options or Options()
    try:
        scl = read_scl(path)
        found = access_point_in(scl, ied, access_point)
    except SclRefused as refused:
        raise Refused(str(refused)) from refused
    server = Server(
        from_scl.held(found, clock(), options.time_quality),
        from_scl.configured_in(found),
        clock,
        trouble or new_trouble(),
        options,
        Identity("otgate", found.name, "1"),
    )
    server.files[path.name] = File(path.read_bytes(), clock())
    return server


def server_from_points(
    device: Device, clock: Clock, *, options: Options | None = None, trouble: Trouble | None = None
) -> Server:
    """Return a server that has what the points of a device name.

    Raises:
        Refused: a point cannot be simulated.
    """
    options = options or Options()
    holding = from_points.held(device, clock(), options.time_quality)
    reports = getattr(device.settings, "reports", ())
    return Server(
        holding,
        list(from_points.configured_for(device, holding, reports)),
        clock,
        trouble or new_trouble(),
        options,
        Identity("otgate", device.id, "1"),
    )


@dataclass(slots=True)
class Ieds:
    """The servers of a site."""

    clock: Clock
    advance: Callable[[int], None]
    late_s: float = LATE_S
    driven: dict[str, Driven] = field(default_factory=dict)

    def __getitem__(self, device: str) -> Server:
        return self.driven[device].server

    def __contains__(self, device: object) -> bool:
        return device in self.driven

    def add(self, device: Device, reads: Sequence[Read], options: Options) -> None:
        """Simulate a device.

        Raises:
            Refused: it cannot be simulated.
        """
        settings, trouble = device.settings, new_trouble(self.late_s)
        scl = getattr(settings, "scl", None)
        if scl:
            server = server_from_scl(
                Path(scl),
                self.clock,
                ied=settings.ied,
                access_point=settings.access_point,
                options=options,
                trouble=trouble,
            )
        else:
            server = server_from_points(device, self.clock, options=options, trouble=trouble)
        made = Driven(server, self.advance)
        made.follow(device, reads)
        self.driven[device.id] = made

    @asynccontextmanager
    async def serving(
        self, port_base: int = 0, host: str = LOOPBACK
    ) -> AsyncIterator[Mapping[str, str]]:
        """Serve every device at ``host`` while the block runs; yield their addresses.

        Raises:
            OSError: a port is taken.
        """
        following: list[asyncio.Future[None]] = []
        urls: dict[str, str] = {}
        async with AsyncExitStack() as stack:
            for number, (device, made) in enumerate(self.driven.items()):
                port = port_base + number if port_base else 0
                await stack.enter_async_context(made.server.serving(port, host))
                urls[device] = made.server.url
            try:
                following += [asyncio.ensure_future(each.run()) for each in self.driven.values()]
                yield urls
            finally:
                await cancelled(following)

    def burst(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Make many events of a point at once, as a control request asks.

        Raises:
            Refused: it names no simulated point, or no possible number or time.
        """
        device, point, count = (asked.get(key) for key in ("device", "point", "count"))
        if not isinstance(device, str) or device not in self.driven:
            known = ", ".join(self.driven) or "none"
            raise Refused(f"there is no simulated IEC 61850 device {device!r}; there are {known}")
        made = self.driven[device]
        if not isinstance(point, str) or point not in made.addresses:
            raise Refused(f"{device} has no point {point!r}")
        if type(count) is not int or not 1 <= count <= MOST_IN_A_BURST:
            raise Refused(f"a burst has 1 to {MOST_IN_A_BURST} events")
        start_ms, step_ms = asked.get("start_ms"), asked.get("step_ms", 1)
        if not all(type(ms) is int and ms >= 0 for ms in (start_ms or 0, step_ms)):
            raise Refused("times are whole milliseconds")
        start_ns = None if start_ms is None else start_ms * 1_000_000
        events = made.server.burst(made.addresses[point], count, start_ns, step_ms * 1_000_000)
        return {"device": device, "point": point, "count": count, "last": str(events[-1].value)}

    def events(self, device: str) -> dict[str, Any]:
        """Count the entries of a device's control blocks; nothing where it is none of ours."""
        if device not in self.driven:
            return {}
        server = self[device]
        return {
            "clients": len(server.peers),
            "blocks": {
                name: {
                    "enabled": block.enabled,
                    "made": block.buffer.made,
                    "kept": len(block.buffer.kept),
                    "sent": len(block.buffer.sent),
                    "lost": len(block.buffer.lost),
                }
                for name, block in server.blocks.items()
            },
        }
