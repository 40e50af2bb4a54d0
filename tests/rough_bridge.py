"""A bridge in user space between two interfaces, which does to frames what networks do.

Run inside a network namespace: ``python rough_bridge.py NEAR FAR SEED``. Each line of standard
input is a JSON object that replaces how frames are carried: ``{"to_far": {...}, "to_near": {...}}``
with `Manners` as keys. It answers each with a line that counts what became of frames so far.
"""

import heapq
import json
import random
import select
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

ETH_P_ALL = 3
PACKET_OUTGOING = 4
"""packet(7): what left the interface itself, which a packet socket hears too."""
READ_BYTES = 65_550
IP = 0x0800
"""EtherType of IPv4; what is not IP, ARP for one, is carried faithfully."""


@dataclass(frozen=True, slots=True)
class Manners:
    """What happens to frames in one direction; shares are 0 to 1, times seconds."""

    delay: float = 0.0
    jitter: float = 0.0
    """Each frame is later by 0 to this, but never before the one ahead of it."""
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    """Share of the frames that go at once, before those that wait."""
    largest: int = READ_BYTES
    """Bytes of IP that fit; what is larger vanishes without a word."""


@dataclass
class Counts:
    """What became of frames."""

    carried: int = 0
    lost: int = 0
    doubled: int = 0
    overtaken: int = 0
    too_large: int = 0


class Direction:
    """Carries frames from one interface to the other."""

    def __init__(self, source: socket.socket, target: socket.socket, rng: random.Random) -> None:
        self.source = source
        self.manners = Manners()
        self.counts = Counts()
        self._target = target
        self._random = rng
        self._waiting: list[tuple[float, int, bytes]] = []
        self._number = 0
        self._last_due_s = 0.0

    @property
    def due_s(self) -> float | None:
        """When the next frame has to go, on the monotonic clock."""
        return self._waiting[0][0] if self._waiting else None

    def take(self, now_s: float) -> None:
        """Receive what has arrived, and decide what becomes of each frame."""
        while True:
            try:
                frame, (_, _, kind, _, _) = self.source.recvfrom(READ_BYTES)
            except BlockingIOError:
                return
            if kind != PACKET_OUTGOING:
                for due_s in self._fates(frame, now_s):
                    self._number += 1
                    heapq.heappush(self._waiting, (due_s, self._number, frame))

    def give(self, now_s: float) -> None:
        """Send on what is due."""
        while self._waiting and self._waiting[0][0] <= now_s:
            frame = heapq.heappop(self._waiting)[2]
            try:
                self._target.send(frame)
                self.counts.carried += 1
            except OSError:  # the interface is down, or takes no more now
                self.counts.lost += 1

    def _fates(self, frame: bytes, now_s: float) -> Iterator[float]:
        """Yield when each copy of a frame is to go on."""
        how, counts = self.manners, self.counts
        if int.from_bytes(frame[12:14]) != IP:
            yield now_s
            return
        if len(frame) - 14 > how.largest:
            counts.too_large += 1
            return
        if self._random.random() < how.loss:
            counts.lost += 1
            return
        if self._random.random() < how.reorder:
            counts.overtaken += 1
            yield now_s
            return
        due_s = now_s + how.delay + self._random.random() * how.jitter
        self._last_due_s = max(due_s, self._last_due_s)
        yield self._last_due_s
        if self._random.random() < how.duplicate:
            counts.doubled += 1
            yield self._last_due_s


def packets(interface: str) -> socket.socket:
    """Hear and say whole frames on an interface."""
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    made.bind((interface, ETH_P_ALL))
    made.settimeout(0)
    return made


def carry(names: Sequence[str], seed: int) -> None:
    """Carry frames until standard input ends."""
    near, far = map(packets, names)
    rng = random.Random(seed)
    ways = {"to_far": Direction(near, far, rng), "to_near": Direction(far, near, rng)}
    poll = select.poll()
    for each in (near, far, sys.stdin):
        poll.register(each, select.POLLIN)
    print("ready", flush=True)
    while True:
        dues = [way.due_s for way in ways.values() if way.due_s is not None]
        wait_ms = max(0.0, min(dues) - time.monotonic()) * 1000 if dues else None
        ready = {descriptor for descriptor, _ in poll.poll(wait_ms)}
        if sys.stdin.fileno() in ready:
            line = sys.stdin.readline()
            if not line:
                return
            for name, told in json.loads(line).items():
                ways[name].manners = Manners(**told)
            print(json.dumps({name: vars(way.counts) for name, way in ways.items()}), flush=True)
        for way in ways.values():
            now_s = time.monotonic()
            way.take(now_s)
            way.give(now_s)


if __name__ == "__main__":
    carry(sys.argv[1:3], int(sys.argv[3]))
