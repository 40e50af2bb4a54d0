"""Answers who asks for metrics or health: HTTP/1.0 on a unix socket, and where a file says so.

It answers GET and HEAD of two paths and changes nothing. Metrics are made at most once a second,
and in pieces, so that nobody who asks holds up polls.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NoReturn, TypeVar

import structlog

from otgate.errors import OtgateError, Refused
from otgate.observe.control import HANGS_UP, short_path
from otgate.observe.exposition import CONTENT_TYPE, Found, Grouped, group, written

MAX_HEAD = 8192
"""Bytes of a request's head."""
MOST_AT_ONCE = 16
"""Conversations at a time; more are turned away at once."""
TALK_LIMIT_S = 5.0
FRESH_S = 1.0
"""For how long what was made is given to others too."""
AT_ONCE = 400
"""Series and lines made before others get their turn on the loop: about a millisecond."""
AGAIN_S = 10.0
"""After which an address that could not be had is tried again."""
PLAIN = "text/plain; charset=utf-8"
REASONS = {
    200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed",
    503: "Service Unavailable",
}  # fmt: skip

Item = TypeVar("Item")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Source:
    """What a side shows of itself."""

    metrics: Callable[[], Awaitable[Iterable[Found]]]
    stuck: Callable[[], str]
    """Says why the side does not get on; nothing where it does."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A status, and what is said with it."""

    code: int
    body: bytes
    content_type: str = PLAIN

    def spelled(self, *, head_only: bool) -> bytes:
        """Return the reply's bytes."""
        head = (
            f"HTTP/1.0 {self.code} {REASONS[self.code]}\r\n"
            f"Content-Type: {self.content_type}\r\nContent-Length: {len(self.body)}\r\n"
            "Connection: close\r\n\r\n"
        )
        return head.encode() + (b"" if head_only else self.body)


BUSY = Reply(503, b"too many ask at once\n")
NO_REQUEST = Reply(400, b"not an HTTP request\n")
NO_METHOD = Reply(405, b"GET or HEAD\n")
NO_PATH = Reply(404, b"there are /metrics and /healthz\n")


class Responder:
    """Answers for one side, on however many sockets."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._making = asyncio.Lock()
        self._made = b""
        self._made_s = float("-inf")
        self._talking = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one request, answer it and hang up."""
        self._talking += 1
        try:
            async with asyncio.timeout(TALK_LIMIT_S):
                writer.write(await self._answered(reader))
                await writer.drain()
        except HANGS_UP:
            return
        finally:
            self._talking -= 1
            writer.close()

    async def _answered(self, reader: asyncio.StreamReader) -> bytes:
        if self._talking > MOST_AT_ONCE:
            return BUSY.spelled(head_only=False)
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, protocol = [*head.split(b"\r\n", 1)[0].split(b" "), b"", b""][:3]
        if not protocol.startswith(b"HTTP/"):
            return NO_REQUEST.spelled(head_only=False)
        if method not in {b"GET", b"HEAD"}:
            return NO_METHOD.spelled(head_only=False)
        reply = await self._reply(target.split(b"?", 1)[0])
        return reply.spelled(head_only=method == b"HEAD")

    async def _reply(self, path: bytes) -> Reply:
        if path == b"/metrics":
            try:
                return Reply(200, await self.text(), CONTENT_TYPE)
            except OtgateError as error:
                return Reply(503, f"{error}\n".encode())
        if path == b"/healthz":
            why = self._source.stuck()
            return Reply(503 if why else 200, f"{why or 'ok'}\n".encode())
        return NO_PATH

    async def text(self) -> bytes:
        """Return the metrics as text, at most `FRESH_S` old."""
        async with self._making:
            loop = asyncio.get_running_loop()
            if loop.time() - self._made_s >= FRESH_S:
                self._made = await spelled(await self._source.metrics())
                self._made_s = loop.time()
            return self._made


async def spelled(found: Iterable[Found]) -> bytes:
    """Write metrics, giving others their turn on the loop."""
    grouped: Grouped = {}
    async for some in in_pieces(found):
        for one in some:
            group(one, grouped)
    return "".join(["".join(some) async for some in in_pieces(written(grouped))]).encode()


async def in_pieces(items: Iterable[Item]) -> AsyncIterator[Sequence[Item]]:
    """Yield ``items`` some at a time, giving others their turn on the loop between."""
    rest = iter(items)
    while some := list(islice(rest, AT_ONCE)):
        yield some
        await asyncio.sleep(0)


def fetched(path: Path, target: str) -> tuple[int, str]:
    """Ask the side whose socket is ``path``; return the status and the text of its reply.

    Raises:
        Refused: nobody answers there, or not in this protocol.
    """
    try:
        with short_path(path) as name, socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(TALK_LIMIT_S)
            connection.connect(name)
            connection.sendall(f"GET {target} HTTP/1.0\r\n\r\n".encode())
            with connection.makefile("rb") as stream:
                head, _, body = stream.read().partition(b"\r\n\r\n")
        return int(head.split()[1]), body.decode()
    except (OSError, ValueError, IndexError) as error:
        raise Refused(f"nobody answers at {path}: {error}") from error


@asynccontextmanager
async def answering(listener: socket.socket, responder: Responder) -> AsyncIterator[None]:
    """Answer on a unix socket that is bound while the context is open."""
    server = await asyncio.start_unix_server(responder, sock=listener, limit=MAX_HEAD)
    try:
        yield
    finally:
        server.close()


async def listened(host: str, port: int, responder: Responder) -> NoReturn:
    """Answer at an address for ever.

    One that cannot be had is said once and tried again: a site is not left unread for it.
    """
    said = ""
    while True:
        try:
            server = await asyncio.start_server(responder, host, port, limit=MAX_HEAD)
        except OSError as error:
            why = error.strerror or str(error)
            if why != said:
                said = why
                log.error("metrics_not_served", listen=f"{host}:{port}", error=why)  # noqa: TRY400
            await asyncio.sleep(AGAIN_S)
            continue
        log.info("metrics_served", listen=f"{host}:{port}")
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            server.close()
