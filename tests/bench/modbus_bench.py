"""CPU that the Modbus driver spends, against a raw server in another process.

Run as a script: ``python tests/bench/modbus_bench.py``. User and system time of this process
alone; trust ratios more than figures.
"""

import argparse
import asyncio
import multiprocessing
import random
import resource
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from results import record

from modbus_peers import point, session
from otgate.model import Batch, Point
from otgate.testing.collected import DURABLE, Durable

Loops = Callable[[], asyncio.AbstractEventLoop]
Depth = int | str
"""Requests under way at once: as many as prove themselves where it is `auto`."""

REGISTERS = 1000
CHANGING = 0.1
REPLY_S = struct.Struct(">HHHBBB")


def serve(pipe: Connection, changing: float) -> None:
    """Answer reads from 1000 registers, of which a share changes before each sweep."""
    words = bytearray(random.Random(1).randbytes(4 * REGISTERS))
    for at in range(0, len(words), 4):  # exponents of ordinary floats
        words[at : at + 2] = struct.pack(">H", 0x4300 + words[at] % 64)
    with socket.create_server(("127.0.0.1", 0)) as server:
        pipe.send(server.getsockname()[1])
        client, _ = server.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        rng = random.Random(2)
        while request := client.recv(12, socket.MSG_WAITALL):
            tid, _, _, unit, function, address, count = struct.unpack(">HHHBBHH", request)
            if not address:
                for _ in range(int(REGISTERS / 2 * changing)):
                    at = 4 * rng.randrange(REGISTERS // 2)
                    words[at + 3] = (words[at + 3] + 1) & 0xFF
            payload = words[2 * address : 2 * (address + count)]
            head = REPLY_S.pack(tid, 0, 3 + len(payload), unit, function, len(payload))
            client.sendall(head + payload)


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def discard(batch: Batch) -> Durable:
    return DURABLE


async def measured(port: int, points: list[Point], scans: int, depth: Depth) -> float:
    """CPU seconds of one scan."""
    async with session(*points, port=port, pipeline=depth) as bench:
        scan = bench.plan[0]
        for _ in range(min(50, scans)):
            await bench.session.scan(scan, discard)
        before = cpu_s()
        for _ in range(scans):
            await bench.session.scan(scan, discard)
        return (cpu_s() - before) / scans


@contextmanager
def served(changing: float) -> Iterator[int]:
    """Run the server in a process of its own and yield its port."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(theirs, changing), daemon=True)
    server.start()
    try:
        yield ours.recv()
    finally:
        server.terminate()
        server.join()


def floor(reads: int) -> float:
    """CPU seconds of a read of 125 registers over a blocking socket, nothing checked."""
    request = struct.pack(">HHHBBHH", 1, 0, 6, 1, 3, 0, 125)
    with served(0.0) as port, socket.create_connection(("127.0.0.1", port)) as wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        before = cpu_s()
        for _ in range(reads):
            wire.sendall(request)
            wire.recv(259, socket.MSG_WAITALL)
        return (cpu_s() - before) / reads


def against_server(
    changing: float, points: list[Point], scans: int, loops: Loops, depth: Depth
) -> float:
    with served(changing) as port, asyncio.Runner(loop_factory=loops) as runner:
        return runner.run(measured(port, points, scans, depth))


def figures(loops: Loops, scans: int) -> dict[str, float]:
    floats = [point(f"p{at}", f"hr {2 * at}", "f32") for at in range(REGISTERS // 2)]
    scaled = [point(f"p{at}", f"hr {at}", "u16", scale=0.1) for at in range(REGISTERS)]
    one = [point("text", "hr 0", "string(250)")]
    eight = [point(f"p{at}", f"hr {125 * at}", "string(250)") for at in range(8)]
    cases: dict[str, tuple[Any, ...]] = {
        "us_per_poll_of_one_read": (0.0, one, 4 * scans, 1e6),
        "us_per_read_at_depth_one": (0.0, eight, scans, 1e6 / 8, 1),
        "us_per_read_in_a_poll_of_eight": (0.0, eight, scans, 1e6 / 8),
        "us_per_register_f32_10_percent_changed": (CHANGING, floats, scans, 1e6 / REGISTERS),
        "us_per_register_u16_10_percent_changed": (CHANGING, scaled, scans, 1e6 / REGISTERS),
        "us_per_register_f32_unchanged": (0.0, floats, scans, 1e6 / REGISTERS),
    }
    return {
        name: round(against_server(changing, points, count, loops, *(depth or ["auto"])) * unit, 3)
        for name, (changing, points, count, unit, *depth) in cases.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scans", type=int, default=1000)
    parser.add_argument("--quick", action="store_true", help="run everything once, badly")
    asked = parser.parse_args()
    scans = 1 if asked.quick else asked.scans
    multiprocessing.set_start_method("fork")  # the child serves sockets alone
    result = {
        "blocking_socket_us_per_read": round(floor(8 * scans) * 1e6, 1),
        "asyncio": figures(asyncio.new_event_loop, scans),
        "uvloop": figures(import_module("uvloop").new_event_loop, scans),
    }
    record("modbus", result)
    for name, value in result.items():
        print(name, value)


if __name__ == "__main__":
    main()
