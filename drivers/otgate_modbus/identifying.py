"""A device that is asked what it is, once in each connection, after it has answered a poll.

Function 43/14, or of a SunSpec device the common model. Opted into: devices that know no 43/14
refuse it, most of them; some fall silent or hang up. Those are not asked a fourth time.
"""

import asyncio
from collections.abc import Mapping

import structlog

from otgate.driver import DeviceState, Emit, Trouble
from otgate.endpoint.identity import told
from otgate.model import Device, Scan
from otgate.together import together
from otgate_modbus.address import Table
from otgate_modbus.codec import Answer, Ask, Identify
from otgate_modbus.identification import Category, identified
from otgate_modbus.link import Poll
from otgate_modbus.planner import walls_of
from otgate_modbus.session import ModbusSession
from otgate_modbus.settings import Settings
from otgate_modbus.sunspec.common_model import common
from otgate_modbus.sunspec.keeping import Kept
from otgate_modbus.wires import AnyWire

TRIES = "identity_tries"
"""How often in a row the question was left without an answer."""
MOST_TRIES = 3
HOLDING = 3

log = structlog.get_logger()


class Identifying:
    """A session that asks its device what it is; see `otgate.driver.Session`."""

    def __init__(
        self,
        session: ModbusSession | Kept,
        device: Device,
        settings: Settings,
        wire: AnyWire,
        state: DeviceState,
    ) -> None:
        self._session = session
        self._device = device
        self._settings = settings
        self._wire = wire
        self._state = state
        self._polled = asyncio.Event()
        self._heard = False

    async def scan(self, scan: Scan, emit: Emit) -> None:
        """Poll.

        Raises:
            LinkLost: the connection is gone.
            NoAnswer: not one block was answered.
        """
        await self._session.scan(scan, emit)
        self._polled.set()

    async def listen(self, emit: Emit) -> None:
        """Ask what the device is, and wait until the connection ends.

        Raises:
            LinkLost: it has ended.
        """
        await together(self._identify(), self._session.listen(emit))

    def trouble(self) -> Trouble:
        """Return what was met; see `otgate.driver.Counting`."""
        return self._session.trouble()

    async def _identify(self) -> None:
        await self._polled.wait()
        tries = self._state.get(TRIES) or 0
        if tries >= MOST_TRIES:
            return
        self._state.put(TRIES, tries + 1)  # before: the device may hang up
        said = await self._asked()
        if self._heard:
            self._state.put(TRIES, 0)
            told(self._device.id, self._state, said)
        elif tries + 1 == MOST_TRIES:
            log.info("identity_unasked", device=self._device.id, tries=MOST_TRIES)

    async def _asked(self) -> Mapping[str, str]:
        async with self._wire.turn:
            if self._settings.sunspec is not None:
                return await common(self._settings.sunspec, self._read)
            return await identified(self._ask_category)

    async def _ask_category(self, category: Category, first: int) -> Answer:
        return await self._ask(Identify(self._settings.unit, category, first))

    async def _read(self, at: int, count: int) -> bytes | None:
        barred = walls_of(self._settings)[Table.HR].touch(at, at + count)
        if barred or count > self._settings.max_registers:
            return None
        answer = await self._ask(Ask(self._settings.unit, HOLDING, at, count))
        return answer if isinstance(answer, bytes) else None

    async def _ask(self, ask: Ask) -> Answer:
        settings = self._settings
        await self._wire.ready(settings.unit, settings.spacing_s)
        now_s = asyncio.get_running_loop().time()
        poll = Poll(now_s, settings.timeout_s, spacing_s=settings.spacing_s)
        await self._wire.exchange([ask], poll)
        self._heard = self._heard or isinstance(ask.answer, bytes | int)
        return ask.answer
