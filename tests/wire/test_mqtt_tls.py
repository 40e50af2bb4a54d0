"""The bus side's end of a TLS connection: much at once, what lies read ahead, alerts."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from brokers import Authority, Mosquitto, authority
from mqtt_wires import CONNACK, WILL, Told, puback, publish, spelled, until
from otgate.publish.dial import dial
from otgate.publish.dialect import Dialect
from otgate.publish.errors import BrokerClosed, BrokerRefused
from otgate.publish.packets import Version
from otgate.publish.session import opened
from otgate.publish.settings import Broker, BusSettings, Tls, Transport
from otgate.publish.wire import Wire

__all__ = ["authority"]


@asynccontextmanager
async def secured(
    authority: Authority, serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]
) -> AsyncIterator[tuple[Wire, Told]]:
    """A wire over TLS to a server of the test's."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority.certificate("broker"), authority.key("broker"))
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)  # type: ignore[arg-type]
    broker = Broker("127.0.0.1", server.sockets[0].getsockname()[1], Transport.TLS)
    told = Told()
    wire = Wire(await dial(broker, Tls(Path(authority.ca_file))), Version.V5, told)
    yield wire, told
    wire.abort()
    server.close()
    await asyncio.sleep(0.05)


async def test_tls_carries_much_in_both_directions_at_once(authority: Authority) -> None:
    size, count = 20_000, 200
    came = bytearray()
    total = sum(len(spelled(number, size)) for number in range(1, count + 1))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CONNACK + b"".join(puback(number) for number in range(1, 20_001)))
        while len(came) < total:
            came.extend(await reader.read(100_000))
            await asyncio.sleep(0)
        writer.write(puback(20_001))
        writer.close()

    async with secured(authority, serve) as (wire, told):
        for number in range(1, count + 1):
            publish(wire, number, bytes(size))
        await until(lambda: told.ends)
    assert [number for number, _ in told.acknowledged_] == list(range(1, 20_002))
    assert bytes(came) == b"".join(spelled(number, size) for number in range(1, count + 1))
    assert isinstance(told.ends[0], BrokerClosed)


async def test_what_tls_has_read_ahead_is_heard_though_nothing_more_comes(
    authority: Authority,
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CONNACK + b"".join(puback(number) for number in range(1, 3001)))
        await reader.read()
        writer.close()

    async with secured(authority, serve) as (_, told):
        await until(lambda: len(told.acknowledged_) == 3000)


async def test_a_certificate_that_is_refused_after_the_handshake_is_no_matter_of_dialect(
    tmp_path: Path, authority: Authority
) -> None:
    with Mosquitto(tmp_path / "mutual", options=authority.listener(mutual="true")) as mutual:
        broker = Broker("localhost", mutual.port, Transport.TLS)
        settings = BusSettings([broker], "c", tls=Tls(authority.ca_file))
        with pytest.raises(BrokerRefused, match="TLS: the broker ended it"):
            async with opened(settings, broker, Dialect(), WILL, lambda _, __: None):
                pass


async def test_bytes_that_are_no_tls_are_told_as_such(authority: Authority) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raw = writer.get_extra_info("socket")
        await reader.read(1)
        with socket.socket(fileno=socket.dup(raw.fileno())) as beneath:
            beneath.send(b"not TLS, after the handshake")
        writer.close()

    async with secured(authority, serve) as (wire, told):
        publish(wire, 1)
        await until(lambda: told.ends)
    assert isinstance(told.ends[0], BrokerRefused)
    assert "TLS" in str(told.ends[0])
