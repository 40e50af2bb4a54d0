"""An MQTT server for tests that answers each packet exactly as it is told (MQTT 5.0, 3.1.1)."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from otgate.publish.ledger import Ledger
from otgate.publish.payload import GapNotice, GatewayStatus, Samples
from otgate.publish.subscribe import Payload, decode
from otgate.publish.topics import Address, read_topic

CONNECT, PUBLISH, PUBACK, PINGREQ, DISCONNECT = 1, 3, 4, 12, 14
V5, V311 = 5, 4
ACCEPTED_V5 = bytes.fromhex("20 03 00 00 00")
ACCEPTED_V311 = bytes.fromhex("20 02 00 00")
UNACCEPTABLE_VERSION = bytes.fromhex("20 02 00 01")  # 3.1.1 §3.2.2.3
QUOTA_EXCEEDED = 0x97
SERVER_BUSY = bytes.fromhex("20 03 00 89 00")
RETAIN_NOT_SUPPORTED = bytes.fromhex("20 03 00 9A 00")

CLOSE = -1

Answer = Callable[["Client"], Awaitable[None]]
Judge = Callable[[str, bytes], int]
"""Gives a reason code to a topic and what follows it: properties and payload."""


def takes_all(_topic: str, _payload: bytes) -> int:
    return 0


class Client:
    """One connection, from the server's side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def packet(self) -> tuple[int, int, bytes]:
        """Return the next packet's type, flags and rest."""
        first = (await self._reader.readexactly(1))[0]
        length, shift = 0, 0
        while True:
            byte = (await self._reader.readexactly(1))[0]
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return first >> 4, first & 15, await self._reader.readexactly(length)

    async def version(self) -> int:
        """Read the CONNECT and return its protocol level."""
        kind, _, rest = await self.packet()
        assert kind == CONNECT
        return rest[6]

    async def sends(self, octets: bytes) -> None:
        self._writer.write(octets)
        await self._writer.drain()

    async def serves(self, judge: Judge = takes_all, hold: int = 0) -> None:
        """Acknowledge as ``judge`` says from when ``hold`` publishes are due; answer pings.

        A verdict of CLOSE closes the connection instead.
        """
        due: list[tuple[bytes, int]] = []
        while True:
            kind, flags, rest = await self.packet()
            if kind == PINGREQ:
                await self.sends(bytes.fromhex("D0 00"))
            if kind != PUBLISH or not flags & 0b0110:
                continue
            end = 2 + int.from_bytes(rest[:2])
            due.append((rest[end : end + 2], judge(rest[2:end].decode(), rest[end + 2 :])))
            if len(due) > hold:
                packet_id, verdict = due.pop(0)
                if verdict == CLOSE:
                    return
                await self.sends(b"\x40\x03" + packet_id + bytes([verdict]))


@asynccontextmanager
async def server(*answers: Answer) -> AsyncIterator[str]:
    """A server that gives each connection the next answer, the last one for ever."""
    waiting = list(answers)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        try:
            await answer(Client(reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"mqtt://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def accepts(client: Client) -> None:
    """Take everything."""
    assert await client.version() == V5
    await client.sends(ACCEPTED_V5)
    await client.serves()


def judging(judge: Judge) -> Answer:
    """A server that takes or refuses each message as ``judge`` says."""

    async def answer(client: Client) -> None:
        await client.version()
        await client.sends(ACCEPTED_V5)
        await client.serves(judge)

    return answer


class Books:
    """A judge that refuses what ``guilty`` picks and books what it takes, as a consumer does."""

    def __init__(self, guilty: Callable[[Address, Payload | None], int]) -> None:
        self.ledger = Ledger()
        self.gaps: list[GapNotice] = []
        self.refused = 0
        self._guilty = guilty

    def __call__(self, topic: str, rest: bytes) -> int:
        address = read_topic(topic, "otgate")
        assert address is not None
        payload = decode(address, rest[1:])
        if code := self._guilty(address, payload):
            self.refused += 1
            return code
        match payload:
            case Samples():
                self.ledger.samples(payload, address.message_class, time.time_ns() // 1000)
            case GapNotice():
                self.ledger.gap(payload)
                self.gaps.append(payload)
            case GatewayStatus():
                self.ledger.status(payload)
        return 0

    @property
    def gap_samples(self) -> int:
        """Samples announced as gaps, each counted once."""
        return sum(account.gaps for account in self.ledger.accounts.values())
