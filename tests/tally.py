"""The guide's example driver, as it is printed there, and a server for it."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import ModuleType

from otgate.driver import Driver
from otgate.model import Device, Kind, Point
from otgate.testing.contract import DriverContract

GUIDE = Path(__file__).parent.parent / "docs" / "guide" / "writing-a-driver.md"


def printed() -> str:
    """Return the guide's driver: its first Python block."""
    block = re.search(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    assert block is not None
    return block[1]


def run(source: str) -> ModuleType:
    """Run ``source`` as the driver's module."""
    module = ModuleType("otgate_tally")
    sys.modules[module.__name__] = module
    exec(compile(source, str(GUIDE), "exec"), module.__dict__)
    return module


otgate_tally = run(printed())
Tally: type[Driver] = otgate_tally.Tally


def tally_device(
    host: str, port: int, *, name: str = "t1", timeout_s: float = 0.5, **scans: Sequence[str]
) -> Device:
    """Make a device whose scan classes hold points named and addressed alike."""
    periods = {"fast": 0.2, "normal": 1.0, "slow": 5.0}
    return Device(
        name,
        "tally",
        "bay",
        [
            Point(id=id_, kind=Kind.MEASUREMENT, address=id_, scan=scan)
            for scan, ids in scans.items()
            for id_ in ids
        ],
        {scan: periods[scan] for scan in scans},
        otgate_tally.TallySettings(host=host, port=port, timeout_s=timeout_s),
    )


class TallyServer:
    """Answers reads from ``values``; a name in ``mute`` makes it ignore the request."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = dict(values)
        self.mute: set[str] = set()
        self.asked: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := (await reader.readline()).decode("utf-8", "replace"):
                number, _read, *names = line.split()
                self.asked.append(" ".join(names))
                if self.mute.isdisjoint(names):
                    values = (self.values.get(name, "-") for name in names)
                    writer.write(f"{number} {' '.join(values)}\n".encode())
        except (ConnectionError, ValueError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def tally(values: Mapping[str, str]) -> AsyncIterator[tuple[TallyServer, int]]:
    """Serve on a free port and yield the server and its port."""
    tally_server_ = TallyServer(values)
    server = await asyncio.start_server(tally_server_.serve, "127.0.0.1", 0)
    try:
        yield tally_server_, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def tally_server(values: Mapping[str, str]) -> AsyncIterator[tuple[str, int]]:
    """Serve on a free port and yield the endpoint."""
    async with tally(values) as (_, port):
        yield "127.0.0.1", port


class TallyKeeps(DriverContract):
    """The contract, for the guide's driver."""

    answer_s = 2.0

    def driver(self) -> Driver:
        return Tally()

    def device(self, host: str, port: int) -> Device:
        return tally_device(host, port, fast=["ia", "ib"], slow=["ic"])

    def refused_device(self, host: str, port: int) -> tuple[Device, frozenset[str]]:
        return tally_device(host, port, fast=["ia", "nosuch"], slow=["ic"]), frozenset({"nosuch"})

    def mistaken_device(self, host: str, port: int) -> Device:
        return tally_device(host, port, fast=["not a word"])

    def serving(self) -> AbstractAsyncContextManager[tuple[str, int]]:
        return tally_server({"ia": "412.3", "ib": "410.0", "ic": "7"})

    def writes(self, sent: bytes) -> Sequence[str]:
        return [line for line in sent.decode().splitlines() if " read " not in line]
