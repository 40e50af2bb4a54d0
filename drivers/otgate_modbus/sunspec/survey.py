"""A live device, read once: its SunSpec chain and points, or what it says that it is."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from otgate.errors import Refused
from otgate_modbus.codec import Answer, Ask, Identify, Missing
from otgate_modbus.endpoint import TCP_PORT
from otgate_modbus.identification import Category, identified
from otgate_modbus.link import Poll, Wire, open_wire
from otgate_modbus.sunspec.chain import HEADER, Block, Chain, Words, found_at, walked
from otgate_modbus.sunspec.definitions import definition
from otgate_modbus.sunspec.layout import Field, Registers, laid_out
from otgate_modbus.sunspec.values import Value, value_of
from otgate_modbus.verdict import REFUSALS, verdict

HOLDING = 3
MOST_REGISTERS = 125
"""Registers in one read: Modbus Application Protocol V1.1b3, §6.3."""

EXAMPLE = "tcp://HOST[:PORT]?unit=N"
BOUNDS = {"unit": (0, 255), "max_registers": (1, MOST_REGISTERS), "gap_ms": (0, 5000)}


@dataclass(frozen=True, slots=True)
class Target:
    """Which unit to read, and how gently."""

    host: str
    port: int = TCP_PORT
    unit: int = 1
    max_registers: int = MOST_REGISTERS
    gap_ms: int = 0

    @property
    def url(self) -> str:
        """The endpoint as a device entry names it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{self.port}"


def target(url: str) -> Target:
    """Read ``tcp://HOST[:PORT]?unit=N[&max_registers=N][&gap_ms=N]``.

    Raises:
        Refused: it is something else.
    """
    wanted = Refused(f"`{url}` is no {EXAMPLE}; options are {', '.join(BOUNDS)}")
    try:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
        numbers = {name: int(text) for name, text in options.items()}
        found = Target(parts.hostname or "", parts.port or TCP_PORT, **numbers)
    except (ValueError, TypeError):
        raise wanted from None
    sound = all(low <= getattr(found, name) <= high for name, (low, high) in BOUNDS.items())
    if parts.scheme != "tcp" or not found.host or parts.path.strip("/") or not sound:
        raise wanted
    return found


@dataclass(slots=True)
class Model:
    """One model of a device, with its points where its definition is known."""

    block: Block
    number: int
    """Which of those with the same model number, from 1."""
    label: str = ""
    registers: Registers = ()
    fields: list[Field] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def value(self, of: Field) -> Value:
        """Return the value of one of its points."""
        return value_of(of, self.registers)


@dataclass(slots=True)
class Survey:
    """Everything that a device said."""

    target: Target
    identity: Mapping[str, str]
    chain: Chain | None = None
    models: list[Model] = field(default_factory=list)
    max_registers: int = MOST_REGISTERS
    """The largest read that the device took, as far as that was found out."""


class Reader:
    """Reads holding registers of one unit, one request at a time."""

    def __init__(self, wire: Wire, where: Target, timeout_s: float) -> None:
        self._wire = wire
        self._unit = where.unit
        self._timeout_s = timeout_s
        self.most = where.max_registers
        """Registers per request, halved where the device takes only less."""
        self.heard = False
        """Whether the device has said anything at all."""
        self.silent = f"unit {where.unit} did not answer within {timeout_s:g} s"

    async def ask(self, ask: Ask) -> Answer:
        """Return the answer to one request.

        Raises:
            LinkLost: the connection ended.
        """
        poll = Poll(asyncio.get_running_loop().time(), self._timeout_s)
        await self._wire.exchange([ask], poll)
        self.heard = self.heard or isinstance(ask.answer, bytes | int)
        return ask.answer

    async def identify(self, category: Category, first: int) -> Answer:
        """Ask for the device identification."""
        return await self.ask(Identify(self._unit, category, first))

    async def words(self, at: int, count: int) -> Words | None:
        """Read registers; None where the device refuses them.

        Raises:
            Refused: it gave no answer, or one that says that it is away, busy or broken.
        """
        answer = await self.ask(Ask(self._unit, HOLDING, at, count))
        if isinstance(answer, bytes):
            return [int.from_bytes(answer[each : each + 2]) for each in range(0, len(answer), 2)]
        if answer in REFUSALS:
            return None
        if isinstance(answer, Missing):
            raise Refused(self.silent)
        raise Refused(f"unit {self._unit} {verdict(answer).text}")

    async def sought(self, at: int, count: int) -> Words | None:
        """Read registers that may not exist, of a device that may not say so."""
        answer = await self.ask(Ask(self._unit, HOLDING, at, count))
        if not isinstance(answer, bytes):
            return None
        return [int.from_bytes(answer[each : each + 2]) for each in range(0, len(answer), 2)]

    async def registers(self, at: int, count: int) -> list[int | None]:
        """Read any number of registers; None stands for each that the device refuses."""
        found: list[int | None] = []
        while len(found) < count:
            here = min(self.most, count - len(found))
            found += await self._stretch(at + len(found), here)
        return found

    async def _stretch(self, at: int, count: int) -> list[int | None]:
        """Read one request's worth, in halves where it is refused as a whole."""
        words = await self.words(at, count)
        if words is not None:
            return list(words)
        if count == 1:
            return [None]
        half = count // 2
        halves = [*await self._stretch(at, half), *await self._stretch(at + half, count - half)]
        if None not in halves:  # it was the quantity, not an address
            self.most = min(self.most, count - half)
        return halves


async def surveyed(where: Target, timeout_s: float) -> Survey:
    """Read a device once.

    Raises:
        LinkLost: there is no connection, or it ended.
        Refused: the device did not answer.
    """
    wire = await open_wire(where.host, where.port, time.time_ns, where.gap_ms / 1000)
    try:
        return await _read(Reader(wire, where, timeout_s), where)
    finally:
        wire.close()


async def _read(reader: Reader, where: Target) -> Survey:
    base = await found_at(reader.sought)
    survey = Survey(where, await identified(reader.identify))
    if not reader.heard:
        raise Refused(reader.silent)
    if base is not None:
        survey.chain = await walked(reader.words, base)
        for block in survey.chain.blocks:
            survey.models.append(await _model(reader, survey, block))
    survey.max_registers = reader.most
    return survey


async def _model(reader: Reader, survey: Survey, block: Block) -> Model:
    number = 1 + sum(other.block.model == block.model for other in survey.models)
    model = Model(block, number)
    known = definition(block.model)
    if known is None:
        model.remarks.append("not known: its registers were not read")
        return model
    model.label = known.label
    model.registers = await reader.registers(block.at, HEADER + block.length)
    if tuple(model.registers[:HEADER]) != (block.model, block.length):
        model.remarks.append("changed while it was read: browse again")
        return model
    layout = laid_out(known, block, model.registers)
    model.fields, model.remarks = layout.fields, layout.remarks
    return model
