"""The cells of a simulated Modbus device: its points, their scale factors, and what is around."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from otgate.model import Device
from otgate_sim.binding import Read
from otgate_sim.factors import Register, factors_of, places_of, unfactored
from otgate_sim.faults import Fault, Trouble
from otgate_sim.memory import Cell
from otgate_sim.registers import Place, Slot, Table, slot_of
from otgate_sim.sunspec import Words, shell_of


def cells_of(device: Device, reads: Sequence[Read], trouble: Trouble) -> list[Cell]:
    """Return every cell of a device; of two that overlap the later one counts.

    Raises:
        Refused: a point cannot be simulated.
    """
    cells = list(point_cells(device, reads, trouble))
    sunspec = getattr(device.settings, "sunspec", None)
    if sunspec is None:
        return cells
    shell = shell_of(sunspec.at, sunspec.models)
    return [*fixed(shell.under), *cells, *fixed(shell.over)]


def point_cells(device: Device, reads: Sequence[Read], trouble: Trouble) -> Iterator[Cell]:
    """Yield the cells of points and of their scale factors, which a fault makes coarser."""
    base = device.settings.base
    factors = factors_of(device.points, base)
    coarser = {register: power + 1 for register, power in factors.items()}
    rescaled = partial(is_rescaled, trouble)
    for slots, read in zip(slots_of(device, factors, coarser), reads, strict=True):
        yield Cell(slots[0].place, partial(spelled, slots, rescaled, read))
    for (place, usual), (_, other) in zip(places_of(factors), places_of(coarser), strict=True):
        yield Cell(place, partial(chosen, (usual, other), rescaled))


def slots_of(device: Device, *factors: Mapping[Register, int]) -> Iterator[Sequence[Slot]]:
    """Yield for each point how it stands on the wire under each choice of scale factors."""
    settings = device.settings
    for point in device.points:
        plain = [unfactored(point, each, settings.base) for each in factors if point.sf] or [point]
        slots = [slot_of(each, settings.base, settings.order) for each in plain]
        yield (slots[0], slots[-1])


def is_rescaled(trouble: Trouble) -> bool:
    """Whether the device now has other scale factors."""
    return trouble.in_force() is Fault.RESCALE


def spelled(slots: Sequence[Slot], rescaled: Callable[[], bool], read: Read) -> list[int]:
    """Spell what a point reads from the plant now."""
    return slots[rescaled()].words(read())


def chosen(words: Sequence[Any], rescaled: Callable[[], bool]) -> list[int]:
    """Return the words of a scale factor now."""
    return list(words[rescaled()])


def fixed(words: Words) -> Iterator[Cell]:
    """Yield a cell per register that never changes."""
    for address, word in words.items():
        yield Cell(Place(Table.HOLDING, (address,)), partial(list, (word,)))
