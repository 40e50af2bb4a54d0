"""A serial port on a pair of terminals, and how a URL names one."""

import asyncio
import os
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from otgate.endpoint.serial import Parity, Rs485, SerialSettings, open_serial
from otgate.endpoint.url import serial_of
from otgate.errors import LinkLost, Unusable

pytestmark = pytest.mark.both_loops
MODBUS = SerialSettings("", 19200, Parity.EVEN)


class Taking:
    """Keeps what a port says."""

    def __init__(self) -> None:
        self.octets = b""
        self.fed = asyncio.Event()
        self.reason: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def received(self, data: bytes) -> None:
        self.octets += data
        self.fed.set()

    def lost(self, reason: str) -> None:
        if not self.reason.done():
            self.reason.set_result(reason)

    async def have(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.octets) < count:
                self.fed.clear()
                await self.fed.wait()


@contextmanager
def terminals() -> Iterator[tuple[int, str]]:
    near, far = os.openpty()
    try:
        yield near, os.ttyname(far)
    finally:
        os.close(far)
        os.close(near)


async def test_octets_pass_both_ways_unchanged() -> None:
    every = bytes(range(256))
    with terminals() as (near, path):
        end = Taking()
        port = open_serial(SerialSettings(path), end)
        os.write(near, every)
        await end.have(256)
        port.write(every)
        assert await asyncio.to_thread(os.read, near, 256) == end.octets == every
        port.abort()


async def test_a_flush_throws_away_what_was_not_read() -> None:
    with terminals() as (near, path):
        end = Taking()
        port = open_serial(SerialSettings(path), end)
        os.write(near, b"old")
        port.flush()
        os.write(near, b"new")
        await end.have(3)
        assert end.octets == b"new"
        port.abort()
        port.flush()


async def test_the_port_runs_as_asked() -> None:
    with terminals() as (_, path):
        port = open_serial(SerialSettings(path, 38400, Parity.NONE, 2), Taking())
        _, _, control, _, _, speed, _ = termios.tcgetattr(port._descriptor)
        assert speed == termios.B38400
        assert control & termios.CSTOPB
        port.abort()


async def test_a_terminal_can_be_opened_again_whatever_its_parity() -> None:
    with terminals() as (_, path):
        for _ in range(3):
            open_serial(SerialSettings(path, parity=Parity.EVEN), Taking()).abort()


async def test_a_port_is_for_one_process() -> None:
    with terminals() as (_, path):
        port = open_serial(SerialSettings(path), Taking())
        if os.geteuid() != 0:  # root may open it all the same
            with pytest.raises(LinkLost):
                open_serial(SerialSettings(path), Taking())
        port.abort()


async def test_a_port_that_is_pulled_out_says_so() -> None:
    near, far = os.openpty()
    end = Taking()
    open_serial(SerialSettings(os.ttyname(far)), end)
    os.close(far)
    os.close(near)
    assert await asyncio.wait_for(end.reason, 5)


async def test_a_speed_that_no_port_has_is_unusable() -> None:
    with terminals() as (_, path), pytest.raises(Unusable, match="12345 baud"):
        open_serial(SerialSettings(path, 12345), Taking())


@pytest.mark.parametrize(
    ("query", "settings"),
    [
        ("", SerialSettings("/dev/ttyS0", 19200, Parity.EVEN, 1)),
        ("?baud=9600&parity=N&stop=2", SerialSettings("/dev/ttyS0", 9600, Parity.NONE, 2)),
        ("?parity=odd&rs485=1", SerialSettings("/dev/ttyS0", 19200, Parity.ODD, 1, Rs485(1))),
    ],
)
def test_a_url_says_what_is_unusual(query: str, settings: SerialSettings) -> None:
    url = f"serial:///dev/ttyS0{query}"
    assert serial_of(url, urlsplit(url), MODBUS) == settings
