"""A line: octets in and out, and the frames on it handed to whom they are addressed.

Several outstations may share a line (multi-drop); frames from anybody else are counted.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from otgate_dnp3.channel.turns import Turns
from otgate_dnp3.stack.link import BROADCASTS, SELF_ADDRESS, Frame, FrameReader

Taker = Callable[[Frame, int], None]
"""Takes a frame and when it was received, in ns since the Unix epoch."""


class Port(Protocol):
    """Where a line's octets go."""

    def write(self, data: bytes) -> None:
        """Send ``data``, now or when there is room."""

    def abort(self) -> None:
        """Let go of it at once."""


@dataclass(slots=True)
class LineCounts:
    """What a line has carried besides what its `FrameReader` counts."""

    octets_in: int = 0
    octets_out: int = 0
    strangers: int = 0
    """Frames dropped: from or to an address that nobody on this line has."""


class Line:
    """One connection, socket or serial port. ``gone`` is done, with the reason, once it ended."""

    def __init__(self, gap_s: float, clock: Callable[[], int] = time.time_ns) -> None:
        self._loop = asyncio.get_running_loop()
        self.gone: asyncio.Future[str] = self._loop.create_future()
        self.counts = LineCounts()
        self.reader = FrameReader()
        self.turns = Turns()
        self._clock = clock
        self._gap_s = gap_s
        """Silence after which the rest of an unfinished frame does not come any more."""
        self._gap: asyncio.TimerHandle | None = None
        self._port: Port | None = None
        self._takers: dict[tuple[int, int], Taker] = {}

    def attach(self, local: int, remote: int, taker: Taker) -> None:
        """Hand ``taker`` the frames from ``remote`` to ``local``, or to all of its kind."""
        self._takers[local, remote] = taker

    def detach(self, local: int, remote: int) -> None:
        """Hand its frames to nobody any more."""
        self._takers.pop((local, remote), None)

    def opened(self, port: Port) -> None:
        """Begin to send to ``port``."""
        self._port = port

    def send(self, data: bytes) -> None:
        """Send frames; on a line that is gone they are dropped."""
        if self._port is not None and not self.gone.done():
            self.counts.octets_out += len(data)
            self._port.write(data)

    def received(self, data: bytes) -> None:
        """Take octets."""
        received_ns = self._clock()
        self.counts.octets_in += len(data)
        self._hand(self.reader.feed(data), received_ns)
        if self._gap is not None:
            self._gap.cancel()
            self._gap = None
        if self.reader.unfinished:
            self._gap = self._loop.call_later(self._gap_s, self.silent)

    def silent(self) -> None:
        """Give up an unfinished frame."""
        self._hand(self.reader.give_up(), self._clock())

    def lost(self, reason: str) -> None:
        """Say that the line has ended."""
        if self._gap is not None:
            self._gap.cancel()
        if not self.gone.done():
            self.gone.set_result(reason)

    def close(self) -> None:
        """Let go of the line."""
        self.lost("it was closed")
        if self._port is not None:
            self._port.abort()

    def _hand(self, frames: list[Frame], received_ns: int) -> None:
        for frame in frames:
            takers = self._addressed(frame)
            self.counts.strangers += not takers
            for taker in takers:
                taker(frame, received_ns)

    def _addressed(self, frame: Frame) -> list[Taker]:
        taker = self._takers.get((frame.destination, frame.source))
        if taker is not None:
            return [taker]
        if frame.destination in BROADCASTS or frame.destination == SELF_ADDRESS:
            return [each for key, each in self._takers.items() if key[1] == frame.source]
        return []
