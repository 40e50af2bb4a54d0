"""Which formulas follow from which points, and in which order: worked out once per set of news."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from otgate.calc.calculation import Formula, in_order
from otgate.calc.feeds import Feed, Feeds
from otgate.calc.meaning import Term
from otgate.calc.outputs import Delivery, Outputs
from otgate.calc.program import Program, Shape, shape_of
from otgate.calc.states import Newest, Slots
from otgate.calc.sums import Sums, summands, tables
from otgate.model import ValueType


class Plan(NamedTuple):
    """What follows from news of some points: formulas, windows over them, and batches."""

    steps: Sequence[tuple[Program | Sums, Slots]]
    slots: Slots
    feeds: Sequence[Feed]
    deliveries: Sequence[Delivery]


class Graph:
    """All formulas of a site."""

    def __init__(
        self, formulas: Mapping[str, Formula], newest: Newest, feeds: Feeds, outputs: Outputs
    ) -> None:
        self._feeds = feeds
        self._outputs = outputs
        self._readers: dict[int, list[int]] = {}
        """Slots of the formulas that read a slot."""
        for path, formula in formulas.items():
            for name in formula.inputs:
                reader = newest.slots[path]
                self._readers.setdefault(newest.slots[name], []).append(reader)
        self._programs: list[Program | Sums] = []
        self._places: dict[int, tuple[int, int]] = {}
        """Where a formula is, by its slot: the number of its program, and its row there."""
        for paths in levelled(formulas):
            number = len(self._programs)
            slots = np.array([newest.slots[path] for path in paths], np.intp)
            self._programs.append(program([formulas[path].term for path in paths], slots, newest))
            self._places.update({slot: (number, row) for row, slot in enumerate(slots.tolist())})

    def reads(self, slots: Iterable[int]) -> bool:
        """Tell whether any formula follows from any of ``slots``."""
        return any(slot in self._readers for slot in slots)

    def plan(self, slots: Iterable[int]) -> Plan:
        """Return what follows from news of ``slots``."""
        found: dict[int, None] = {}
        waiting = list(slots)
        while waiting:
            for reader in self._readers.get(waiting.pop(), ()):
                if reader not in found:
                    found[reader] = None
                    waiting.append(reader)
        rows: dict[int, list[int]] = {}
        for program, row in sorted(self._places[slot] for slot in found):
            rows.setdefault(program, []).append(row)
        steps = [(self._programs[one], np.array(rows[one], np.intp)) for one in rows]
        results = np.array(sorted(found), np.intp)
        deliveries = self._outputs.deliveries(results.tolist())
        return Plan(steps, results, self._feeds.of(results), deliveries)


def program(terms: Sequence[Term], outputs: Slots, newest: Newest) -> Program | Sums:
    """Return what calculates formulas that `levelled` put together."""
    sums = [points for term in terms if (points := summands(term)) is not None]
    return Sums(sums, outputs, newest) if sums else Program(terms, outputs, newest)


ADDED_UP = ("sums", ValueType.F64, ())
"""Stands for the shape of every sum of points."""


def levelled(formulas: Mapping[str, Formula]) -> list[list[str]]:
    """Group formulas of one shape, none of which follows from another of its group or later."""
    ordered, _ = in_order({path: list(one.inputs) for path, one in formulas.items()})
    levels: dict[str, int] = {}
    groups: dict[tuple[int, Shape], list[str]] = {}
    sums: dict[str, Sequence[str]] = {}
    for path in ordered:
        level = 1 + max((levels.get(name, 0) for name in formulas[path].inputs), default=0)
        levels[path] = level
        term = formulas[path].term
        if points := summands(term):
            sums[path] = points
        shape = ADDED_UP if points else shape_of(term)
        groups.setdefault((level, shape), []).append(path)
    found: list[list[str]] = []
    for key in sorted(groups, key=lambda key: key[0]):
        paths = groups[key]
        together = tables({path: sums[path] for path in paths}) if key[1] == ADDED_UP else [paths]
        found += together
    return found
