"""A client in the hands of a server that says anything: inputs, mutations and one run."""

import gc
import random
import time
from pathlib import Path
from typing import Any

from mms_talks import Talk, octets, unopened
from mutations import Mutations
from otgate_iec61850.mms import control, cotp, presentation, report, session
from otgate_iec61850.mms.access import InformationReport, Read
from otgate_iec61850.mms.association import State
from otgate_iec61850.mms.browse import GetAttributes, GetList, GetNameList, Identify, ObjectClass
from otgate_iec61850.mms.errors import MmsError
from otgate_iec61850.mms.files import FileDirectory, FileRead
from otgate_iec61850.mms.naming import Name, Variable

CORPUS = Path(__file__).parent / "corpus" / "mms"
HANG_S = 0.1
"""CPU that one read of the socket may cost at most."""

BER = Mutations(bytes((0, 1, 0x7F, 0x80, 0x81, 0x84, 0xFF, 0xA2, 0x30)))

NAME = Name("D", "A")
ASKED: tuple[Any, ...] = (
    Identify(),
    GetNameList(ObjectClass.VARIABLE, "D"),
    Read((Variable(NAME),)),
    GetAttributes(NAME),
    GetList(NAME),
    FileDirectory(),
    FileRead(1),
)
"""Requests under way, with invoke ids from 1 on."""


def corpus() -> dict[str, bytes]:
    """MMS PDUs of servers by name, one file each: octets in hexadecimal, ``#`` comments."""
    return {path.stem: octets(path.read_text(encoding="ascii")) for path in CORPUS.glob("*.hex")}


def carried(mms: bytes) -> bytes:
    """A PDU in all its layers."""
    return cotp.segments(session.DATA_PREFIX + presentation.user_data(3, mms), 13)


class Victim:
    """A client, opened anew whenever it has dropped its association."""

    def __init__(self) -> None:
        self.opened = 0
        self.lost = 0
        self.reports = 0
        self.slowest_s = 0.0
        self._segments = report.Segments()
        self.reopen()

    def reopen(self) -> None:
        self.talk: Talk = unopened()
        for _ in range(2):
            self.talk.asked()
            self.talk.heard()
        for each in ASKED:
            self.talk.requester.ask(each)
        self.talk.asked()
        self.opened += 1

    def hear(self, data: bytes) -> None:
        """Take octets, as a connection does; the test's own garbage is not its cost."""
        gc.disable()
        began = time.thread_time()
        try:
            for event in self.talk.requester.receive(data):
                if isinstance(event, InformationReport):
                    self._look(event)
        except MmsError:
            self.lost += 1
        self.slowest_s = max(self.slowest_s, time.thread_time() - began)
        gc.enable()
        self.talk.requester.association.take()
        if self.talk.requester.association.state is not State.OPEN:
            self.reopen()

    def _look(self, event: InformationReport) -> None:
        self.reports += 1
        if report.is_report(event):
            self._segments.add(report.read(event))
        else:
            control.read_notice(event)


def opening_answers() -> list[bytes]:
    """What a server says while the association opens."""
    talk, found = unopened(), []
    for _ in range(2):
        talk.asked()
        said = talk.server.take()
        found.append(said)
        talk.requester.receive(said)
    return found


def run(seed: int, rounds: int) -> Victim:
    """Let a victim hear ``rounds`` mutations of the corpus."""
    chance, known = random.Random(seed), [each for _, each in sorted(corpus().items())]
    victim = Victim()
    for _ in range(rounds):
        mms = chance.choice(known)
        where = chance.randrange(4)
        if where == 0:
            victim.hear(carried(mms))
        elif where == 1:
            victim.hear(BER.mutated(carried(mms), chance))
            victim.reopen()  # it may wait for the rest of a packet that never comes
        else:
            victim.hear(carried(BER.mutated(mms, chance)))
    return victim


def open_badly(seed: int, rounds: int) -> float:
    """Open associations against mutated answers; return the slowest read's CPU."""
    chance, answers = random.Random(seed), opening_answers()
    slowest = 0.0
    for _ in range(rounds):
        talk = unopened()
        talk.requester.association.take()
        spoiled = chance.randrange(2)
        for at, each in enumerate(answers):
            began = time.process_time()
            try:
                talk.requester.receive(BER.mutated(each, chance) if at == spoiled else each)
            except MmsError:
                break
            finally:
                slowest = max(slowest, time.process_time() - began)
    return slowest
