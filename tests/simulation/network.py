"""Simulated TCP between processes, on lines that delay, cut, swallow and forget, in virtual time.

A connection is two ends. What is sent arrives in order after the line's delay, or when a line that
swallowed it carries again: TCP repeats what was not acknowledged. Whoever has unacknowledged data
under way for too long gives its own end up, and the other end knows nothing of that.
"""

import asyncio
import errno
import os
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from enum import StrEnum
from typing import Any, Self

from simulation.processes import Process, current


class Carries(StrEnum):
    """What a line does with packets."""

    ALL = "all"
    NOTHING = "nothing"
    """A black hole: whoever connects or waits is told nothing."""
    ONE_WAY = "one way"
    """What clients send arrives, what servers answer does not."""
    REFUSED = "refused"
    """Connections are reset, and new ones refused."""


Serve = Callable[[], asyncio.Protocol]


class Line:
    """The way to one place where somebody may listen."""

    def __init__(self, name: str, serve: Serve, delay_s: float, give_up_s: float) -> None:
        self.name = name
        self.serve: Serve | None = serve
        self.delay_s = delay_s
        self.give_up_s = give_up_s
        """After so long without an acknowledgement an end is given up."""
        self.carries = Carries.ALL
        self.ends: set[End] = set()

    def become(self, carries: Carries) -> None:
        """Carry so from now on; what was swallowed and still matters is sent again."""
        self.carries = carries
        for end in sorted(self.ends, key=lambda one: one.number):
            if carries is Carries.REFUSED:
                end.reset(ConnectionResetError(errno.ECONNRESET, "reset by peer"))
            else:
                end.flow()

    def forget(self) -> None:
        """Lose every connection at the server's end, as one whose power failed: half-open."""
        for end in sorted(self.ends, key=lambda one: one.number):
            if end.is_server:
                end.vanish()


class Network:
    """All lines, by the port that they lead to."""

    def __init__(self) -> None:
        self.lines: dict[int, Line] = {}
        self._numbers = 0
        self._context = copy_context()
        """In which all servers run: they belong to no process of the box."""

    async def connected(self, port: int) -> "End":
        """Return the client's end of a new connection.

        Raises:
            OSError: it is refused.
        """
        if current.get().dead:
            raise OSError(errno.EIO, "the process is dead")
        line = self.lines[port]
        await asyncio.sleep(2 * line.delay_s)
        if line.carries is Carries.REFUSED or line.serve is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        if line.carries is not Carries.ALL:
            await asyncio.get_running_loop().create_future()
        self._numbers += 2
        client, server = End(line, self._numbers), End(line, self._numbers + 1, is_server=True)
        client.peer, server.peer = server, client
        client.belong()
        self._context.run(server.carried, line.serve())
        return client


class Descriptor(int):
    """A number that no file has, by which the loop finds an end."""

    end: "End"

    def __new__(cls, end: "End") -> Self:
        made = super().__new__(cls, 1 << 30 | end.number)
        made.end = end
        return made


