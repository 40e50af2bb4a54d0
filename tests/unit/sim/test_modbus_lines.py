"""Simulated devices on lines and over UDP, asked in exact bytes."""

import asyncio
import os
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from otgate.model import Kind
from otgate_sim.faults import Fault
from otgate_sim.modbus_lines import crc
from rtu_peers import whole
from simulated import Client, client, device, point, served

MAP = (
    point("ia", "hr 100", "u16", unit="A", eu_hi=600.0, scale=0.1),
    point("cb", "di 3", "bool", kind=Kind.STATUS),
    point("set", "co 7", "bool", kind=Kind.CONTROL),
)
LINE = "rtu+tcp://10.0.0.1:4001"
READ = "01 03 0064 0001"


def sealed(text: str) -> str:
    return whole(bytes.fromhex(text)).hex(" ")


@asynccontextmanager
async def line(*units: int) -> AsyncIterator[tuple[Any, Client]]:
    devices = [device(f"m{unit}", *MAP, url=LINE, unit=unit) for unit in units or (1,)]
    async with served(*devices) as (simulation, ports), client(ports[devices[0].id]) as wire:
        yield simulation, wire


def test_the_checksum_is_the_one_of_the_standard() -> None:
    assert crc(bytes.fromhex("01 03 0000 000a")).hex() == "c5cd"


async def test_a_register_is_read() -> None:
    async with line() as (simulation, wire):
        reply = bytes.fromhex((await wire.ask(sealed(READ), 7)).replace(" ", ""))
        assert reply[:3].hex(" ") == "01 03 02"
        assert crc(reply) == b"\0\0"
        amperes = simulation.plant.bays["m1"].current_a(0)
        assert int.from_bytes(reply[3:5]) / 10 == pytest.approx(amperes, rel=0.05)


@pytest.mark.parametrize(
    ("request_text", "reply"),
    [
        ("01 02 0003 0001", "01 02 01 01"),
        ("01 01 0007 0001", "01 01 01 00"),
        ("01 03 0065 0001", "01 83 02"),  # a register beside the map
        ("01 03 0064 0000", "01 83 03"),  # none
        ("01 03 0064 007e", "01 83 03"),  # more than one read may ask for
        ("01 06 0064 0001", "01 86 01"),  # a write
    ],
)
async def test_a_request_is_answered_as_the_standard_says(request_text: str, reply: str) -> None:
    async with line() as (_, wire):
        expected = sealed(reply)
        assert await wire.ask(sealed(request_text), len(expected.split())) == expected


async def test_a_unit_that_is_not_there_is_silent() -> None:
    async with line() as (_, wire):
        wire.send(sealed("09 03 0064 0001"))
        assert await wire.is_silent()


@pytest.mark.parametrize("noise", ["ff", "00 01 02 03 04 05 06 07", READ + "ffff"])
async def test_noise_before_a_request_is_stepped_over(noise: str) -> None:
    async with line() as (_, wire):
        wire.send(noise)
        assert (await wire.ask(sealed(READ), 7)).startswith("01 03 02")


async def test_a_request_in_pieces_is_answered() -> None:
    async with line() as (_, wire):
        text = sealed(READ)
        wire.send(text[:12])
        await asyncio.sleep(0.05)
        assert (await wire.ask(text[12:], 7)).startswith("01 03 02")


async def test_a_request_that_stopped_is_not_the_beginning_of_the_next() -> None:
    async with line() as (_, wire):
        wire.send(sealed(READ)[:12])
        await asyncio.sleep(0.3)
        assert (await wire.ask(sealed(READ), 7)).startswith("01 03 02")


async def test_a_fault_is_of_one_unit_alone() -> None:
    async with line(1, 2) as (simulation, wire):
        simulation.troubles["m1"].begin(Fault.SILENT)
        wire.send(sealed(READ))
        assert await wire.is_silent()
        assert (await wire.ask(sealed("02 03 0064 0001"), 7)).startswith("02 03 02")


@pytest.mark.parametrize(
    ("fault", "begins"), [(Fault.EXCEPTION, "01 83 04"), (Fault.WRONG_TID, "41 03 02")]
)
async def test_a_fault_spoils_a_frame_that_is_sound(fault: Fault, begins: str) -> None:
    async with line() as (simulation, wire):
        simulation.troubles["m1"].begin(fault)
        count = 5 if fault is Fault.EXCEPTION else 7
        reply = await wire.ask(sealed(READ), count)
        assert reply.startswith(begins)
        assert crc(bytes.fromhex(reply.replace(" ", ""))) == b"\0\0"
        assert simulation.troubles["m1"].spoilt == 1


class Datagrams(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.received: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.received.put_nowait(data)


@pytest.mark.parametrize(
    ("request_text", "reply"),
    [
        ("0001 0000 0006 01 02 0003 0001", "00 01 00 00 00 04 01 02 01 01"),
        ("0002 0000 0006 09 03 0064 0001", "00 02 00 00 00 03 09 83 0b"),
    ],
)
async def test_a_datagram_is_answered_and_rubbish_is_not(request_text: str, reply: str) -> None:
    async with served(device("m1", *MAP, url="udp://10.0.0.1")) as (_, ports):
        loop = asyncio.get_running_loop()
        transport, there = await loop.create_datagram_endpoint(
            Datagrams, remote_addr=("127.0.0.1", ports["m1"])
        )
        for rubbish in (b"", b"\0" * 7, b"\xff" * 40, bytes.fromhex(request_text) + b"\0"):
            transport.sendto(rubbish)
        transport.sendto(bytes.fromhex(request_text))
        async with asyncio.timeout(5):
            assert (await there.received.get()).hex(" ") == reply
        assert there.received.empty()
        transport.close()


async def test_a_terminal_can_be_closed_and_opened_again(tmp_path: Path) -> None:
    meter = device("m1", *MAP, url="serial:///dev/ttyS7?baud=115200")
    async with served(meter, terminals=tmp_path) as (_, _ports):
        for _ in range(2):
            descriptor = os.open(tmp_path / "ttyS7", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            tty.setraw(descriptor)
            got = b""
            async with asyncio.timeout(5):
                while not got.startswith(b"\x01\x03\x02"):
                    os.write(descriptor, bytes.fromhex(sealed(READ)))
                    await asyncio.sleep(0.05)
                    got = read(descriptor)
            os.close(descriptor)


def read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 256)
    except BlockingIOError:
        return b""
