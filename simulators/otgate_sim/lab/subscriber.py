"""The lab's independent subscriber: it knows the broker's address and nothing of the gateway."""

import asyncio
from dataclasses import dataclass, field

from otgate.publish.payload import GapNotice, Samples
from otgate.publish.subscribe import Joined, Received
from otgate_sim.lab.board import Board
from otgate_sim.lab.tally import Name, Stream, Tally


@dataclass(slots=True)
class Subscriber:
    """Books everything that arrives, in a tally or on the table."""

    books: Tally | Board
    is_connected: asyncio.Event = field(default_factory=asyncio.Event)
    unreadable: list[str] = field(default_factory=list)

    def connected(self, joined: Joined) -> None:  # noqa: ARG002  one of a sink's
        """Take note that the subscription stands."""
        self.is_connected.set()

    def lost(self, reason: str) -> None:
        """Say nothing: what is missed shows in the books."""

    def malformed(self, topic: str, reason: str) -> None:
        """Keep what could not be read."""
        self.unreadable.append(f"{topic}: {reason}")

    def received(self, received: Received) -> None:
        """Book samples and gaps."""
        match received.payload:
            case Samples() as samples:
                if isinstance(self.books, Board):
                    self.books.show(samples, received.arrived_ns)
                else:
                    book(self.books, samples, received.arrived_ns)
            case GapNotice() as gap:
                stream = Stream(gap.conduit, gap.lane, gap.epoch)
                self.books.announce(stream, gap.seq, gap.count)


def book(tally: Tally, samples: Samples, arrived_ns: int) -> None:
    """Book a message's samples."""
    names = [Name(samples.device, sample.id) for sample in samples.points]
    age_ms = (arrived_ns / 1000 - samples.received_us) / 1000
    tally.receive(Stream(samples.conduit, samples.lane, samples.epoch), samples.seq, names, age_ms)
