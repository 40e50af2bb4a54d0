"""The load of the fleet benchmarks does what it says: the figures stand on it."""

import shutil
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.fleet_bench import Heard, sweep_of
from bench.fleet_load import Server, host, serving
from daemons import wait_until

REQUEST = struct.Struct(">HHHBBHH")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    if shutil.which("cc") is None and shutil.which("gcc") is None:
        pytest.skip("no C compiler here: the benchmarks' server is not built")
    with serving(tmp_path, 100) as running:
        yield running


def connected(server: Server, device: int = 0) -> socket.socket:
    return socket.create_connection((host(device), server.port), timeout=5)


def exactly(wire: socket.socket, size: int) -> bytes:
    got = b""
    while len(got) < size:
        got += wire.recv(size - len(got))
    return got


def read(wire: socket.socket, address: int, count: int, unit: int = 1) -> list[int]:
    wire.sendall(REQUEST.pack(1, 0, 6, unit, 4, address, count))
    reply = exactly(wire, 9 + 2 * count)
    return list(struct.unpack(f">{count}H", reply[9:]))


def test_a_value_tells_its_sweep(server: Server) -> None:
    with connected(server) as wire:
        for sweep in (1, 2, 3):
            words = read(wire, 0, 125)
            assert {sweep_of(at, word) for at, word in enumerate(words)} == {sweep}


def test_a_share_of_the_registers_changes(server: Server) -> None:
    server.say("changed 100")
    with connected(server) as wire:
        wait_until(lambda: read(wire, 0, 125)[1] == read(wire, 0, 125)[1])
        before, after = (
            [word for at in range(0, 1000, 125) for word in read(wire, at, 125)] for _ in range(2)
        )
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 100


def test_every_poll_of_every_device_is_booked(server: Server) -> None:
    with connected(server) as one, connected(server, 3) as other:
        for wire in (one, other, one):
            read(wire, 0, 100)
            read(wire, 100, 25)
        read(one, 0, 1, unit=3)
    booked = server.sweeps()
    assert booked["device"].tolist() == [0, 3, 0, 2]
    assert booked["number"].tolist() == [1, 1, 2, 1]
    assert (booked["at_ns"][1:] > booked["at_ns"][:-1]).all()
    assert server.counts().registers == 3 * 125 + 1


def test_requests_that_come_together_are_answered_in_order(server: Server) -> None:
    asked = b"".join(REQUEST.pack(at, 0, 6, 1, 3, 10 * at, 1) for at in range(40))
    with connected(server) as wire:
        wire.sendall(asked[:-5])
        wire.sendall(asked[-5:])
        replies = exactly(wire, 40 * 11)
    assert [int.from_bytes(replies[at : at + 2]) for at in range(0, len(replies), 11)] == list(
        range(40)
    )


def answered(wire: socket.socket) -> bool:
    try:
        return bool(read(wire, 0, 1))
    except TimeoutError:
        return False


def test_a_silent_device_answers_nothing_and_the_others_do(server: Server) -> None:
    with connected(server, 7) as dead, connected(server, 8) as other:
        assert answered(dead)
        dead.settimeout(0.2)
        server.say("silent 7")
        wait_until(lambda: not answered(dead))
        assert answered(other)
        server.say("silent -1")
        wait_until(lambda: answered(dead))


MESSAGE = (
    b'{"schema":"otgate.data/1","device":"d4","lane":"data","epoch":"E","seq":%d,"meta":"9f",'
    b'"origin":"%s","received_us":1,"points":[{"id":"p2","v":66},{"id":"p3","v":1}]}'
)


def test_a_hole_in_the_numbers_is_counted() -> None:
    heard = Heard(1.0)
    for seq in (10, 12, 15, 12):
        heard.take(b"", MESSAGE % (seq, b"poll"), 5)
    assert (heard.samples, heard.holes, heard.strange) == (8, 1, 0)


def test_only_what_was_polled_tells_how_long_a_change_took() -> None:
    heard = Heard(1.0)
    heard.take(b"", MESSAGE % (0, b"refresh"), 5)
    heard.take(b"", MESSAGE % (2, b"poll"), 6)
    assert heard.marks == [(4, 3, 6)]


def test_a_message_of_another_shape_is_told() -> None:
    heard = Heard(1.0)
    heard.take(b"", b'{"points":[]}', 5)
    assert heard.strange == 1
