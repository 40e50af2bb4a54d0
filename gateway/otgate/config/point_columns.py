"""The points of a map held as columns: tens of thousands stay small, each made when asked for."""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, repeat
from operator import eq
from typing import Any, overload

from otgate.model import Kind, Point

FIELDS = Point.__struct_fields__
SLOTS = {name: slot for slot, name in enumerate(FIELDS)}
PROSE = frozenset({"name", "description", "external_id"})
"""Texts of which every point has its own; they are kept end to end."""


def blank_values(ground: Mapping[str, Any]) -> list[Any]:
    """Return a point's values, in the order of its fields, where a map says nothing."""
    blank = Point("", Kind.TEXT)
    return [ground.get(name, getattr(blank, name)) for name in FIELDS]


class PointColumns(Sequence[Point]):
    """Points that are equal, but not identical, each time they are asked for."""

    def __init__(self, blank: Sequence[Any], varying: Sequence[str]) -> None:
        """Begin without points; all have the values of ``blank`` but for ``varying`` fields."""
        self._blank = list(blank)
        self._adding = {SLOTS[name]: list[Any]() for name in varying}
        self._varying: dict[int, Sequence[Any]] = dict(self._adding)
        self._count = 0

    def append(self, values: Sequence[Any]) -> None:
        """Add a point by its values, in the order of its fields."""
        for slot, column in self._adding.items():
            column.append(values[slot])
        self._count += 1

    def pack(self) -> None:
        """Make the columns small; no point can be added from here on."""
        for slot, column in self._adding.items():
            if column and all(value is column[0] for value in column):
                self._blank[slot] = column[0]
                del self._varying[slot]
            else:
                self._varying[slot] = Texts(column) if FIELDS[slot] in PROSE else tuple(column)
        self._adding.clear()

    def __len__(self) -> int:
        return self._count

    def __eq__(self, other: object) -> bool:
        """Tell whether ``other`` holds equal points in the same order."""
        if not isinstance(other, PointColumns):
            return NotImplemented
        return len(self) == len(other) and all(map(eq, self, other))

    __hash__ = None  # type: ignore[assignment]  # they are looked at, and kept nowhere by value

    def __iter__(self) -> Iterator[Point]:
        columns = [self._varying.get(slot) or repeat(same) for slot, same in enumerate(self._blank)]
        return islice(map(Point, *columns), self._count)

    @overload
    def __getitem__(self, number: int) -> Point: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Point]: ...
    def __getitem__(self, number: int | slice) -> Point | Sequence[Point]:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(self._count))]
        at = range(self._count)[number]
        values = self._blank.copy()
        for slot, column in self._varying.items():
            values[slot] = column[at]
        return Point(*values)


class Texts(Sequence[str]):
    """Texts that are kept end to end in UTF-8."""

    def __init__(self, texts: Sequence[str]) -> None:
        encoded = [text.encode() for text in texts]
        self._ends = array("I", [0])
        for text in encoded:
            self._ends.append(self._ends[-1] + len(text))
        self._bytes = b"".join(encoded)

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, number: int) -> str: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[str]: ...
    def __getitem__(self, number: int | slice) -> str | Sequence[str]:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        at = range(len(self))[number]
        return self._bytes[self._ends[at] : self._ends[at + 1]].decode()
