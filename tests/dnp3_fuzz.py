"""A master in the hands of an outstation that says anything: inputs, mutations and one run."""

import random
import time
from dataclasses import dataclass, field
from pathlib import Path

from mutations import Mutations
from otgate_dnp3.stack.application import FIR, parsed_request
from otgate_dnp3.stack.association import Association
from otgate_dnp3.stack.link import LONGEST_FRAME, Frame, FrameReader, frame
from otgate_dnp3.stack.master import Master
from otgate_dnp3.stack.outputs import Delivery, Output, Send
from otgate_dnp3.stack.station import Role, Station
from otgate_dnp3.stack.steps import MasterSettings, TimeSync
from otgate_dnp3.stack.transport import FRAGMENT_CAP, Segmenter

CORPUS = Path(__file__).parent / "corpus" / "dnp3"
HANG_S = 0.1
"""CPU that one read of the socket may cost at most."""

OBJECTS = Mutations(bytes((0, 1, 0x7F, 0x80, 0xFF, 0x5B, 0x28)), start=b"\x05\x64")

SETTINGS = MasterSettings(
    unsolicited=frozenset({1, 2, 3}), time_sync=TimeSync.NON_LAN, keepalive_s=10
)


def corpus() -> dict[str, bytes]:
    """Fragments of outstations by name, one file each: octets in hexadecimal, ``#`` comments."""
    found = {}
    for path in sorted(CORPUS.glob("*.hex")):
        lines = (line.split("#")[0] for line in path.read_text(encoding="ascii").splitlines())
        found[path.stem] = bytes.fromhex("".join(lines))
    return found


@dataclass
class Victim:
    """A master with its link and transport; every output is looked at, nothing is believed."""

    now: float = 0.0
    reader: FrameReader = field(default_factory=FrameReader)
    sequence: int = 0
    deliveries: int = 0
    slowest_s: float = 0.0
    pending: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.association = Association(Station(Role.MASTER, 1, 10))
        self.master = Master(SETTINGS, lambda: 1_700_000_000_000)
        self.take(self.master.link_up(self.now))

    def feed(self, octets: bytes) -> None:
        """Take what one read of the socket gave."""
        began = time.process_time()
        for each in self.reader.feed(octets):
            self.frame(each)
        self.slowest_s = max(self.slowest_s, time.process_time() - began)
        assert len(self.reader._rest) < LONGEST_FRAME
        assert self.association.reassembly._size <= FRAGMENT_CAP

    def frame(self, received: Frame) -> None:
        self.master.heard(self.now)
        _, fragment = self.association.receive(received)
        if fragment:
            self.take(self.master.receive(fragment, self.now))

    def take(self, outputs: list[Output]) -> None:
        for each in outputs:
            if isinstance(each, Send):
                request = parsed_request(each.fragment)
                assert request is not None
                self.association.frames(each.fragment)
                self.sequence = request.sequence
            elif isinstance(each, Delivery):
                self.deliveries += 1
                for columns in each.columns:
                    assert len(columns.values) == len(columns.index)
                if each.token is not None:
                    self.pending.append(each.token)

    def settle(self, chance: random.Random) -> None:
        """Confirm or abandon something, and let time pass."""
        while self.pending:
            token = self.pending.pop()
            done = self.master.confirm if chance.random() < 0.8 else self.master.abandon
            self.take(done(token, self.now))
        self.now += chance.choice((0.0, 0.1, 6.0))
        self.take(self.master.tick(self.now))
        assert self.master.wake_s >= self.now or self.master.busy


def said(chance: random.Random, seeds: list[bytes], sequence: int) -> bytes:
    """Return the octets of one fragment: as it is, or changed before or after it is framed."""
    fragment, whole = chance.choice(seeds), chance.random() < 0.25
    if chance.random() < 0.7 and fragment[1] == 129:
        fragment = bytes((fragment[0] & 0xF0 | sequence,)) + fragment[1:]
    if not whole and chance.random() < 0.6:
        fragment = OBJECTS.mutated(fragment, chance) or b"\xc0"
    octets = b"".join(frame(0x44, 1, 10, each) for each in Segmenter().cut(fragment))
    return OBJECTS.mutated(octets, chance) if not whole and chance.random() < 0.4 else octets


def run(seed: int, rounds: int) -> Victim:
    """Feed a victim ``rounds`` mutated fragments and frames."""
    chance = random.Random(seed)
    seeds, victim = list(corpus().values()), Victim()
    for _ in range(rounds):
        victim.feed(said(chance, seeds, victim.sequence))
        victim.settle(chance)
    for each in victim.reader.give_up():
        victim.frame(each)
    return victim


def recovers(victim: Victim) -> bool:
    """Tell whether a victim that is left in peace reads everything again."""
    victim.now += 10_000
    victim.feed(frame(0x44, 1, 10, b"\xc0"))
    for _ in range(12):
        victim.take(victim.master.link_down())
        victim.take(victim.master.link_up(victim.now))
        for _ in range(4):
            control = FIR | 0x40 | victim.sequence
            answer = bytes((control, 129, 0, 0)) + bytes.fromhex("1e0100000001 2a000000")
            for segment in Segmenter().cut(answer):
                victim.feed(frame(0x44, 1, 10, segment))
        if victim.master.integral:
            return True
    return False
