"""CPU that the DNP3 stack spends, against an outstation in another process that uses Nagle.

Run as a script: ``python tests/bench/dnp3_bench.py``. User and system time of this process alone;
trust ratios more than figures. Values are decoded to columns and dropped.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from dnp3_talks import Talk
from otgate_dnp3.channel.tcp import open_tcp
from otgate_dnp3.stack import encode
from otgate_dnp3.stack.application import CON, FIN, FIR, Function, parsed_request, response
from otgate_dnp3.stack.association import Association
from otgate_dnp3.stack.link import FrameReader
from otgate_dnp3.stack.points import Columns, PointType
from otgate_dnp3.stack.station import Role, Station

POINTS = 2000
PER_FRAGMENT = 400
EVENTS = 100
"""Events in an unsolicited response: 15 octets each."""

STAMP = 1_700_000_000_000
ALL = frozenset({1, 2, 3})


def statics() -> list[bytes]:
    """Analog inputs with flags, as the fragments that carry them."""
    return [
        encode.block(
            Columns(
                *(30, 1, PointType.ANALOG_INPUT, False),
                index=range(at, at + PER_FRAGMENT),
                values=list(range(PER_FRAGMENT)),
                flags=[1] * PER_FRAGMENT,
            )
        )
        for at in range(0, POINTS, PER_FRAGMENT)
    ]


def events() -> bytes:
    """Analog events with flags and time."""
    made = Columns(32, 3, PointType.ANALOG_INPUT, True, range(EVENTS), list(range(EVENTS)))  # noqa: FBT003
    made.flags, made.time_ms = [1] * EVENTS, [STAMP] * EVENTS
    return encode.block(made, index_width=2)


class Nagle:
    """An outstation on a blocking socket that sends frame by frame and sets no option."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._association = Association(Station(Role.OUTSTATION, 10, 1))
        self._reader = FrameReader()

    def requests(self) -> Iterator[tuple[int, int]]:
        """Yield the function and sequence of what arrives, until the master goes."""
        while octets := self._client.recv(4096):
            for received in self._reader.feed(octets):
                request = parsed_request(self._association.receive(received)[1])
                if request is not None:
                    yield request.function, request.sequence

    def send(self, control: int, objects: bytes) -> None:
        fragment = response(control, 0, objects)
        for at in range(0, len(fragment), 0xFFFF):
            frames = self._association.frames(fragment[at : at + 0xFFFF])
            for start in range(0, len(frames), 292):
                self._client.sendall(frames[start : start + 292])

    def serve(self, unsolicited: int) -> None:
        """Answer reads; once unsolicited is enabled, send that many responses one by one."""
        wait = self.requests()
        for function, sequence in wait:
            if function == Function.READ:
                self.read(sequence)
            elif function != Function.CONFIRM:
                self.send(FIR | FIN | sequence, b"")
            if function == Function.ENABLE_UNSOLICITED:
                objects = events()
                for each in range(unsolicited):
                    self.send(FIR | FIN | CON | 0x10 | each & 0x0F, objects)
                    next(wait)

    def read(self, sequence: int) -> None:
        fragments = statics()
        for at, objects in enumerate(fragments):
            control = (FIR if at == 0 else 0) | (FIN if at == len(fragments) - 1 else 0)
            self.send(control | (sequence + at) & 0x0F, objects)


def serve(pipe: Connection, unsolicited: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        pipe.send(server.getsockname()[1])
        Nagle(server.accept()[0]).serve(unsolicited)


@contextmanager
def served(unsolicited: int = 0) -> Iterator[int]:
    """Run the outstation in a process of its own and yield its port."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(theirs, unsolicited), daemon=True)
    server.start()
    try:
        yield ours.recv()
    finally:
        server.terminate()
        server.join()


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def polled(port: int, polls: int) -> dict[str, float]:
    talk = await Talk(await open_tcp("127.0.0.1", port)).started()
    took: list[float] = []
    before = cpu_s()
    for _ in range(polls):
        began = time.perf_counter()
        await talk.conversation.poll_classes({0})
        took.append(time.perf_counter() - began)
        talk.deliveries.clear()
    spent = cpu_s() - before
    talk.conversation.stop()
    return {
        "us_per_static_value": round(spent / polls / POINTS * 1e6, 3),
        "ms_per_poll_of_2000_median": round(sorted(took)[polls // 2] * 1e3, 2),
    }


async def told(port: int, responses: int) -> dict[str, float]:
    talk = Talk(await open_tcp("127.0.0.1", port), unsolicited=ALL)
    talk.conversation.start()
    await talk.until(lambda: talk.conversation.master.integral)
    began, before = time.perf_counter(), cpu_s()
    counts = talk.conversation.master.unsolicited.counts
    while counts.delivered < responses:
        await asyncio.sleep(0.02)
        talk.deliveries.clear()
    seconds = time.perf_counter() - began
    spent = cpu_s() - before
    talk.conversation.stop()
    return {
        "us_per_event": round(spent / responses / EVENTS * 1e6, 3),
        "unsolicited_events_per_s": round(responses * EVENTS / seconds),
    }


def figures(loops: object, polls: int) -> dict[str, float]:
    with served() as port, asyncio.Runner(loop_factory=loops) as runner:  # type: ignore[arg-type]
        found = runner.run(polled(port, polls))
    responses = 5 * polls
    with served(responses) as port, asyncio.Runner(loop_factory=loops) as runner:  # type: ignore[arg-type]
        return found | runner.run(told(port, responses))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--polls", type=int, default=200)
    polls = parser.parse_args().polls
    multiprocessing.set_start_method("spawn")
    result = {
        "asyncio": figures(asyncio.new_event_loop, polls),
        "uvloop": figures(import_module("uvloop").new_event_loop, polls),
    }
    print(json.dumps(result, indent=2))
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")


if __name__ == "__main__":
    main()
