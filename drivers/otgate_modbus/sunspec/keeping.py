"""A SunSpec device is polled only while its models lie where its point map has them.

A firmware update may add a model, and every address behind it moves. Nothing in the registers of a
point says so, so the headers are read before the first poll of each connection, also of one that
the device had closed while nothing was asked.
"""

import asyncio
from collections.abc import Iterator

from otgate.driver import Emit, Trouble
from otgate.errors import Mistake
from otgate.model import Scan
from otgate_modbus.address import Table
from otgate_modbus.codec import Ask, Missing
from otgate_modbus.link import Poll
from otgate_modbus.planner import walls_of
from otgate_modbus.session import ModbusSession, NoAnswer, limit_s
from otgate_modbus.settings import Settings, SunSpec
from otgate_modbus.sunspec.chain import ADDRESSES, HEADER, MARKER, Block, Words
from otgate_modbus.verdict import REFUSALS, verdict
from otgate_modbus.wires import AnyWire

HOLDING = 3


class Moved(NoAnswer):
    """The models are no longer where the point map has them."""


class Headers:
    """What stands before each model, as far as it has been looked at."""

    def __init__(self, sunspec: SunSpec, unit: int) -> None:
        self._left = list(headers(sunspec))
        self._unit = unit

    @property
    def seen(self) -> bool:
        """Whether all of them are as expected."""
        return not self._left

    async def look(self, wire: AnyWire, poll: Poll) -> None:
        """Read those that are left, within the poll's deadline.

        Raises:
            LinkLost: the connection is gone.
            Moved: something else stands there.
            NoAnswer: the device did not answer in time.
        """
        asks = [Ask(self._unit, HOLDING, at, len(wanted)) for at, wanted in self._left]
        await wire.exchange(asks, poll)
        for ask, (at, wanted) in zip(asks, tuple(self._left), strict=True):
            self._judge(ask, at, wanted)
            del self._left[0]

    def _judge(self, ask: Ask, at: int, wanted: Words) -> None:
        if ask.answer in REFUSALS:
            raise moved(at, wanted, "nothing")
        if not isinstance(ask.answer, bytes):
            answer = Missing.SILENT if ask.answer is Missing.NOT_ASKED else ask.answer
            raise NoAnswer(f"unit {self._unit} {verdict(answer).text}")
        found = (int.from_bytes(ask.answer[:2]), int.from_bytes(ask.answer[2:]))
        if found != tuple(wanted):
            raise moved(at, wanted, named(found))


def headers(sunspec: SunSpec) -> Iterator[tuple[int, Words]]:
    """Return the address and the registers of the marker and of each model's header."""
    yield sunspec.at, MARKER
    at = sunspec.at + len(MARKER)
    for written in sunspec.models:
        model, length = (int(number) for number in written.split("/"))
        yield at, (model, length)
        at += HEADER + length


def barred(settings: Settings) -> list[Mistake]:
    """Return what keeps the headers from being read, found without the device.

    Raises:
        Mistakes: a readable or forbidden range cannot be read.
    """
    if settings.sunspec is None:
        return []
    wall = walls_of(settings)[Table.HR]
    for at, wanted in headers(settings.sunspec):
        place = f"the header of {named(wanted)} at hr {at}"
        if at + len(wanted) > ADDRESSES:
            return [_mistake(f"{place} is beyond the last register")]
        if wall.touch(at, at + len(wanted)):
            return [_mistake(f"{place} is forbidden or not readable by these settings")]
    return []


def _mistake(message: str) -> Mistake:
    return Mistake("bad-setting", message, None, "modbus.sunspec")


def moved(at: int, wanted: Words, found: str) -> Moved:
    """Say what changed, and what to do."""
    return Moved(
        f"the SunSpec models have moved: at hr {at} there is {found} instead of {named(wanted)}; "
        "browse the device again"
    )


def named(words: Words) -> str:
    """Name what two registers of a chain say."""
    return "`SunS`" if tuple(words) == MARKER else f"model {Block(words[0], words[1], 0)}"


class Kept:
    """A session that looks at the headers before it polls; see `otgate.driver.Session`."""

    def __init__(
        self, session: ModbusSession, settings: Settings, sunspec: SunSpec, wire: AnyWire
    ) -> None:
        self._session = session
        self._settings = settings
        self._sunspec = sunspec
        self._wire = wire
        self._closed = -1
        """How often the device had closed the connection when the headers were begun."""
        self._headers = Headers(sunspec, settings.unit)

    async def scan(self, scan: Scan, emit: Emit) -> None:
        """Poll, once the headers are as expected.

        Raises:
            LinkLost: the connection is gone.
            NoAnswer: not one block was answered, or the models have moved.
        """
        if self._closed != self._wire.counts.closed_idle:
            self._closed = self._wire.counts.closed_idle
            self._headers = Headers(self._sunspec, self._settings.unit)
        if not self._headers.seen:
            async with self._wire.turn:
                await self._look(scan)
        await self._session.scan(scan, emit)

    async def _look(self, scan: Scan) -> None:
        settings = self._settings
        await self._wire.ready(settings.unit, settings.spacing_s)
        now_s = asyncio.get_running_loop().time()
        poll = Poll(now_s, limit_s(settings, scan), spacing_s=settings.spacing_s)
        await self._headers.look(self._wire, poll)

    async def listen(self, emit: Emit) -> None:
        """Wait until the connection ends.

        Raises:
            LinkLost: it has ended.
        """
        await self._session.listen(emit)

    def trouble(self) -> Trouble:
        """Return what was met; see `otgate.driver.Counting`."""
        return self._session.trouble()


def kept(session: ModbusSession, settings: Settings, wire: AnyWire) -> "ModbusSession | Kept":
    """Return a session that also keeps an eye on the models, where the settings name any."""
    if settings.sunspec is None:
        return session
    return Kept(session, settings, settings.sunspec, wire)
