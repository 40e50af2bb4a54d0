"""Serial lines, by termios: speed, parity, stop bits, and RS-485 where the kernel drives it."""

import asyncio
import contextlib
import fcntl
import os
import struct
import termios
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from otgate.errors import LinkLost, Unusable

SPEEDS = {
    int(name[1:]): getattr(termios, name)
    for name in dir(termios)
    if name.startswith("B") and name[1:].isdigit() and name != "B0"
}

READ_SIZE = 4096
MOST_WAITING = 65_536
"""Octets that wait for room; a line that takes none for so long is lost."""

PSEUDO = range(136, 144)
"""Major numbers of pseudo-terminals: Linux, Documentation/admin-guide/devices.txt."""

TIOCSRS485 = 0x542F
RS485 = struct.Struct("<III20x")
"""Flags, delay before and after sending in ms: linux/serial.h."""
RS485_ENABLED, RTS_ON_SEND = 1, 2


class Parity(StrEnum):
    """What the bit after the data says."""

    NONE = "none"
    EVEN = "even"
    ODD = "odd"


@dataclass(frozen=True, slots=True)
class Rs485:
    """The kernel turns the transmitter on and off by RTS."""

    before_ms: int = 0
    after_ms: int = 0


@dataclass(frozen=True, slots=True)
class SerialSettings:
    """One serial port, eight data bits."""

    path: str
    baud: int = 9600
    parity: Parity = Parity.NONE
    stop_bits: int = 1
    rs485: Rs485 | None = None


class End(Protocol):
    """Who a port belongs to."""

    def received(self, data: bytes) -> None:
        """Take octets."""

    def lost(self, reason: str) -> None:
        """Take notice that the port has ended."""


class SerialPort:
    """An open port that feeds its end."""

    def __init__(self, descriptor: int, end: End) -> None:
        self._descriptor = descriptor
        self._owner = end
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[bytes] = deque()
        self._open = True
        self._loop.add_reader(descriptor, self._readable)

    def write(self, data: bytes) -> None:
        """Send what there is room for now, and the rest when there is."""
        if not self._open:
            return
        if sum(map(len, self._waiting)) + len(data) > MOST_WAITING:
            self._end("the line takes no octets")
            return
        self._waiting.append(data)
        if len(self._waiting) == 1:
            self._writable()

    def abort(self) -> None:
        """Close the port; what was not sent is dropped."""
        if not self._open:
            return
        self._open = False
        self._waiting.clear()
        self._loop.remove_reader(self._descriptor)
        self._loop.remove_writer(self._descriptor)
        with contextlib.suppress(termios.error, OSError):
            termios.tcflush(self._descriptor, termios.TCIOFLUSH)
            fcntl.ioctl(self._descriptor, termios.TIOCNXCL)
        os.close(self._descriptor)

    def flush(self) -> None:
        """Throw away what was received and not read yet."""
        if self._open:
            with contextlib.suppress(termios.error):
                termios.tcflush(self._descriptor, termios.TCIFLUSH)

    def _readable(self) -> None:
        try:
            data = os.read(self._descriptor, READ_SIZE)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(error.strerror or str(error))
            return
        if data:
            self._owner.received(data)
        else:
            self._end("the port hung up")

    def _writable(self) -> None:
        while self._waiting:
            try:
                sent = os.write(self._descriptor, self._waiting[0])
            except BlockingIOError:
                sent = 0
            except OSError as error:
                self._end(error.strerror or str(error))
                return
            rest = self._waiting.popleft()[sent:]
            if rest:
                self._waiting.appendleft(rest)
                self._loop.add_writer(self._descriptor, self._writable)
                return
        self._loop.remove_writer(self._descriptor)

    def _end(self, reason: str) -> None:
        self._owner.lost(reason)
        self.abort()


def open_serial(settings: SerialSettings, end: End) -> SerialPort:
    """Open a serial port for this process alone, and feed ``end`` from it.

    Raises:
        LinkLost: it is not there, or in use.
        Unusable: it cannot be set as asked for.
    """
    path = settings.path
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError as error:
        raise LinkLost(f"{path}: {error.strerror or error}") from error
    try:
        _set_up(descriptor, settings)
    except (OSError, termios.error) as error:
        os.close(descriptor)
        raise Unusable(f"{path} cannot be set up: {error}") from error
    return SerialPort(descriptor, end)


_PARITY_BITS = {
    Parity.NONE: 0,
    Parity.EVEN: termios.PARENB,
    Parity.ODD: termios.PARENB | termios.PARODD,
}


def _is_pseudo(descriptor: int) -> bool:
    """Say whether it is a pseudo-terminal, which has no parity bit and refuses to be asked."""
    return os.major(os.fstat(descriptor).st_rdev) in PSEUDO


def _set_up(descriptor: int, settings: SerialSettings) -> None:
    speed = SPEEDS.get(settings.baud)
    if speed is None:
        raise Unusable(f"no serial port runs at {settings.baud} baud")
    control = termios.CS8 | termios.CREAD | termios.CLOCAL
    if not _is_pseudo(descriptor):
        control |= _PARITY_BITS[settings.parity]
    if settings.stop_bits == 2:
        control |= termios.CSTOPB
    characters = termios.tcgetattr(descriptor)[6]
    characters[termios.VMIN], characters[termios.VTIME] = 1, 0
    fcntl.ioctl(descriptor, termios.TIOCEXCL)
    termios.tcsetattr(descriptor, termios.TCSANOW, [0, 0, control, 0, speed, speed, characters])
    termios.tcflush(descriptor, termios.TCIOFLUSH)
    if settings.rs485 is not None:
        flags = RS485_ENABLED | RTS_ON_SEND
        delays = settings.rs485.before_ms, settings.rs485.after_ms
        fcntl.ioctl(descriptor, TIOCSRS485, RS485.pack(flags, *delays))
