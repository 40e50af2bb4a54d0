"""An outstation of another implementation, on a socket."""

import contextlib
from collections.abc import AsyncIterator, Sequence

from py1815 import objects as peer
from py1815.application import ObjectHeader
from py1815.events import EventBuffers, EventClass
from py1815.server import OutstationServer
from py1815.session import Session

HERE = "127.0.0.1"
ANALOGS = 300


class Statics:
    """Binary inputs 0 to 9, analog inputs, a frozen counter."""

    def read(self, headers: Sequence[ObjectHeader]) -> bytes:
        return b"".join(self.read_blocks(headers))

    def read_blocks(self, headers: Sequence[ObjectHeader]) -> Sequence[bytes]:
        binaries = [peer.BinaryPoint(at % 3 == 0) for at in range(10)]
        analogs = [peer.AnalogPoint(at - 100) for at in range(ANALOGS)]
        counter = peer.CounterPoint(7)
        return [
            peer.binary_range(0, binaries),
            *(peer.analog_range(at, analogs[at : at + 100]) for at in range(0, ANALOGS, 100)),
            peer.frozen_counter_range(0, [(counter, 1_700_000_000_000)]),
        ]


class Peer:
    """A py1815 outstation."""

    def __init__(self, **settings: object) -> None:
        self.events = EventBuffers(capacity=1000)
        self.times: list[int] = []
        self.session = Session(
            Statics(),
            events=self.events,
            outstation_address=10,
            master_address=1,
            unsolicited=True,
            time_sink=self.times.append,
            **settings,
        )
        self.server = OutstationServer(self.session, bind=f"{HERE}:0", unsolicited_interval=0.05)

    def changes(self, index: int, times: int, first_ms: int = 1_700_000_000_000) -> None:
        for at in range(times):
            self.events.record_binary(
                index,
                peer.BinaryPoint((first_ms + at) % 2 == 0),
                event_class=EventClass.CLASS_1,
                timestamp_ms=first_ms + at,
            )


@contextlib.asynccontextmanager
async def peering(**settings: object) -> AsyncIterator[Peer]:
    made = Peer(**settings)
    await made.server.start()
    try:
        yield made
    finally:
        await made.server.stop()
