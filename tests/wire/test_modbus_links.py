"""UDP, TLS, backup places, servers that close what rests, one client at a time, slow requests."""

import asyncio
import itertools
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from pymodbus.framer import FramerType
from pymodbus.server import ModbusTcpServer, ModbusUdpServer

from modbus_peers import LOOPBACK, Asked, Held, frame, point, serving, session, sessions
from otgate.driver import Link
from otgate.endpoint.places import KEY
from otgate.endpoint.tls import TlsFiles, tls_context
from otgate.errors import LinkLost, Unusable
from otgate.model import Device
from otgate.testing.contract import Remembered
from otgate_modbus import Modbus
from otgate_modbus.codec import Codec
from otgate_modbus.link import Wire
from otgate_modbus.manners import Manners
from pems import keep_private
from rtu_peers import over_tcp, reading

pytestmark = pytest.mark.both_loops

TWO = (point("a", "hr 0"), point("b", "ir 0"))
HONEST = {"a": (0, 0), "b": (0, 0)}


def at(url: str, *points: Any, **settings: Any) -> Device:
    block = Modbus.settings(url=url, **settings)
    return Device("f1", "modbus", "bay", points or TWO, {"normal": 1.0}, block)


# pymodbus as an independent server


@pytest.mark.parametrize("scheme", ["udp", "rtu+tcp"])
async def test_an_independent_server_is_read(scheme: str) -> None:
    held = Held({1: {}, 2: {}, 3: dict.fromkeys(range(125), 7), 4: {0: 9}})
    server: Any = (
        ModbusUdpServer(held, address=(LOOPBACK, 0))
        if scheme == "udp"
        else ModbusTcpServer(held, framer=FramerType.RTU, address=(LOOPBACK, 0))
    )
    await server.serve_forever(background=True)
    try:
        transport = server.transport
        there = transport.get_extra_info("sockname") if scheme == "udp" else None
        port = there[1] if there else transport.sockets[0].getsockname()[1]
        wide = tuple(point(f"p{number}", f"hr {number}") for number in range(125))
        async with sessions(at(f"{scheme}://{LOOPBACK}:{port}", *wide)) as (bench,):
            assert set((await bench.values()).values()) == {7}
    finally:
        await server.shutdown()


# UDP


