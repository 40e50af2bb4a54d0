"""Where the points of a model lie, now that its registers say how often groups repeat."""

from collections import ChainMap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from otgate_modbus.sunspec.chain import Block
from otgate_modbus.sunspec.definitions import TO_THE_END, Definition, Entry, Group

ABSENT = 0xFFFF
"""A count that is not implemented."""

FILLER = "pad"
"""A type that says nothing; the model 1 of older devices ends without it."""

Registers = Sequence[int | None]
"""Registers of a model from its number on; None where one cannot be read."""


class Field(NamedTuple):
    """One point of one device. ``path`` names the groups that it is in, then the point."""

    path: tuple[str, ...]
    entry: Entry
    offset: int
    """Registers from the model's number."""
    sf: int | None
    """Offset of the register that holds its decimal exponent."""


@dataclass(slots=True)
class Layout:
    """The points of a model, and what does not fit its definition."""

    fields: list[Field] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def laid_out(definition: Definition, block: Block, registers: Registers) -> Layout:
    """Place every point of a definition in the registers of a model."""
    return Laying(block, registers).laid(definition.group)


class Laying:
    """A walk through a definition, along the registers."""

    def __init__(self, block: Block, registers: Registers) -> None:
        self._registers = registers
        self._end = block.behind - block.at
        self._at = 0
        self._layout = Layout()

    def laid(self, group: Group) -> Layout:
        """Place a model's group, and say what is left over or missing."""
        complete = self._group(group, (), ChainMap())
        if not complete:
            self._layout.remarks.append("it is shorter than its definition")
        elif self._at < self._end:
            over = self._end - self._at
            self._layout.remarks.append(f"its last {over} registers are not in its definition")
        return self._layout

    def _group(self, group: Group, path: tuple[str, ...], outer: ChainMap[str, int]) -> bool:
        """Place one repetition; False where the model ends within it."""
        scope = outer.new_child(dict(self._places(group)))
        for entry in group.entries:
            if self._at + entry.size > self._end:
                return entry.type == FILLER
            sf = scope.get(entry.sf) if isinstance(entry.sf, str) else None
            self._layout.fields.append(Field((*path, entry.name), entry, self._at, sf))
            self._at += entry.size
        return all(self._repeated(inner, path, scope, group) for inner in group.groups)

    def _places(self, group: Group) -> Iterator[tuple[str, int]]:
        """Yield where the points of a group lie, as far as the model goes."""
        at = self._at
        for entry in group.entries:
            if at + entry.size > self._end:
                return
            yield entry.name, at
            at += entry.size

    def _repeated(
        self, group: Group, path: tuple[str, ...], scope: ChainMap[str, int], outer: Group
    ) -> bool:
        """Place every repetition of a group."""
        if group.repeat == 1:
            return self._group(group, (*path, group.name), scope)
        alone = sum(other.repeat != 1 for other in outer.groups) == 1
        named = path if alone else (*path, group.name)
        if group.repeat == TO_THE_END:
            return self._filled(group, named, scope)
        wanted = self._count(group.repeat, scope)
        for number in range(1, wanted + 1):
            if not self._group(group, (*named, str(number)), scope):
                self._layout.remarks.append(
                    f"it says that there are {wanted} of {group.name}, and ends within {number}"
                )
                return False
        return True

    def _filled(self, group: Group, path: tuple[str, ...], scope: ChainMap[str, int]) -> bool:
        number = 1
        while 0 < group.size <= self._end - self._at:
            if not self._group(group, (*path, str(number)), scope):
                return False
            number += 1
        return True

    def _count(self, repeat: int | str, scope: ChainMap[str, int]) -> int:
        if isinstance(repeat, int):
            return repeat
        at = scope.get(repeat)
        said = None if at is None else self._registers[at]
        return 0 if said is None or said == ABSENT else said
