"""The unix socket through which a running simulator is told to show a fault.

One request per connection, a line of JSON each way. It is in a directory that only its owner
enters.
"""

import asyncio
import json
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from otgate.errors import Refused

MOST_BYTES = 4096
ANSWER_S = 5.0

Answer = Callable[[dict[str, Any]], dict[str, Any]]


def default_path() -> Path:
    """Return where `otgate sim` listens and `otgate sim fault` asks if no path is given.

    Raises:
        Refused: the directory belongs to somebody else.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        return Path(runtime) / "otgate-sim.sock"
    directory = Path(tempfile.gettempdir()) / f"otgate-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    if found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise Refused(f"{directory} is open to others; name another socket with --control")
    return directory / "otgate-sim.sock"


def free_path(path: Path) -> Path:
    """Return ``path``, or one with this process's number where a simulator already listens."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return path
    return path.with_name(f"{path.stem}-{os.getpid()}.sock")


@asynccontextmanager
async def listening(path: Path, answer: Answer) -> AsyncIterator[None]:
    """Serve ``answer`` on a socket at ``path`` while the block runs."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, ValueError):
            async with asyncio.timeout(ANSWER_S):
                line = await reader.readline()
                writer.write(json.dumps(answered(line, answer)).encode() + b"\n")
                await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(connected, sock=bound(path), limit=MOST_BYTES)
    try:
        yield
    finally:
        server.close()
        vacate(path)


def bound(path: Path) -> socket.socket:
    """Return a socket at ``path`` that only its owner reaches."""
    path.parent.mkdir(parents=True, exist_ok=True)
    vacate(path)
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(path))
    path.chmod(0o600)
    return made


def vacate(path: Path) -> None:
    """Remove a socket that was left at ``path``."""
    if path.is_socket():
        path.unlink()


def answered(line: bytes, answer: Answer) -> dict[str, Any]:
    """Answer one request line; what cannot be understood is an error in words."""
    try:
        asked = json.loads(line)
    except ValueError:
        return {"error": "the request is not a line of JSON"}
    if not isinstance(asked, dict):
        return {"error": "the request is not a JSON object"}
    try:
        return answer(asked)
    except Refused as refused:
        return {"error": str(refused)}


def ask(path: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Ask the simulator that listens at ``path``.

    Raises:
        Refused: nobody listens there, or the simulator said no.
    """
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER_S)
            connection.connect(str(path))
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as answers:
                reply = json.loads(answers.readline(MOST_BYTES) or b"{}")
    except (OSError, ValueError) as lost:
        raise Refused(f"no simulator answers at {path}: {lost}") from lost
    if not isinstance(reply, dict) or "error" in reply:
        raise Refused(str(reply["error"]) if isinstance(reply, dict) else "no answer")
    return reply