class Box(asyncio.DatagramProtocol):
    """A UDP server that answers as a function says."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answers: Callable[[Asked], list[bytes]] = lambda asked: [asked.honest()]

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        asked = Asked(data)
        self.asked.append(asked)
        for reply in self.answers(asked):
            self.transport.sendto(reply, addr)


@asynccontextmanager
async def boxed() -> AsyncIterator[tuple[Box, str]]:
    loop = asyncio.get_running_loop()
    transport, box = await loop.create_datagram_endpoint(Box, local_addr=(LOOPBACK, 0))
    try:
        yield box, f"udp://{LOOPBACK}:{transport.get_extra_info('sockname')[1]}"
    finally:
        transport.close()


async def test_a_lost_datagram_is_asked_for_again_once_under_another_id() -> None:
    async with boxed() as (box, url), sessions(at(url, timeout_s=0.4)) as (bench,):
        box.answers = lambda asked: [asked.honest()] if len(box.asked) > 1 else []
        assert await bench.scan() == HONEST
        assert [asked.tid for asked in box.asked] == [1, 2, 3]
        assert bench.counts.retries == 1


async def test_a_late_datagram_is_dropped() -> None:
    async with boxed() as (box, url), sessions(at(url)) as (bench,):
        box.answers = lambda asked: [frame(asked.tid - 1, 1, 3, b"\x02\x00\x63"), asked.honest()]
        assert await bench.scan() == HONEST
        assert bench.counts.late == 2


@pytest.mark.parametrize(
    "rubbish", [b"", b"\x00", b"\xff" * 300, bytes(6), b"HTTP/1.1 400 Bad Request"]
)
async def test_a_datagram_that_is_no_reply_is_counted_and_dropped(rubbish: bytes) -> None:
    async with boxed() as (box, url), sessions(at(url)) as (bench,):
        box.answers = lambda asked: [rubbish, asked.honest()]
        assert await bench.scan() == HONEST
        assert bench.counts.malformed == (2 if rubbish else 0)


async def test_a_reply_cut_over_two_datagrams_is_none() -> None:
    async with boxed() as (box, url), sessions(at(url, timeout_s=0.2)) as (bench,):
        box.answers = lambda asked: [asked.honest()[:8], asked.honest()[8:]]
        with pytest.raises(TimeoutError):
            await bench.scan()
        box.answers = lambda asked: [asked.honest()]
        assert await bench.scan() == HONEST


async def test_a_closed_udp_port_loses_the_link() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((LOOPBACK, 0))
        url = f"udp://{LOOPBACK}:{probe.getsockname()[1]}"
    async with sessions(at(url)) as (bench,):
        with pytest.raises(LinkLost, match="nobody listens there: Connection refused"):
            await bench.scan()


# TLS


@pytest.fixture
def certificates(tmp_path: Path) -> dict[str, dict[str, str]]:
    """Certificates of both ends by one authority, and a stranger's by another."""
    ours, other = trustme.CA(), trustme.CA()
    ours.cert_pem.write_to_path(tmp_path / "ca")
    made = {}
    for name, authority in (("gateway", ours), ("device", ours), ("stranger", other)):
        issued = authority.issue_cert(LOOPBACK, "localhost")
        issued.cert_chain_pems[0].write_to_path(tmp_path / name)
        keep_private(issued, tmp_path / f"{name}.key")
        made[name] = {
            "ca": str(tmp_path / "ca"),
            "cert": str(tmp_path / name),
            "key": str(tmp_path / f"{name}.key"),
        }
    return made


async def context(tls: dict[str, str]) -> ssl.SSLContext:
    files = TlsFiles(Path(tls["ca"]), Path(tls["cert"]), Path(tls["key"]))
    return await asyncio.to_thread(tls_context, files, server=True)


async def test_a_device_is_read_under_tls(certificates: dict[str, dict[str, str]]) -> None:
    async with serving(ssl=await context(certificates["device"])) as server:
        url = f"tcps://{LOOPBACK}:{server.port}"
        async with sessions(at(url, tls=certificates["gateway"])) as (bench,):
            assert await bench.scan() == HONEST
        assert server.asked[0].frame.hex() == "000100000006010300000001"


@pytest.mark.parametrize(("server", "client"), [("device", "stranger"), ("stranger", "gateway")])
async def test_a_stranger_is_refused_by_either_end(
    certificates: dict[str, dict[str, str]], server: str, client: str
) -> None:
    async with serving(ssl=await context(certificates[server])) as served:
        url = f"tcps://{LOOPBACK}:{served.port}"
        with pytest.raises(LinkLost):
            async with sessions(at(url, tls=certificates[client])) as (bench,):
                await bench.scan()
        assert not served.asked


async def test_a_server_without_tls_is_a_lost_link(certificates: dict[str, dict[str, str]]) -> None:
    async with serving() as server:
        server.answers = lambda _, writer: writer.close()
        with pytest.raises(LinkLost):
            async with sessions(
                at(f"tcps://{LOOPBACK}:{server.port}", tls=certificates["gateway"])
            ):
                pass


async def test_a_certificate_that_is_not_there_is_unusable(
    certificates: dict[str, dict[str, str]],
) -> None:
    absent = certificates["gateway"] | {"key": "/nowhere/key.pem"}
    with pytest.raises(Unusable, match="TLS files"):
        async with sessions(at("tcps://127.0.0.1", tls=absent)):
            pass


# Backup


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


