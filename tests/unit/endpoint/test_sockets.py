"""Sockets that leave by one interface and address, on the loopback's many."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from otgate.driver import Driver, Link
from otgate.endpoint.sockets import connected, listener
from otgate.endpoint.tcp import dial
from otgate.errors import LinkLost
from otgate.model import Device, Kind, Point
from otgate.peeking import Forgotten
from otgate.publish.dial import dial as dial_broker
from otgate.publish.errors import BrokerLost
from otgate.publish.settings import Broker
from otgate.via import Via
from otgate_dnp3 import Dnp3
from otgate_dnp3.channel.tcp import listening as listening_for_outstations
from otgate_dnp3.channel.udp import open_udp
from otgate_iec61850 import Iec61850
from otgate_modbus import Modbus

HERE, OURS, STRANGE = "127.0.0.1", "127.0.0.9", "203.0.113.7"
pytestmark = pytest.mark.both_loops


class Server:
    """Takes connections and says where they came from."""

    def __init__(self) -> None:
        self.port = 0
        self.came_from: asyncio.Queue[str] = asyncio.Queue()

    async def take(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.came_from.put_nowait(writer.get_extra_info("peername")[0])
        writer.close()


@asynccontextmanager
async def serving(host: str = HERE) -> AsyncIterator[Server]:
    server = Server()
    async with await asyncio.start_server(server.take, host, 0) as listening:
        server.port = listening.sockets[0].getsockname()[1]
        yield server


async def test_a_connection_comes_from_the_address_of_its_way() -> None:
    async with serving() as server:
        with await connected(HERE, server.port, Via("lo", OURS)) as made:
            assert made.getsockname()[0] == OURS
        assert await server.came_from.get() == OURS


async def test_a_name_is_reached_at_an_address_of_the_family_of_the_way() -> None:
    async with serving() as server:
        with await connected("localhost", server.port, Via(address=OURS)) as made:
            assert made.family == socket.AF_INET


async def test_a_connection_is_bound_to_the_interface_of_its_way() -> None:
    async with serving() as server:
        with await connected(HERE, server.port, Via("lo")) as made:
            bound = made.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16)
            assert bound.rstrip(b"\0") == b"lo"


@pytest.mark.parametrize(
    ("via", "said"),
    [
        (Via("otgate-none"), "this machine has no interface `otgate-none`"),
        (Via(address=STRANGE), f"this machine does not have address {STRANGE}"),
        (Via("lo", STRANGE), f"this machine does not have address {STRANGE}"),
    ],
)
async def test_what_this_machine_does_not_have_is_said_and_nothing_else_is_used(
    via: Via, said: str
) -> None:
    async with serving() as server:
        with pytest.raises(LinkLost, match=said):
            await dial(asyncio.Protocol, HERE, server.port, via=via)
        with pytest.raises(BrokerLost, match=said):
            await dial_broker(Broker(HERE, server.port), None, via)
        with pytest.raises(LinkLost, match=said):
            await open_udp(HERE, server.port, via=via)
        assert server.came_from.empty()


async def test_an_address_that_comes_up_later_is_used_then() -> None:
    """Nothing of a refused attempt is kept."""
    async with serving() as server:
        for via in (Via(address=STRANGE), Via(address=OURS)):
            with pytest.raises(OSError, match="does not have") if via.address == STRANGE else Ok():
                (await connected(HERE, server.port, via)).close()
        assert await server.came_from.get() == OURS


class Ok:
    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


async def test_a_cancelled_connection_leaves_no_open_socket() -> None:
    attempt = asyncio.ensure_future(connected("192.0.2.1", 9, Via()))
    await asyncio.sleep(0.05)
    attempt.cancel()
    await asyncio.gather(attempt, return_exceptions=True)  # an open socket would be a warning


async def test_the_broker_sees_the_address_of_the_way() -> None:
    async with serving() as server:
        (await dial_broker(Broker(HERE, server.port), None, Via(address=OURS))).close()
        assert await server.came_from.get() == OURS


class Datagrams(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.took: asyncio.Queue[tuple[bytes, object]] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.took.put_nowait((data, addr))


async def test_datagrams_come_from_the_address_and_port_that_are_given(
    unused_udp_port: int,
) -> None:
    loop, outstation = asyncio.get_running_loop(), Datagrams()
    transport, _ = await loop.create_datagram_endpoint(lambda: outstation, (HERE, 0))
    port = transport.get_extra_info("sockname")[1]
    line = await open_udp(HERE, port, unused_udp_port, Via("lo", OURS))
    try:
        line.send(b"\x05\x64")
        async with asyncio.timeout(5):
            assert await outstation.took.get() == (b"\x05\x64", (OURS, unused_udp_port))
    finally:
        line.close()
        transport.close()


async def test_whoever_listens_anywhere_listens_at_the_address_of_the_way_alone() -> None:
    made = await listener("0.0.0.0", 0, Via("lo", OURS))
    host, port = made.getsockname()
    made.close()
    assert host == OURS
    async with listening_for_outstations("0.0.0.0", port, via=Via(address=OURS)):
        (await connected(OURS, port)).close()
        with pytest.raises(OSError, match="111"):
            await connected(HERE, port)


async def test_a_port_that_is_taken_is_not_listened_on() -> None:
    async with serving() as server:
        with pytest.raises(LinkLost, match="cannot listen on"):
            async with listening_for_outstations(HERE, server.port, via=Via("lo")):
                pass


DRIVERS: list[tuple[Callable[[], Driver], str, dict[str, Any], str]] = [
    (Modbus, "tcp", {}, "hr 0"),
    (Modbus, "rtu+tcp", {}, "hr 0"),
    (Dnp3, "tcp", {"outstation": 10}, "ai 0"),
    (Iec61850, "mms", {}, "IED1LD0/MMXU1.TotW.mag.f[MX]"),
]


@pytest.mark.parametrize(("made", "scheme", "settings", "address"), DRIVERS)
async def test_every_driver_goes_the_way_of_its_device(
    made: Callable[[], Driver], scheme: str, settings: dict[str, Any], address: str
) -> None:
    async with serving() as server:
        driver = made()
        url = f"{scheme}://{HERE}:{server.port}"
        point = Point("p", Kind.MEASUREMENT, address, scan="fast")
        device = Device(
            id="d1",
            driver="any",
            zone="bay",
            points=[point],
            scans={"fast": 1.0},
            settings=driver.settings(url=url, **settings),
            via=Via("lo", OURS),
        )
        link = Link([device], {"d1": driver.plan(device)}, {"d1": Forgotten()})
        going = asyncio.ensure_future(once(partial(driver.connect, link)))
        try:
            async with asyncio.timeout(10):
                assert await server.came_from.get() == OURS
        finally:
            going.cancel()
            await asyncio.gather(going, return_exceptions=True)


async def once(connect: Callable[[], Any]) -> None:
    async with connect():
        pass
