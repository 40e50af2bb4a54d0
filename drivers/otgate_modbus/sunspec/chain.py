"""The chain of models in a SunSpec device: a marker, then number and length of each, then the end.

A device may lie here in any way. Every step goes forward by at least three registers, and the
walk ends with a sentence where the device does not end it.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

MARKER = (0x5375, 0x6E53)
"""The characters `SunS`: SunSpec Information Model Specification, discovery."""

BASES = (40000, 50000, 0)
"""Where the marker may lie, in the order in which it is looked for."""

END = 0xFFFF
"""Number of the model that ends the chain."""

HEADER = 2
"""Registers of a model's number and length; the length counts neither."""

ADDRESSES = 65536
"""Registers of one table: Modbus Application Protocol V1.1b3, §4.4."""

MOST_MODELS = 256

Words = Sequence[int]
Read = Callable[[int, int], Awaitable[Words | None]]
"""Read registers: first and count; None where the device refuses them."""


class Block(NamedTuple):
    """One model in the chain. ``at`` is the address of its number."""

    model: int
    length: int
    at: int

    @property
    def behind(self) -> int:
        """First address after it."""
        return self.at + HEADER + self.length

    def __str__(self) -> str:
        return f"{self.model}/{self.length}"


@dataclass(slots=True)
class Chain:
    """The models of a device, and what was wrong with their chain."""

    base: int
    blocks: list[Block] = field(default_factory=list)
    complaint: str = ""


async def found_at(read: Read, bases: Sequence[int] = BASES) -> int | None:
    """Return where the marker lies, or None where it does not."""
    for base in bases:
        words = await read(base, len(MARKER))
        if words is not None and tuple(words) == MARKER:
            return base
    return None


async def walked(read: Read, base: int) -> Chain:
    """Follow the chain that begins at ``base`` to its end, or to where it goes wrong."""
    chain = Chain(base)
    at = base + len(MARKER)
    while not chain.complaint:
        if at + HEADER > ADDRESSES:
            chain.complaint = f"the chain has no end: no room for another model at {at}"
            break
        words = await read(at, HEADER)
        if words is None:
            chain.complaint = f"the chain has no end: the device refuses to read {at}"
            break
        block = Block(words[0], words[1], at)
        if block.model == END:
            break
        chain.complaint = objection(chain, block)
        if not chain.complaint:
            chain.blocks.append(block)
            at = block.behind
    return chain


def objection(chain: Chain, block: Block) -> str:
    """Say why a model cannot be one of this chain; empty where it can."""
    if not block.length:
        return f"model {block.model} at {block.at} has no length: the chain ends there"
    if block.behind > ADDRESSES:
        return (
            f"model {block.model} at {block.at} has {block.length} registers, which end beyond "
            "the last address: the chain ends there"
        )
    if len(chain.blocks) == MOST_MODELS:
        return f"the chain has more than {MOST_MODELS} models: it was followed no further"
    return ""
