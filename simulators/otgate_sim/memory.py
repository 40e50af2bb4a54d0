"""The registers and bits of one unit, encoded from its points when somebody reads them.

An address that no point covers does not exist: reading it is refused as a whole, as a strict
device does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from otgate_sim.registers import Place, Table

STALE_NS = 50_000_000
"""A unit's registers are encoded anew when they are older than this."""


@dataclass(slots=True)
class Cell:
    """One point's registers or bit, and the function that fills them."""

    place: Place
    words: Callable[[], Sequence[int]]


@dataclass(slots=True)
class Unit:
    """Everything that answers under one unit identifier."""

    device: str
    cells: list[Cell]
    clock: Callable[[], int]
    advance: Callable[[int], None]
    """Brings the plant to a time, before cells are encoded."""
    tables: dict[Table, dict[int, int]] = field(init=False)
    encoded_ns: int | None = None

    def __post_init__(self) -> None:
        self.tables = {table: {} for table in Table}
        self.encode()

    def read(self, table: Table, address: int, count: int) -> list[int] | None:
        """Return ``count`` words or bits from ``address``, or None where one does not exist."""
        now_ns = self.clock()
        if self.encoded_ns is None or not 0 <= now_ns - self.encoded_ns < STALE_NS:
            self.advance(now_ns)
            self.encode()
            self.encoded_ns = now_ns
        held = self.tables[table]
        found = [held.get(at) for at in range(address, address + count)]
        return [word for word in found if word is not None] if None not in found else None

    def encode(self) -> None:
        """Fill every cell from the plant as it is."""
        for cell in self.cells:
            place = cell.place
            held = self.tables[place.table]
            for at, word in zip(place.addresses, cell.words(), strict=True):
                held[at] = place.merged(held.get(at, 0), word)
