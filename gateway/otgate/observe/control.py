"""The administration socket of a running side: one JSON line in, one JSON line out.

A request is ``{"verb": ...}`` of at most `MAX_REQUEST` bytes; a reply is ``{"answer": ...}`` or
``{"refused": why}``. The socket lies in a directory that
only its owner and group enter, and the peer's credentials are checked besides.
"""

import asyncio
import grp
import json
import os
import pwd
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

from otgate.errors import Refused

MAX_REQUEST = 64 * 1024
MAX_REPLY = 16 * 1024 * 1024
ADMIN_GROUP = "otgate-admin"
PEER = struct.Struct("3i")
"""``struct ucred``: pid, uid, gid (unix(7), SO_PEERCRED)."""

HANGS_UP = (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError)
"""What ends a conversation without an answer."""

Verbs = Mapping[str, Callable[[], Mapping[str, Any]]]


@contextmanager
def short_path(path: Path) -> Iterator[str]:
    """Yield a name for ``path`` that fits the 107 bytes of a unix socket address."""
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


@asynccontextmanager
async def serve(path: Path, verbs: Verbs) -> AsyncIterator[None]:
    """Answer ``verbs`` on a socket at ``path`` while the context is open.

    Raises:
        Refused: the directory cannot be used, or a running side already listens there.
    """
    try:
        listener = listening(path)
    except OSError as error:
        raise Refused(f"cannot listen on {path}: {error.strerror or error}") from error

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(
            OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError
        ):
            async with asyncio.timeout(10):
                reply = await answered(reader, writer, verbs)
                writer.write(json.dumps(reply).encode() + b"\n")
                await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(answer, sock=listener, limit=MAX_REQUEST)
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)  # noqa: ASYNC240  one unlink at the end


def listening(path: Path) -> socket.socket:
    """Bind ``path``, removing the leftover of a side that died."""
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with short_path(path) as name:
        if path.is_socket():
            if answers(name):
                listener.close()
                raise OSError(None, "another running side answers there")
            path.unlink()
        listener.bind(name)
    path.chmod(0o660)
    listener.settimeout(0)
    return listener


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
        return {"refused": "not permitted: be root, this side's user, or in group otgate-admin"}
    try:
        request = json.loads(await reader.readuntil(b"\n"))
        verb = verbs[request["verb"]]
    except (ValueError, KeyError, TypeError):
        return {"refused": f"unknown request; verbs are {', '.join(sorted(verbs))}"}
    return {"answer": verb()}


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


def ask(path: Path, verb: str, *, timeout_s: float = 5.0) -> dict[str, Any]:
    """Send one verb to the side that listens at ``path`` and return its reply.

    Raises:
        Refused: nobody answers there, or the answer is an error.
    """
    try:
        with short_path(path) as name, socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout_s)
            connection.connect(name)
            connection.sendall(json.dumps({"verb": verb}).encode() + b"\n")
            with connection.makefile("rb") as stream:
                reply = json.loads(stream.readline(MAX_REPLY))
    except (OSError, ValueError) as error:
        raise Refused(f"nobody answers at {path}: {error}") from error
    if "refused" in reply:
        raise Refused(str(reply["refused"]))
    answer: dict[str, Any] = reply["answer"]
    return answer
