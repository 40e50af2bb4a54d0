"""Where the bytes of each point lie in the replies of a poll, laid end to end."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from otgate_modbus.address import BIT_TABLES
from otgate_modbus.encoding import Form, wire_order
from otgate_modbus.planner import Block
from otgate_modbus.reading import Extent, Reading


class Home(NamedTuple):
    """A block, and where its reply begins and ends in the replies laid end to end."""

    number: int
    start: int
    stop: int
    block: Block

    def offset_of(self, span: Extent) -> int:
        """Return where the first register of a span lies."""
        return self.start + 2 * (span.start - self.block.start)


class Spot:
    """Where a reading lies: its block, and its first byte in the replies laid end to end."""

    __slots__ = ("home", "offset", "reading", "shift")

    others: Sequence[Home] = ()
    """Further blocks without which it has no value."""
    factor_apart = False
    """Whether the value comes in another reply than its scale factor."""

    def __init__(self, reading: Reading, home: Home) -> None:
        self.reading = reading
        self.home = home
        ahead = reading.start - home.block.start
        if reading.table in BIT_TABLES:
            self.offset, self.shift = home.start + ahead // 8, ahead % 8
        else:
            self.offset, self.shift = home.offset_of(reading), reading.shift

    def bytes_of(self) -> list[int]:
        """Return where each byte lies, least significant first."""
        encoding = self.reading.encoding
        if self.reading.table in BIT_TABLES:  # the lowest address is the lowest bit: V1.1b3 §6.1
            return [self.offset, min(self.offset + 1, self.home.stop - 1)]
        if encoding.half >= 0:
            return [self.offset + encoding.half]
        if encoding.form is Form.BITS:
            return [self.offset + 1, self.offset]
        return [self.at(byte) for byte in wire_bytes(self.reading)]

    def at(self, byte: int) -> int:
        """Return where a byte of the value's registers lies."""
        return self.offset + byte

    def factor_bytes(self) -> list[int]:
        """Return where the scale factor lies, least significant byte first."""
        return []


class ScatteredSpot(Spot):
    """Where a reading lies that needs registers of several places, perhaps of several blocks."""

    __slots__ = ("factor_apart", "others", "registers", "scale")

    def __init__(self, reading: Reading, homes: Sequence[Home]) -> None:
        found = [next(home for home in homes if home.block.holds(span)) for span in reading.spans]
        super().__init__(reading, found[0])
        self.others = [home for home in dict.fromkeys(found) if home is not self.home]
        offsets = [
            home.offset_of(span) + 2 * register
            for home, span in zip(found, reading.spans, strict=True)
            for register in range(span.length)
        ]
        self.scale = None if reading.factor is None else offsets.pop()
        self.factor_apart = self.scale is not None and any(home is not found[-1] for home in found)
        self.registers = offsets

    def at(self, byte: int) -> int:
        """Return where a byte of the value's registers lies."""
        return self.registers[byte // 2] + byte % 2

    def factor_bytes(self) -> list[int]:
        """Return where the scale factor lies, least significant byte first."""
        return [] if self.scale is None else [self.scale + 1, self.scale]


def wire_bytes(reading: Reading) -> Iterable[int]:
    """Return which bytes of a value's registers make it up, least significant first."""
    size = reading.encoding.size
    if reading.encoding.form is Form.TEXT:
        order = wire_order(reading.order, 2)
        return ((at & ~1) + order[at & 1] for at in range(size))
    return reversed(wire_order(reading.order, size))


def spots_of(by_number: Mapping[int, Reading], blocks: Sequence[Block]) -> Iterator[Spot]:
    """Find where each reading lies; those that need several blocks come last."""
    scattered: dict[int, list[Home]] = defaultdict(list)
    base = 0
    for at, block in enumerate(blocks):
        home = Home(at, base, base + block.reply_size, block)
        base = home.stop
        for number in block.numbers:
            if by_number[number].scattered:
                scattered[number].append(home)
            else:
                yield Spot(by_number[number], home)
    for number, homes in scattered.items():
        yield ScatteredSpot(by_number[number], homes)
