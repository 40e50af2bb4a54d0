"""A Modbus client in the hands of a server that says anything: over TCP and on a line."""

import random
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from mutations import Mutations
from otgate_modbus.codec import LONGEST, UNASKED, Ask, Codec, FramingLost, Identify, Missing
from otgate_modbus.datagrams import DatagramCodec
from otgate_modbus.rtu import RtuCodec, framed

ADU = Mutations(bytes((0, 1, 2, 3, 4, 0x0E, 0x2B, 0x7F, 0x80, 0x83, 0xFE, 0xFF)))
FRAMES = 6 + LONGEST


def question(chance: random.Random) -> Ask:
    """A question that the driver may ask."""
    unit = chance.choice((0, 1, 1, 1, 247, 255))
    if chance.random() < 0.1:
        return Identify(unit, chance.randrange(1, 5), chance.randrange(256))
    function = chance.randrange(1, 5)
    most = 2000 if function <= 2 else 125
    return Ask(unit, function, chance.randrange(65_536), chance.randrange(1, most + 1))


def truth(ask: Ask, chance: random.Random) -> bytes:
    """The right reply to a question, from the unit id on: data, or a refusal."""
    if chance.random() < 0.2:
        return bytes((ask.unit, ask.function | 0x80, chance.choice((1, 2, 3, 4, 6, 11))))
    if isinstance(ask, Identify):
        return bytes((ask.unit, 0x2B, 0x0E, 1, 1, 0, 0, 1, 0, 4)) + b"Ours"
    return bytes((ask.unit, ask.function, ask.size)) + chance.randbytes(ask.size)


def sound(ask: Ask) -> bool:
    """Whether an answer has the form that the driver above relies on."""
    answer = ask.answer
    if isinstance(answer, bytes):
        return isinstance(ask, Identify) or len(answer) == ask.size
    return isinstance(answer, Missing) or 0 <= answer <= 255


@dataclass
class Victim:
    """The client's end of a TCP connection, opened anew whenever it gives the old one up."""

    chance: random.Random
    make: Callable[[], Codec] = Codec
    codec: Codec = field(init=False)
    lost: int = 0
    answered: int = 0
    pending: list[tuple[int, Ask]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.codec = self.make()

    def ask(self) -> None:
        for _ in range(1 if self.codec.single else self.chance.randrange(1, 9)):
            ask = question(self.chance)
            transaction = struct.unpack_from(">H", self.codec.request(ask))[0]
            self.pending.append((transaction, ask))

    def said(self) -> bytes:
        """What the server says to all that is pending, some of it changed, in any order."""
        self.chance.shuffle(self.pending)
        said = b""
        for transaction, ask in self.pending:
            body = truth(ask, self.chance)
            if self.chance.random() < 0.1:
                body = ADU.mutated(body, self.chance)
            reply = struct.pack(">HHH", transaction, 0, len(body) & 0xFFFF) + body
            said += ADU.mutated(reply, self.chance) if self.chance.random() < 0.05 else reply
        self.pending.clear()
        return said

    def hear(self, octets: bytes) -> None:
        """Take octets in pieces; nothing but `FramingLost` may come of it."""
        try:
            while octets:
                size = self.chance.choice((1, 5, 7, 60, 1460))
                answered = self.codec.feed(octets[:size])
                octets = octets[size:]
                self.answered += len(answered)
                assert all(map(sound, answered))
                assert len(self.codec._rest) < FRAMES
                assert self.codec.counts.late <= self.codec.counts.requests + UNASKED
        except FramingLost:
            self.lost += 1
            self.codec = self.make()
        else:
            self.codec.forget()


KINDS: Mapping[str, Callable[[], Codec]] = {
    "plain": Codec,
    "ignoring ids": partial(Codec, ignore_transaction=True),
    "trailing bytes": partial(Codec, trailing=True),
    "datagrams": DatagramCodec,
}


def run(seed: int, rounds: int, kind: str = "plain") -> Victim:
    """Let a victim ask, and hear what may be an answer."""
    victim = Victim(random.Random(seed), KINDS[kind])
    for _ in range(rounds):
        victim.ask()
        victim.hear(victim.said())
    return victim


@dataclass
class Lines:
    """What came of many questions on a line."""

    answered: int = 0
    untrue: int = 0
    """Answers that were taken and are not what the server meant: what a CRC lets through."""


def run_line(seed: int, rounds: int) -> Lines:
    """Ask on a line again and again; the server's frames are changed after their CRC is made."""
    chance, codec, lines = random.Random(seed), RtuCodec(), Lines()
    for _ in range(rounds):
        ask = question(chance)
        while isinstance(ask, Identify):  # its length is not known beforehand
            ask = question(chance)
        codec.request(ask)
        meant = truth(ask, chance)
        octets = framed(meant)
        if chance.random() < 0.6:
            octets = ADU.mutated(octets, chance)
        _hear(codec, ask, octets, chance)
        assert sound(ask)
        assert len(codec._held) <= len(octets)
        if isinstance(ask.answer, bytes | int):
            lines.answered += 1
            answer = meant[2] if meant[1] & 0x80 else meant[3:]
            lines.untrue += ask.answer != answer
    return lines


def _hear(codec: RtuCodec, ask: Ask, octets: bytes, chance: random.Random) -> None:
    while octets:
        size = chance.choice((1, 3, 8, 300))
        if codec.feed(octets[:size]):
            return
        octets = octets[size:]
    assert codec.give_up() is ask
    assert ask.answer is Missing.MISMATCHED