class End:
    """One end of a connection: a socket to some, a transport to others."""

    def __init__(self, line: Line, number: int, *, is_server: bool = False) -> None:
        self.line = line
        self.number = number
        self.is_server = is_server
        self.peer: End | None = None
        self.closed = False
        self._loop = asyncio.get_running_loop()
        self._under_way: deque[tuple[float, bytes]] = deque()
        """When each piece that was sent is there; nothing for the end of all."""
        self._timer: asyncio.TimerHandle | None = None
        self._unheard_s: float | None = None
        """Since when data of ours is not acknowledged."""
        self._arrived = bytearray()
        self._over: OSError | None = None
        self._eof = False
        self._readable: Callable[[], None] | None = None
        self._context: Context | None = None
        """Of whoever is told what comes."""
        self._protocol: asyncio.Protocol | None = None
        self._owner: Process | None = None
        line.ends.add(self)

    def belong(self) -> None:
        """Be closed by the system when the process that has us dies."""
        self._owner = current.get()
        self._owner.held[self] = self.close

    def carried(self, protocol: asyncio.Protocol) -> "End":
        """Be the transport of ``protocol`` from now on."""
        self._protocol = protocol
        self._context = copy_context()
        protocol.connection_made(self)  # type: ignore[arg-type]
        return self

    # As a socket.

    def tells(self, readable: Callable[[], None] | None) -> None:
        """Call ``readable``, or nobody any more, whenever there is something to be read."""
        self._readable = readable
        self._context = copy_context()

    def fileno(self) -> "Descriptor":
        """Return what `VirtualLoop` finds the connection by."""
        return Descriptor(self)

    @property
    def unsent_bytes(self) -> int:
        """How much of what was sent has not arrived."""
        return sum(len(data) for _, data in self._under_way)

    def setsockopt(self, *option: int) -> None:
        pass

    def send(self, data: bytes | bytearray) -> int:
        """Take all of ``data``.

        Raises:
            OSError: the connection is known to be over.
        """
        if self.closed:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        if self._over is not None:
            raise self._over
        self._put(bytes(data))
        return len(data)

    def recv_into(self, into: memoryview) -> int:
        """Return how much came; 0 at the end.

        Raises:
            OSError: nothing is there, or the connection is over.
        """
        if not self._arrived:
            if self._over is not None:
                raise self._over
            if self._eof:
                return 0
            raise BlockingIOError
        count = min(len(into), len(self._arrived))
        into[:count] = self._arrived[:count]
        del self._arrived[:count]
        if self._arrived:
            self._tell()
        return count

    # As a transport.

    def write(self, data: bytes) -> None:
        if self._over is None and not self.closed:
            self._put(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, name: str) -> Any:
        del name
        return self

    def close(self) -> None:
        """Send the end of all behind what was sent."""
        if not self.closed:
            self.closed = True
            self._put(b"")
            self._leave(None)

    def abort(self) -> None:
        self.close()

    def _leave(self, error: OSError | None) -> None:
        protocol, self._protocol = self._protocol, None
        if self._owner is not None:
            self._owner.held.pop(self, None)
        if protocol is not None:
            self._loop.call_soon(protocol.connection_lost, error, context=self._context)
        if self.peer is None or self.peer.closed:
            self._unlink()

    def _unlink(self) -> None:
        self.line.ends.discard(self)
        if self.peer is not None:
            self.line.ends.discard(self.peer)

    # On the line.

    def _put(self, data: bytes) -> None:
        now_s = self._loop.time()
        self._under_way.append((now_s + self.line.delay_s, data))
        if self._timer is None:
            self._wait(now_s)

    @property
    def _is_carried(self) -> bool:
        way = self.line.carries
        return way is Carries.ALL or (way is Carries.ONE_WAY and not self.is_server)

    @property
    def _is_acknowledged(self) -> bool:
        return self.line.carries is Carries.ALL

    def flow(self) -> None:
        """Deliver what is due, and come again when more is."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now_s = self._loop.time()
        while self._is_carried and self._under_way and self._under_way[0][0] <= now_s:
            self._deliver(self._under_way.popleft()[1])
        self._wait(now_s)

    def _wait(self, now_s: float) -> None:
        if self._is_carried and self._under_way:
            self._timer = self._loop.call_at(self._under_way[0][0], self.flow)
        if self._is_acknowledged or not (self._under_way or self._unheard_s):
            self._unheard_s = None
            return
        if self._unheard_s is None:
            self._unheard_s = now_s
        give_up_s = self._unheard_s + self.line.give_up_s
        if now_s >= give_up_s:
            self._under_way.clear()
            self._unheard_s = None
            self._fail(TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)))
        elif self._timer is None:
            self._timer = self._loop.call_at(give_up_s, self.flow)

    def _deliver(self, data: bytes) -> None:
        peer = self.peer
        if peer is None:  # it has forgotten us: whoever speaks is told
            self._fail(ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)))
        elif not peer.closed:
            peer.take(data)

    def take(self, data: bytes) -> None:
        """Receive ``data``; nothing is the end."""
        if self._protocol is None:
            self._arrived += data
            self._eof = self._eof or not data
            self._tell()
        elif data:
            self._loop.call_soon(self._protocol.data_received, data, context=self._context)
        else:
            self.closed = True
            self._leave(None)

    def _tell(self) -> None:
        if self._readable is not None and not self.closed:
            self._loop.call_soon(self._look, context=self._context)

    def _look(self) -> None:
        if self._readable is not None and not self.closed:
            self._readable()

    def _fail(self, error: OSError) -> None:
        """Be over; whoever listens here is told."""
        if self.closed or self._over is not None:
            return
        self._over = error
        if self._protocol is not None:
            self.closed = True
            self._leave(error)
        else:
            self._tell()

    def reset(self, error: OSError) -> None:
        """Lose all that is under way, and be over."""
        self._under_way.clear()
        self._fail(error)

    def vanish(self) -> None:
        """Be gone without a word to the other end."""
        peer, self.peer = self.peer, None
        self._under_way.clear()
        self.closed = True
        self._leave(ConnectionResetError())
        if peer is not None:
            peer.peer = None
