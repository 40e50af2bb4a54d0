"""A TCP relay before a server that can fall silent or deaf, cut, garble, hold and slow down."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum, auto

from otgate.testing.wire import LOOPBACK, reset
from otgate.together import cancelled, together


class Manner(Enum):
    """What the relay does with what the two ends say."""

    FAITHFUL = auto()
    SILENT = auto()
    """Answers are thrown away."""
    DEAF = auto()
    """Requests are thrown away."""
    DARK = auto()
    """Both are: a black hole."""
    HOLDING = auto()
    """Answers are kept back until the manner is FAITHFUL again."""
    GARBLED = auto()
    """Each answer is replaced by random bytes of its length."""
    CUTTING = auto()
    """The connection is closed on the next request."""


class Relay:
    """Carries bytes both ways between a client and the server at ``target``."""

    def __init__(self, target: tuple[str, int], seed: int = 1) -> None:
        self.host = LOOPBACK
        self.port = 0
        self.sent = bytearray()
        """Everything that clients have sent, over all connections."""
        self.connections = 0
        self.asked = asyncio.Event()
        """Set by every request; clear it to wait for the next."""
        self.bytes_s: float | None = None
        """How much goes forth in a second, over each connection; None is no limit."""
        self.delay_s = 0.0
        """How late each answer comes."""
        self._target = target
        self._manner = Manner.FAITHFUL
        self._random = random.Random(seed)  # noqa: S311 - a test repeats its garbage
        self._held: list[tuple[asyncio.StreamWriter, bytes]] = []
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._server: asyncio.Server | None = None

    @property
    def open_connections(self) -> int:
        """How many clients are connected now."""
        return len(self._open)

    async def start(self) -> None:
        """Accept connections, on the same port as before."""
        self._server = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuse connections and end those that are open."""
        if self._server is not None:
            self._server.close()
        await cancelled(self._open)
        if self._server is not None:
            await self._server.wait_closed()

    def turns(self, manner: Manner) -> None:
        """Behave like this from now on; FAITHFUL first delivers what was held."""
        self._manner = manner
        if manner is Manner.FAITHFUL:
            held, self._held = self._held, []
            for writer, answer in held:
                writer.write(answer)

    def cut(self) -> None:
        """Reset every open connection now."""
        for writer in self._open.values():
            reset(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:  # asyncio always serves a connection in a task
            return
        self._open[task] = writer
        self.connections += 1
        try:
            with suppress(OSError, asyncio.CancelledError):
                await self._join(reader, writer)
        finally:
            del self._open[task]
            writer.close()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        try:
            await together(self._forth(reader, far_writer, writer), self._back(far_reader, writer))
        except EOFError:
            pass  # either end is done, and so are both
        finally:
            far_writer.close()

    async def _forth(
        self,
        reader: asyncio.StreamReader,
        far_writer: asyncio.StreamWriter,
        writer: asyncio.StreamWriter,
    ) -> None:
        while request := await reader.read(1024 if self.bytes_s else 65536):
            self.sent += request
            self.asked.set()
            if self.bytes_s:
                await asyncio.sleep(len(request) / self.bytes_s)
            if self._manner is Manner.CUTTING:
                writer.close()
                raise EOFError
            if self._manner not in {Manner.DEAF, Manner.DARK}:
                far_writer.write(request)
                await far_writer.drain()
        raise EOFError

    async def _back(self, far_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while answer := await far_reader.read(65536):
            await asyncio.sleep(self.delay_s)
            if self._manner in {Manner.FAITHFUL, Manner.DEAF}:
                writer.write(answer)
            elif self._manner is Manner.HOLDING:
                self._held.append((writer, answer))
            elif self._manner is Manner.GARBLED:
                writer.write(self._random.randbytes(len(answer)))
        raise EOFError


@asynccontextmanager
async def relayed(target: tuple[str, int]) -> AsyncIterator[Relay]:
    """Put a relay in front of the server at ``target`` for the length of the block."""
    relay = Relay(target)
    await relay.start()
    try:
        yield relay
    finally:
        await relay.stop()
