"""A live device, read once: its SunSpec chain and points, or what it says that it is."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl, urlencode

from otgate.endpoint.tls import TlsFiles
from otgate.errors import Refused
from otgate_modbus.codec import Answer, Ask, Identify, Missing
from otgate_modbus.endpoint import Endpoint, Tcp, endpoint
from otgate_modbus.identification import Category, identified
from otgate_modbus.link import Poll
from otgate_modbus.manners import Manners
from otgate_modbus.sunspec.chain import HEADER, Block, Chain, Words, found_at, walked
from otgate_modbus.sunspec.definitions import definition
from otgate_modbus.sunspec.layout import Field, Registers, laid_out
from otgate_modbus.sunspec.values import Value, value_of
from otgate_modbus.verdict import REFUSALS, verdict
from otgate_modbus.wires import AnyWire, opened

HOLDING = 3
MOST_REGISTERS = 125
"""Registers in one read: Modbus Application Protocol V1.1b3, §6.3."""

EXAMPLE = "tcp://HOST[:PORT]?unit=N"
BOUNDS = {"unit": (0, 255), "max_registers": (1, MOST_REGISTERS), "gap_ms": (0, 5000)}
CERTIFICATES = ("ca", "cert", "key")
"""Options of tcps://, files, which become the device entry's `tls`."""


@dataclass(frozen=True, slots=True)
class Target:
    """Which unit to read, and how gently."""

    url: str
    """The endpoint as a device entry names it."""
    place: Endpoint
    unit: int = 1
    max_registers: int = MOST_REGISTERS
    gap_ms: int = 0
    tls: TlsFiles | None = None


def target(url: str) -> Target:
    """Read a device entry's URL with ``?unit=N[&max_registers=N][&gap_ms=N]`` behind it.

    Raises:
        Refused: it is something else.
    """
    head, _, query = url.partition("?")
    given = dict(parse_qsl(query, keep_blank_values=True))
    numbers = {name: _bounded(url, name, given.pop(name)) for name in BOUNDS if name in given}
    files = [given.pop(name) for name in CERTIFICATES if name in given]
    name = given.pop("server_name", "")
    rest = f"{head}?{urlencode(given, safe='/,')}" if given else head
    try:
        place = endpoint(rest)
    except ValueError as wrong:
        raise Refused(f"{wrong}; then ?unit=N, {', '.join(BOUNDS)}") from wrong
    secure = isinstance(place, Tcp) and place.tls
    if secure != (len(files) == len(CERTIFICATES)) or (not secure and (files or name)):
        raise Refused(f"`{url}`: tcps:// alone takes, and needs, &ca=FILE&cert=FILE&key=FILE")
    tls = _certified(files, name) if secure else None
    return Target(rest, place, **numbers, tls=tls)


def _certified(files: Sequence[str], server_name: str) -> TlsFiles:
    authority, certificate, key = (Path(file).absolute() for file in files)
    return TlsFiles(authority, certificate, key, server_name)


def _bounded(url: str, name: str, text: str) -> int:
    low, high = BOUNDS[name]
    if not text.isdecimal() or not low <= int(text) <= high:
        raise Refused(f"`{name}={text}` of `{url}` is no number from {low} to {high}")
    return int(text)


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


class Readable(Protocol):
    """What a survey asks of a device, or of a record of one."""

    most: int
    """Registers per request that it takes."""
    heard: bool
    """Whether it has said anything at all."""
    silent: str
    """What is said where it has not."""

    async def identify(self, category: Category, first: int, /) -> Answer:
        """Ask for the device identification."""

    async def words(self, at: int, count: int, /) -> Words | None:
        """Read registers; None where they are refused."""

    async def sought(self, at: int, count: int, /) -> Words | None:
        """Read registers that may not exist."""

    async def registers(self, at: int, count: int, /) -> list[int | None]:
        """Read any number of registers; None stands for each that is refused."""


class Reader:
    """Reads holding registers of one unit, one request at a time."""

    def __init__(self, wire: AnyWire, where: Target, timeout_s: float) -> None:
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
        await self._wire.ready(self._unit)
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
            return unpacked(answer)
        if answer in REFUSALS:
            return None
        if isinstance(answer, Missing):
            raise Refused(self.silent)
        raise Refused(f"unit {self._unit} {verdict(answer).text}")

    async def sought(self, at: int, count: int) -> Words | None:
        """Read registers that may not exist, of a device that may not say so."""
        answer = await self.ask(Ask(self._unit, HOLDING, at, count))
        return unpacked(answer) if isinstance(answer, bytes) else None

    async def registers(self, at: int, count: int) -> list[int | None]:
        """Read any number of registers; None stands for each that the device refuses.

        They come in several replies, so that a wide value may be of two moments.
        """
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


def unpacked(data: bytes) -> Words:
    """Return the registers of a reply."""
    return [int.from_bytes(data[at : at + 2]) for at in range(0, len(data), 2)]


async def surveyed(where: Target, timeout_s: float) -> Survey:
    """Read a device once.

    Raises:
        LinkLost: there is no connection, or it ended.
        Refused: the device did not answer.
        Unusable: a port or a certificate cannot be used.
    """
    manners = Manners(gap_s=where.gap_ms / 1000, late_window_s=timeout_s)
    wire = await opened(where.place, manners, time.time_ns, where.tls)
    try:
        return await surveyed_by(Reader(wire, where, timeout_s), where)
    finally:
        wire.close()


async def surveyed_by(reader: Readable, where: Target) -> Survey:
    """Read a device through ``reader``.

    Raises:
        LinkLost: the connection ended.
        Refused: the device did not answer.
    """
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


async def _model(reader: Readable, survey: Survey, block: Block) -> Model:
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
