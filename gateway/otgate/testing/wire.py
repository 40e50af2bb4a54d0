"""A scripted TCP server: what it expects, byte for byte, and what it answers.

Bytes are spelled in hexadecimal with any spacing. In what is expected ``..`` stands for any one
byte; in a reply ``[a:b]`` repeats those bytes of the request, e.g. its transaction id::

    async with scripted() as wire:
        wire.expects(".... 0000 0006 01 03 0000 0002").replies("[0:2] 0000 0003 01 83 02")

Exchanges are played in order, over as many connections as the client opens. Leaving the block
fails if anything else was received or an exchange was not played.
"""

import asyncio
import re
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from socket import SO_LINGER, SOL_SOCKET

LOOPBACK = "127.0.0.1"
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER on with no time: closing sends RST."""

Action = Callable[[asyncio.StreamWriter, bytes], None]


def pattern(spelled: str) -> list[int | None]:
    """Read hexadecimal bytes, ``..`` being None."""
    compact = "".join(spelled.split())
    pairs = (compact[at : at + 2] for at in range(0, len(compact), 2))
    return [None if pair == ".." else int(pair, 16) for pair in pairs]


def answer(spelled: str, request: bytes) -> bytes:
    """Read hexadecimal bytes, ``[a:b]`` being those of ``request``."""
    out = bytearray()
    for literal, start, stop in re.findall(r"([0-9a-fA-F\s]+)|\[(\d+):(\d+)\]", spelled):
        out += bytes.fromhex(literal) if literal else request[int(start) : int(stop)]
    return bytes(out)


@dataclass(slots=True, eq=False)
class Exchange:
    """One expected request and what is done about it; without an action it is silence."""

    spelled: str
    actions: list[tuple[float, Action]] = field(default_factory=list)

    def replies(self, spelled: str, *, after_s: float = 0.0) -> "Exchange":
        """Send these bytes as a segment of their own, ``after_s`` after what came before."""
        self.actions.append(
            (after_s, lambda writer, request: writer.write(answer(spelled, request)))
        )
        return self

    def closes(self, *, after_s: float = 0.0) -> "Exchange":
        """Close the connection in good order."""
        self.actions.append((after_s, lambda writer, _request: writer.close()))
        return self

    def resets(self, *, after_s: float = 0.0) -> "Exchange":
        """Reset the connection."""
        self.actions.append((after_s, lambda writer, _request: reset(writer)))
        return self

    def matches(self, request: bytes) -> bool:
        """Say whether ``request`` is what was expected."""
        expected = pattern(self.spelled)
        return len(expected) == len(request) and all(
            want is None or want == got for want, got in zip(expected, request, strict=True)
        )


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST instead of FIN."""
    writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, RESET_ON_CLOSE)
    writer.transport.abort()


class Wire:
    """The server end of scripted connections."""

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0
        self.received: list[bytes] = []
        """Every request in order, cut to the length that was expected."""
        self.unexpected: list[str] = []
        self.finished = asyncio.Event()
        """Set while every exchange has been played."""
        self._script: list[Exchange] = []
        self._writers: set[asyncio.StreamWriter] = set()
        self._players: set[asyncio.Task[None]] = set()
        self.finished.set()

    def expects(self, spelled: str) -> Exchange:
        """Append a request to the script; say on what is returned how it is answered."""
        exchange = Exchange(spelled)
        self._script.append(exchange)
        self.finished.clear()
        return exchange

    def says(self, spelled: str) -> None:
        """Send bytes now that nobody asked for, on every open connection."""
        for writer in self._writers:
            writer.write(bytes.fromhex(spelled))

    def check(self) -> None:
        """Compare what happened with the script.

        Raises:
            AssertionError: something else was received, or an exchange was not played.
        """
        if self.unexpected:
            raise AssertionError("\n".join(self.unexpected))
        if self._script:
            raise AssertionError(f"never received: {self._script[0].spelled}")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Play the script to one connection."""
        player = asyncio.current_task()
        if player is not None:
            self._players.add(player)
        self._writers.add(writer)
        self.connections += 1
        try:
            await self._play(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client went away, or the block is being left
        finally:
            self._writers.discard(writer)
            writer.close()

    async def close(self) -> None:
        """End every connection."""
        for player in self._players:
            player.cancel()
        await asyncio.gather(*self._players, return_exceptions=True)

    async def _play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while first := await reader.read(1):
            if not self._script:
                rest = await _whatever_follows(reader)
                self.unexpected.append(f"received beyond the script: {(first + rest).hex(' ')}")
                return
            exchange = self._script[0]
            request = first + await _up_to(reader, len(pattern(exchange.spelled)) - 1)
            if not exchange.matches(request):
                self.unexpected.append(f"expected {exchange.spelled}\nreceived {request.hex(' ')}")
                return
            await self._answer(exchange, request, writer)

    async def _answer(
        self, exchange: Exchange, request: bytes, writer: asyncio.StreamWriter
    ) -> None:
        self.received.append(request)
        self._script.pop(0)
        for after_s, action in exchange.actions:
            await asyncio.sleep(after_s)
            action(writer, request)
        if not self._script:
            self.finished.set()


async def _up_to(reader: asyncio.StreamReader, count: int) -> bytes:
    try:
        return await asyncio.wait_for(reader.readexactly(count), 1.0)
    except asyncio.IncompleteReadError as short:
        return short.partial
    except TimeoutError:
        return await _whatever_follows(reader)


async def _whatever_follows(reader: asyncio.StreamReader) -> bytes:
    with suppress(TimeoutError):
        return await asyncio.wait_for(reader.read(65536), 0.05)
    return b""


@asynccontextmanager
async def scripted() -> AsyncIterator[Wire]:
    """Serve a script on a free loopback port (``wire.port``) and check it at the end.

    Raises:
        AssertionError: the client said something else, or less.
    """
    wire = Wire()
    server = await asyncio.start_server(wire.serve, LOOPBACK, 0)
    wire.port = server.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        server.close()
        await wire.close()
        await server.wait_closed()
    wire.check()
