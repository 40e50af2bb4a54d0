"""The bus side's stages after the spool: encode, and publish through PUBACK."""

import asyncio
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import count as counted
from pathlib import Path

import inputs
import msgspec
import pytest
from timing import Trial, looped

from brokers import Mosquitto
from otgate.app.loop import loop_factory
from otgate.model import Lane
from otgate.publish.dialect import Dialect
from otgate.publish.encode import Encoder
from otgate.publish.labels import Labels
from otgate.publish.message import Message, Outcome
from otgate.publish.session import opened
from otgate.publish.settings import BusSettings, Limits, read_broker
from otgate.publish.topics import Topics
from otgate.spool.items import Frame

WINDOW = 20
CONNECT_311 = bytes.fromhex("10 11 0004 4D515454 04 02 003C 0005") + b"floor"
"""MQTT 3.1.1, §3.1: clean session, client id ``floor``."""

SETTLED: set[int] = set()


@contextmanager
def encode(count: int, changed: int) -> Iterator[tuple[Trial, Trial]]:
    """Frames to payloads; the floor encodes the same samples as a plain list of dicts."""
    frames, labels = framed(count, changed)
    encoder = Encoder(topics(), Limits(), bytes)
    frame = frames[0]
    rows = [
        {"id": labels.ids[point], "v": value}
        for point, value in zip(frame.batch.index, frame.batch.values.tolist(), strict=True)
    ]
    plain = msgspec.json.Encoder().encode

    def ours(number: int) -> None:
        frame = frames[number % len(frames)]
        for _ in encoder.messages(frame, labels, frame.spooled_ns):
            pass

    yield looped(ours), looped(lambda _: plain(rows))


@contextmanager
def publish(count: int, changed: int) -> Iterator[tuple[Trial, Trial]]:
    """A session and Mosquitto; the floor is a blocking socket with the same window."""
    frames, labels = framed(count, changed)
    encoder = Encoder(topics(), Limits(), bytes)
    scans = [list(encoder.messages(frame, labels, frame.spooled_ns)) for frame in frames]
    with tempfile.TemporaryDirectory() as place, broker(Path(place)) as running:

        def ours(times: int) -> float:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                return runner.run(published(running.url, scans, times))

        def floor(times: int) -> float:
            return sent(running.port, scans, times)

        yield ours, floor


def framed(count: int, changed: int) -> tuple[list[Frame], Labels]:
    """Return frames as a reader hands them out, and what their catalog says."""
    labels = described()
    batches = inputs.reported(count, changed)
    frames = [
        Frame(Lane.DATA, 77, number * count, labels.catalog, batch, batch.received_ns)
        for number, batch in enumerate(batches)
    ]
    return frames, labels


@cache
def described() -> Labels:
    """Return what the catalog says, with 10,000 points it takes a while."""
    return Labels(inputs.catalog())


def topics() -> Topics:
    """Return the topics of the catalog's conduit."""
    return Topics("otgate", "sub7", "gw1", "analytics")


@contextmanager
def broker(place: Path) -> Iterator[Mosquitto]:
    """Run Mosquitto, or give up with a sentence where there is none."""
    try:
        running = Mosquitto(place / "broker", options=["set_tcp_nodelay true"])
        running.start()
    except pytest.fail.Exception as missing:
        raise SystemExit(str(missing)) from None
    try:
        yield running
    finally:
        running.kill()


async def published(url: str, scans: Sequence[Sequence[Message]], times: int) -> float:
    """Publish so many scans and await their acknowledgements; return CPU seconds."""
    settings = BusSettings([read_broker(url)[0]], client_id="bench", window=WINDOW)
    will = Message("otgate/will", b"")

    def settled(_message: Message, outcome: Outcome) -> None:
        SETTLED.add(outcome.code)

    async with opened(settings, settings.brokers[0], Dialect(), will, settled) as session:
        begun_s = time.process_time()
        for number in range(times):
            for message in scans[number % len(scans)]:
                await session.send(message)
        await session.drained()
        spent_s = time.process_time() - begun_s
        await session.goodbye()
    return spent_s


def sent(port: int, scans: Sequence[Sequence[Message]], times: int) -> float:
    """Publish so many scans over a bare socket, ``WINDOW`` messages in flight."""
    with socket.create_connection(("127.0.0.1", port)) as wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire.sendall(CONNECT_311)
        assert wire.recv(4, socket.MSG_WAITALL) == b"\x20\x02\x00\x00"
        begun_s, ids, due = time.process_time(), counted(1), 0
        for number in range(times):
            for message in scans[number % len(scans)]:
                wire.sendall(packet(message, next(ids) % 65_535 + 1))
                due += 1
                if due == WINDOW:
                    wire.recv(4 * due, socket.MSG_WAITALL)
                    due = 0
        wire.recv(4 * due, socket.MSG_WAITALL)
        return time.process_time() - begun_s


def packet(message: Message, packet_id: int) -> bytes:
    """Return a PUBLISH of QoS 1 (MQTT 3.1.1, §3.3)."""
    topic = message.topic.encode()
    rest = len(topic).to_bytes(2) + topic + packet_id.to_bytes(2)
    length, left = bytearray(), len(rest) + len(message.payload)
    while left > 127:
        length.append(left & 127 | 128)
        left >>= 7
    length.append(left)
    return b"".join((b"\x32", length, rest, message.payload))