async def test_the_backup_is_taken_where_the_first_refuses() -> None:
    async with serving() as server:
        backup = f"tcp://{LOOPBACK}:{server.port}"
        one = at(f"tcp://{LOOPBACK}:{unused_port()}", backup=backup)
        state = Remembered()
        async with sessions(one, state=state) as (bench,):
            assert await bench.scan() == HONEST
        assert state.get(KEY) == 1


async def test_a_place_that_lets_nothing_be_read_is_tried_last_the_next_time() -> None:
    async with serving() as mute, serving() as well:
        mute.answers = lambda _asked, _writer: None
        one = at(
            f"tcp://{LOOPBACK}:{mute.port}", backup=f"tcp://{LOOPBACK}:{well.port}", timeout_s=0.1
        )
        state = Remembered()
        async with sessions(one, state=state) as (bench,):
            with pytest.raises(TimeoutError):
                await bench.scan()
        async with sessions(one, state=state) as (bench,):
            assert await bench.scan() == HONEST


# Servers with manners of their own


def idle(bench: Any) -> None:
    """Let the connection have rested for long."""
    bench.session._wire._idle_from_s -= 10


async def test_a_server_that_closes_what_rests_is_no_fault() -> None:
    async with serving() as server, session(*TWO, port=server.port) as bench:
        assert await bench.scan() == HONEST
        listening = asyncio.ensure_future(bench.session.listen(bench.got))
        idle(bench)
        server.hang_up()
        await until(lambda: bench.counts.closed_idle == 1)
        assert not listening.done()
        assert await bench.scan() == HONEST
        assert (bench.counts.closed_idle, server.connections) == (1, 2)
        listening.cancel()


async def test_a_terminal_server_that_closes_what_rests_is_no_fault() -> None:
    async with over_tcp() as server, reading(server, TWO[0]) as bench:
        await bench.scan()
        idle(bench)
        server.hang_up()
        await until(lambda: bench.counts.closed_idle == 1)
        assert await bench.values() == {"a": 1000}
        assert server.connections == 2


async def test_a_request_that_meets_the_farewell_is_asked_again_on_a_new_connection() -> None:
    async with serving() as server, session(*TWO, port=server.port) as bench:
        assert await bench.scan() == HONEST
        idle(bench)

        def leave(asked: Asked, writer: asyncio.StreamWriter) -> None:
            server.answers = lambda asked, writer: writer.write(asked.honest())
            writer.close()

        server.answers = leave
        assert await bench.scan() == HONEST
        assert (bench.counts.retries, server.connections) == (1, 2)


async def test_a_server_that_closes_while_it_is_polled_is_lost_at_once() -> None:
    async with serving() as server, session(*TWO, port=server.port) as bench:
        assert await bench.scan() == HONEST
        server.hang_up()
        with pytest.raises(LinkLost):
            async with asyncio.timeout(5):
                await bench.session.listen(bench.got)


async def test_a_server_that_closed_and_is_gone_is_a_lost_link_at_the_next_poll() -> None:
    async with serving() as server, session(*TWO, port=server.port) as bench:
        assert await bench.scan() == HONEST
        idle(bench)
        server.hang_up()
        await until(lambda: bench.counts.closed_idle == 1)
        server.stop()
        with pytest.raises(LinkLost, match="no connection"):
            await bench.scan()
        with pytest.raises(LinkLost):
            await bench.session.listen(bench.got)


async def test_a_server_that_closes_at_once_whenever_it_is_asked_is_lost() -> None:
    async with serving() as server, session(*TWO, port=server.port) as bench:
        assert await bench.scan() == HONEST
        idle(bench)
        server.answers = lambda _asked, writer: writer.close()
        with pytest.raises(LinkLost):
            await bench.scan()
        assert server.connections == 2


