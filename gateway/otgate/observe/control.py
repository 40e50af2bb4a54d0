"""The administration socket of a running side: one JSON line in, one JSON line out.

A request is ``{"verb": ..., "arguments": {...}}`` of at most `MAX_REQUEST` bytes, data and never
paths; a reply is ``{"answer": ...}`` or ``{"refused": why}``. The socket lies in a directory that
only its owner and group enter, and the peer's credentials are checked besides.
"""

import asyncio
import grp
import json
import os
import pwd
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from inspect import isawaitable
from pathlib import Path
from typing import Any

import structlog

from otgate.errors import OtgateError, Refused
from otgate.permission import why

MAX_REQUEST = 5 << 20
"""A policy of the largest size that is read, as JSON."""
MAX_REPLY = 16 * 1024 * 1024
ADMIN_GROUP = "otgate-admin"
PEER = struct.Struct("3i")
"""``struct ucred``: pid, uid, gid (unix(7), SO_PEERCRED)."""

HANGS_UP = (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError)
"""What ends a conversation without an answer."""

TALK_LIMIT_S = 10.0
"""How long a peer may take to ask, and to take the answer."""

log = structlog.get_logger()

Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked, and by whom."""

    arguments: Mapping[str, Any]
    uid: int
    """Of the asking process, as the kernel says."""

    @property
    def by(self) -> str:
        """The asking user's name, or number."""
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return f"uid {self.uid}"


Verb = Callable[[Request], Answer | Awaitable[Answer]]
Verbs = Mapping[str, Verb]
"""What may be asked. A verb raises an `OtgateError` where it does not do what it is asked."""


@contextmanager
def short_path(path: Path) -> Iterator[str]:
    """Yield a name for ``path`` that fits the 107 bytes of a unix socket address."""
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


@contextmanager
def bound(path: Path) -> Iterator[socket.socket]:
    """Listen on a socket at ``path`` while the context is open; nobody is answered yet.

    Raises:
        Refused: the directory cannot be used, or a running side already listens there.
    """
    try:
        listener = listening(path)
    except OSError as error:
        raise Refused(f"cannot listen on {path}: {why(error, path)}") from error
    try:
        yield listener
    finally:
        listener.close()
        with suppress(OSError):  # a sandbox may keep the folder from us: the next side removes it
            path.unlink()


@asynccontextmanager
async def serve(path: Path, verbs: Verbs) -> AsyncIterator[None]:
    """Answer ``verbs`` on a socket at ``path`` while the context is open.

    Raises:
        Refused: the directory cannot be used, or a running side already listens there.
    """
    with bound(path) as listener:
        async with answering(listener, verbs):
            yield


@asynccontextmanager
async def answering(listener: socket.socket, verbs: Verbs) -> AsyncIterator[None]:
    """Answer ``verbs`` on a socket that is `bound`, while the context is open."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(
            OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError
        ):
            reply = await answered(reader, writer, verbs)
            async with asyncio.timeout(TALK_LIMIT_S):
                writer.write(json.dumps(reply).encode() + b"\n")
                await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(answer, sock=listener, limit=MAX_REQUEST)
    try:
        yield
    finally:
        server.close()


def listening(path: Path) -> socket.socket:
    """Bind ``path``, removing the leftover of a side that died."""
    refuse_what_is_in_the_way(path)
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with short_path(path) as name:
        if path.is_socket():
            if answers(name):
                listener.close()
                raise OSError(None, "another running side answers there; stop it first")
            path.unlink()
        listener.bind(name)
    path.chmod(0o660)
    listener.listen()
    listener.settimeout(0)
    return listener


def refuse_what_is_in_the_way(path: Path) -> None:
    """Raise an OSError where ``path`` or its directory is there and is something else."""
    if path.parent.exists() and not path.parent.is_dir():
        raise OSError(None, f"`{path.parent}` is no directory; move it away")
    if path.exists() and not path.is_socket():
        raise OSError(None, f"`{path}` is no socket; move it away")


def clear(directory: Path, pattern: str) -> None:
    """Remove sockets at which nobody listens, left by sides that could not remove theirs."""
    for path in directory.glob(pattern):
        with suppress(OSError), short_path(path) as name:
            if path.is_socket() and not answers(name):
                path.unlink()


def answers(name: str) -> bool:
    """Say whether somebody accepts connections at ``name``."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(name) == 0


async def answered(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, verbs: Verbs
) -> Mapping[str, Any]:
    """Read one request and compute its reply."""
    peer = writer.get_extra_info("socket")
    if not permitted(peer):
        log.warning("control_refused", uid=uid_of(peer))
        return {"refused": "not permitted: be root, this side's user, or in group otgate-admin"}
    try:
        async with asyncio.timeout(TALK_LIMIT_S):
            asked = json.loads(await reader.readuntil(b"\n"))
        verb, arguments = verbs[asked["verb"]], asked.get("arguments", {})
        request = Request(dict(arguments), uid_of(peer))
    except (ValueError, KeyError, TypeError, AttributeError):
        return {"refused": f"unknown request; verbs are {', '.join(sorted(verbs))}"}
    try:
        answer = verb(request)
        return {"answer": await answer if isawaitable(answer) else answer}
    except OtgateError as error:
        return {"refused": str(error)}


def uid_of(peer: socket.socket) -> int:
    """Return the user of the process at the other end."""
    _, uid, _ = PEER.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size))
    return int(uid)


def permitted(peer: socket.socket) -> bool:
    """Check the peer's credentials: root, our own user, or a member of the admin group."""
    _, uid, gid = PEER.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size))
    if uid in {0, os.geteuid()}:
        return True
    try:
        admins = grp.getgrnam(ADMIN_GROUP)
        return gid == admins.gr_gid or pwd.getpwuid(uid).pw_name in admins.gr_mem
    except KeyError:
        return False


def process_at(path: Path) -> int:
    """Return the process that listens at ``path``, as the kernel says.

    Raises:
        OSError: nobody listens there.
    """
    with short_path(path) as name, socket.socket(socket.AF_UNIX) as connection:
        connection.connect(name)
        told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size)
    return int(PEER.unpack(told)[0])


def ask(path: Path, verb: str, *, timeout_s: float = 5.0, **arguments: object) -> dict[str, Any]:
    """Send one verb to the side that listens at ``path`` and return its reply.

    Raises:
        Refused: nobody answers there, or the answer is an error.
    """
    try:
        with short_path(path) as name, socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout_s)
            connection.connect(name)
            connection.sendall(json.dumps({"verb": verb, "arguments": arguments}).encode() + b"\n")
            with connection.makefile("rb") as stream:
                reply = json.loads(stream.readline(MAX_REPLY))
    except (OSError, ValueError) as error:
        raise Refused(f"nobody answers at {path}: {error}") from error
    if "refused" in reply:
        raise Refused(str(reply["refused"]))
    answer: dict[str, Any] = reply["answer"]
    return answer
