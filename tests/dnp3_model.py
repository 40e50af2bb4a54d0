"""A model of an outstation with events to lose, on a link that loses and repeats fragments."""

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from otgate_dnp3.stack import encode
from otgate_dnp3.stack.application import (
    CON,
    FIN,
    FIR,
    UNS,
    Function,
    Iin,
    parsed_request,
    response,
)
from otgate_dnp3.stack.master import Master
from otgate_dnp3.stack.outputs import Delivery, Output, Send
from otgate_dnp3.stack.points import Columns, PointType
from otgate_dnp3.stack.steps import MasterSettings

STATIC = bytes.fromhex("1e0100000001 2a000000")
PER_FRAGMENT = 3
RETRY_S = 3.0


def events(numbers: Sequence[int]) -> bytes:
    """Counter events whose values are their numbers."""
    ones = [1] * len(numbers)
    made = Columns(22, 1, PointType.COUNTER, True, [0] * len(numbers), list(numbers), ones)  # noqa: FBT003
    return encode.block(made, index_width=1)


@dataclass
class Outstation:
    """Holds events until they are confirmed; sends them unasked once that is enabled."""

    buffer: list[int] = field(default_factory=list)
    made: int = 0
    enabled: bool = False
    restart: bool = True
    unasked: tuple[int, list[int]] | None = None
    """Sequence and events of the unsolicited response that awaits its confirm."""
    retry_s: float = 0.0
    sequence: int = 0
    asked: tuple[int, list[int], bool] | None = None
    """Sequence and events of the fragment that awaits its confirm; whether it was the last."""
    reads_static: bool = False

    @property
    def iin(self) -> int:
        return int(Iin.DEVICE_RESTART) if self.restart else 0

    def changes(self) -> None:
        self.made += 1
        self.buffer.append(self.made)

    def restarts(self) -> None:
        """Restart with its events kept, as an outstation with a battery does."""
        self.restart, self.enabled = True, False
        self.unasked = self.asked = None
        self.sequence = 0

    def ticks(self, now: float) -> list[bytes]:
        if self.unasked is None and self.enabled and self.buffer:
            self.unasked, self.retry_s = (self.sequence, self.buffer[:PER_FRAGMENT]), now
            self.sequence = (self.sequence + 1) & 0x0F
        if self.unasked is None or now < self.retry_s:
            return []
        self.retry_s = now + RETRY_S
        sequence, numbers = self.unasked
        return [response(FIR | FIN | CON | UNS | sequence, self.iin, events(numbers))]

    def takes(self, fragment: bytes) -> list[bytes]:
        request = parsed_request(fragment)
        assert request is not None
        if request.function == Function.CONFIRM:
            return self._confirmed(request.sequence, unsolicited=bool(request.control & UNS))
        self.asked = None
        if request.function == Function.READ:
            self.unasked = None  # read instead, and sent anew if the read fails
            self.reads_static = b"\x3c\x01" in request.objects
            return self._read(FIR, request.sequence)
        if request.function == Function.WRITE:
            self.restart = False
        if request.function in {Function.ENABLE_UNSOLICITED, Function.DISABLE_UNSOLICITED}:
            self.enabled = request.function == Function.ENABLE_UNSOLICITED
            self.unasked = None
        return [response(FIR | FIN | request.sequence, self.iin)]

    def _read(self, first: int, sequence: int) -> list[bytes]:
        numbers = self.buffer[:PER_FRAGMENT]
        last = len(self.buffer) <= PER_FRAGMENT
        objects = events(numbers) if numbers else b""
        if last and self.reads_static:
            objects += STATIC
        control = first | (FIN if last else 0) | (CON if numbers else 0) | sequence
        if numbers:
            self.asked = sequence, numbers, last
        return [response(control, self.iin, objects)]

    def _confirmed(self, sequence: int, *, unsolicited: bool) -> list[bytes]:
        if unsolicited and self.unasked is not None and self.unasked[0] == sequence:
            self._forget(self.unasked[1])
            self.unasked = None
        elif not unsolicited and self.asked is not None and self.asked[0] == sequence:
            _, numbers, last = self.asked
            self.asked = None
            self._forget(numbers)
            return [] if last else self._read(0, (sequence + 1) & 0x0F)
        return []

    def _forget(self, numbers: Sequence[int]) -> None:
        self.buffer = [each for each in self.buffer if each not in numbers]


class World:
    """The model outstation, a master, the link between them, and a disk that may refuse."""

    def __init__(self, seed: int, *, unsolicited: bool) -> None:
        self.chance = random.Random(seed)
        self.now = 0.0
        self.loss = 0.15
        self.polls = 0.0 if unsolicited and seed % 2 else 0.06
        self.cuts = 0.0 if seed % 3 == 0 else 0.02
        self.outstation = Outstation()
        classes = frozenset({1, 2, 3}) if unsolicited else frozenset()
        self.master = Master(
            MasterSettings(unsolicited=classes, response_timeout_s=2, keepalive_s=0), lambda: 0
        )
        self.kept: list[int] = []
        """Numbers of the events that are durable, in the order of their delivery."""
        self.requests: deque[bytes] = deque()
        self.pumping = False
        self.waiting: deque[Delivery] = deque()
        self.take(self.master.link_up(self.now))

    def take(self, outputs: list[Output]) -> None:
        for each in outputs:
            if isinstance(each, Send):
                self.to_outstation(each.fragment)
            elif isinstance(each, Delivery):
                self.waiting.append(each)

    def copies(self) -> int:
        """Draw how often a fragment arrives."""
        drawn = self.chance.random()
        return 0 if drawn < self.loss else 2 if drawn < 1.5 * self.loss else 1

    def to_outstation(self, fragment: bytes) -> None:
        self.requests += [fragment] * self.copies()
        if not self.pumping:
            self.pump()

    def pump(self) -> None:
        """Let what is under way arrive, in order."""
        self.pumping = True
        while self.requests:
            self.to_master(self.outstation.takes(self.requests.popleft()))
        self.pumping = False

    def to_master(self, fragments: list[bytes]) -> None:
        for fragment in fragments:
            for _ in range(self.copies()):
                self.take(self.master.receive(fragment, self.now))

    def settle(self, *, durable: float) -> None:
        """Say of the oldest delivery whether it is durable."""
        delivery = self.waiting.popleft()
        if self.chance.random() > durable:
            if delivery.token is not None:
                self.take(self.master.abandon(delivery.token, self.now))
            return
        for columns in delivery.columns:
            self.kept += columns.values if columns.event else []
        if delivery.token is not None:
            self.take(self.master.confirm(delivery.token, self.now))

    def upset(self, drawn: float) -> None:
        """Let a point change, mostly; else the outstation restart or the link break."""
        if drawn < 0.3:
            self.outstation.changes()
        elif drawn < 0.3 + self.cuts:
            self.outstation.restarts()
        else:
            self.take(self.master.link_down())
            self.take(self.master.link_up(self.now))

    def step(self, *, rough: bool = True) -> None:
        """Let one thing happen."""
        drawn = self.chance.random()
        if drawn < 0.3 + 2 * self.cuts:
            if rough:
                self.upset(drawn)
        elif drawn < 0.3 + 2 * self.cuts + self.polls:
            self.master.poll_classes({1, 2, 3})
        elif self.waiting and drawn < 0.7:
            self.settle(durable=0.8 if rough else 1.0)
        self.now += self.chance.choice((0.0, 0.2, 1.5))
        self.to_master(self.outstation.ticks(self.now))
        self.take(self.master.tick(self.now))