async def test_devices_of_one_endpoint_are_one_client() -> None:
    async with serving() as server:
        url = f"tcp://{LOOPBACK}:{server.port}"
        devices = [Device(f"d{unit}", "modbus", "bay", TWO, {"normal": 1.0},
                          Modbus.settings(url=url, unit=unit)) for unit in range(1, 6)]  # fmt: skip
        async with sessions(*devices) as benches:
            await asyncio.gather(*(bench.scan() for bench in benches))
        assert server.connections == 1


async def test_wrong_transaction_ids_are_ignored_where_a_device_is_known_for_them() -> None:
    quirks = {"ignore_transaction": True}
    async with serving() as server, session(*TWO, port=server.port, quirks=quirks) as bench:
        server.answers = lambda asked, writer: writer.write(b"\x00\x00" + asked.honest()[2:])
        assert await bench.scan() == HONEST


async def test_without_ids_a_late_reply_stays_on_the_old_connection() -> None:
    quirks = {"ignore_transaction": True}
    async with (
        serving() as server,
        session(*TWO, port=server.port, quirks=quirks, timeout_s=0.2) as bench,
    ):

        async def late(asked: Asked, writer: asyncio.StreamWriter) -> None:
            server.answers = lambda asked, writer: writer.write(asked.honest())
            await asyncio.sleep(0.3)
            writer.write(frame(asked.tid, 1, 3, b"\x02\x02\x9a"))

        server.answers = late
        with pytest.raises(TimeoutError):
            await bench.scan()
        assert await bench.scan() == HONEST
        assert server.connections == 2


async def test_a_connection_that_ended_by_itself_is_not_dropped_once_more() -> None:
    quirks = {"ignore_transaction": True}
    async with (
        serving() as server,
        session(*TWO, port=server.port, quirks=quirks, timeout_s=0.2) as bench,
    ):
        await bench.scan()
        server.answers = lambda _asked, _writer: None
        with pytest.raises(TimeoutError):
            await bench.scan()
        idle(bench)
        server.hang_up()
        await until(lambda: bench.counts.closed_idle == 1)
        server.answers = lambda asked, writer: writer.write(asked.honest())
        assert await bench.scan() == HONEST
        server.hang_up()
        with pytest.raises(LinkLost):
            async with asyncio.timeout(5):
                await bench.session.listen(bench.got)


async def test_bytes_behind_a_reply_are_tolerated_where_they_are_known() -> None:
    quirks = {"trailing_bytes": True}
    async with serving() as server:
        server.answers = lambda asked, writer: writer.write(
            frame(asked.tid, asked.unit, asked.function, b"\x02\x00\x00\xaa\xbb")
        )
        async with session(*TWO, port=server.port, quirks=quirks) as bench:
            assert await bench.scan() == HONEST
        async with session(*TWO, port=server.port) as bench:
            with pytest.raises(LinkLost):
                await bench.scan()


async def test_a_device_is_asked_no_faster_than_its_rate() -> None:
    many = tuple(point(f"p{number}", f"hr {number * 100}") for number in range(4))
    async with serving() as server, session(*many, port=server.port, requests_per_s=20) as bench:
        times: list[float] = []
        loop = asyncio.get_running_loop()

        def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
            times.append(loop.time())
            writer.write(asked.honest())

        server.answers = answer
        for _ in range(2):
            await bench.scan()
        apart = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert len(times) == 8
        assert min(apart) >= 0.045


async def test_a_poll_waits_for_the_connection_it_needs() -> None:
    driver, one = Modbus(), at(f"tcp://{LOOPBACK}:{unused_port()}")
    link = Link([one], {"f1": driver.plan(one)}, {"f1": Remembered()})
    with pytest.raises(LinkLost, match="no connection"):
        async with driver.connect(link):
            pass


async def test_a_wire_without_a_way_back_is_lost_when_it_closes() -> None:
    wire = Wire(lambda: 0, Manners(), Codec())
    wire._closed = True
    with pytest.raises(LinkLost, match="closed the connection"):
        await wire.ready(1)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  a count has no event
            await asyncio.sleep(0.002)
