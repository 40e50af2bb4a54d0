"""Calculates while samples pass: formulas at each news, windows when their time is over.

Everything a poll brings is taken together, at its end, so that no formula sees half of a scan.
Events are taken one by one in the order of their times: a pulse within one batch is not lost.
"""

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from otgate.calc.calculation import (
    Calculations,
    Definition,
    Formula,
    Window,
    definitions,
    in_order,
)
from otgate.calc.feeds import Feed, Feeds
from otgate.calc.graph import Graph, Plan
from otgate.calc.outputs import Outputs, owners
from otgate.calc.states import Newest, Slots, fitted, held, stamped
from otgate.calc.windows import Samples
from otgate.model import Batch, Device, Index, Mask, Origin, ValueType
from otgate.quality import Quality

COLUMNS = 1024
"""Index arrays remembered at once: a session that makes new ones for ever costs no memory."""

WAS = frozenset({Origin.EVENT, Origin.UNSOLICITED})
"""Origins of samples that say what was; all others say what is."""

TEST = np.uint32(Quality.TEST)
NOT_YET_READ = np.uint32(Quality.NOT_YET_READ)


class Result(NamedTuple):
    """What was calculated. A window goes on whole; of a formula, what is news."""

    batch: Batch
    whole: bool


class Inlet(NamedTuple):
    """Which samples of a batch take part, and where they go."""

    column: Index
    """Kept so that it is known by its identity."""
    number: int
    chosen: Mask
    slots: Slots
    feeds: Sequence[Feed]


class Engine:
    """All calculated points of a site."""

    def __init__(self, devices: Sequence[Device], now_ns: int) -> None:
        calculated = [one for one in devices if isinstance(one.settings, Calculations)]
        self._definitions = definitions(calculated)
        self._newest = Newest(held_kinds(self._definitions))
        self._numbers = numbered(devices, self._newest.slots)
        self._test = {device.id for device in devices if device.maintenance}
        self._outputs = Outputs(owners(calculated, self._newest.slots), self._newest)
        self._feeds = Feeds(of_form(self._definitions, Window), self._newest, now_ns)
        formulas = of_form(self._definitions, Formula)
        self._graph = Graph(formulas, self._newest, self._feeds, self._outputs)
        self._inlets: dict[tuple[str, int], Inlet] = {}
        self._made = 0
        self._pending: dict[str, dict[int, Inlet]] = {}
        self._plans: dict[Hashable, Plan] = {}

    def take(self, batch: Batch) -> list[Result]:
        """Take samples as a session emitted them, news or not; return what follows at once."""
        inlet = self._inlet(batch)
        if inlet is None or not len(inlet.slots):
            return []
        samples = self._samples(batch, inlet)
        for feed in inlet.feeds:
            mine = samples if len(feed.rows) == len(samples.rows) else samples.at(feed.positions)
            feed.windows.feed(mine._replace(rows=feed.rows))
        if batch.origin is Origin.POLL:
            self._write(samples)
            self._pending.setdefault(batch.device, {})[inlet.number] = inlet
            return []
        return list(self._one_by_one(samples))

    def seed(self, batch: Batch) -> None:
        """Take what is known of points that were never heard of here; `recalculate` follows."""
        inlet = self._fresh(batch)
        if inlet is None or not len(inlet.slots):
            return
        samples = self._samples(batch, inlet)
        samples = samples.at(self._newest.quality[samples.rows] & NOT_YET_READ != 0)
        if len(samples.rows):
            self._write(samples)
            for windows, positions, rows in self._feeds.of(samples.rows):
                values, quality = samples.values[positions], samples.quality[positions]
                windows.replace(rows, values, quality, batch.received_ns)

    def recalculate(self, now_ns: int) -> list[Result]:
        """Return what follows from everything that is known."""
        heard = np.flatnonzero(self._newest.quality & NOT_YET_READ == 0)
        return list(self._run(self._graph.plan(heard.tolist()), now_ns, marked=True))

    def flush(self, device: str, now_ns: int) -> list[Result]:
        """Return what follows from the polls of ``device`` since the last time."""
        pending = self._pending.pop(device, None)
        if pending is None:
            return []
        inlets = pending.values()
        plan = self._plan(tuple(pending), np.concatenate([one.slots for one in inlets]))
        return list(self._run(plan, now_ns))

    def mark(self, batch: Batch) -> list[Result]:
        """Take what the gateway found of points: failed, lost or stale; return what follows."""
        inlet = self._fresh(batch)
        if inlet is None or not len(inlet.slots):
            return []
        newest, given = self._newest, batch.quality[inlet.chosen]
        changed = newest.quality[inlet.slots] | given != newest.quality[inlet.slots]
        slots, given = inlet.slots[changed], given[changed]
        if not len(slots):
            return []
        newest.quality[slots] |= given
        for windows, positions, rows in self._feeds.of(slots):
            windows.mark(rows, given[positions], batch.received_ns)
        plan = self._plan(slots.tobytes(), slots)
        return list(self._run(plan, batch.received_ns, marked=True))

    def tick(self, now_ns: int) -> Iterator[Result]:
        """Yield what the windows say that are over."""
        for group in self._feeds.close(now_ns):
            deliveries = self._outputs.deliveries(group.slots.tolist())
            for batch in self._outputs.batches(deliveries, now_ns):
                yield Result(batch, whole=True)
            yield from self._run(self._plan(group.slots.tobytes(), group.slots), now_ns)

    def inherit(self, older: "Engine", devices: Collection[str]) -> None:
        """Go on as ``older`` did with what follows from ``devices`` as it did there."""
        kept = {path for path in self._newest.slots if path.partition("/")[0] in devices}
        kept -= self._definitions.keys()
        ordered, _ = in_order({path: list(one.inputs) for path, one in self._definitions.items()})
        for path in ordered:
            definition = self._definitions[path]
            if older.defines(path, definition) and kept.issuperset(definition.inputs):
                kept.add(path)
        self._newest.inherit(older._newest, kept)  # noqa: SLF001  its own kind
        self._feeds.inherit(older._feeds, kept)  # noqa: SLF001  its own kind

    def defines(self, path: str, definition: Definition) -> bool:
        """Tell whether a point is calculated exactly so."""
        return self._definitions.get(path) == definition

    # From samples to slots

    def _inlet(self, batch: Batch) -> Inlet | None:
        """Return where a batch's samples go; of a column that comes again, from memory."""
        if batch.origin is not Origin.POLL:
            return self._fresh(batch)
        key = (batch.device, id(batch.index))
        inlet = self._inlets.get(key)
        if inlet is None and (inlet := self._fresh(batch)) is not None:
            if len(self._inlets) >= COLUMNS:
                self._inlets.clear()
            self._inlets[key] = inlet
        return inlet

    def _fresh(self, batch: Batch) -> Inlet | None:
        numbers = self._numbers.get(batch.device)
        if numbers is None:
            return None
        slots = numbers[batch.index]
        chosen = slots >= 0
        slots = slots[chosen]
        self._made += 1
        return Inlet(batch.index, self._made, chosen, slots, self._feeds.of(slots))

    def _samples(self, batch: Batch, inlet: Inlet) -> Samples:
        if len(inlet.slots) < len(batch):
            batch = batch.kept(inlet.chosen)
        values, quality = fitted(batch, self._newest.kinds[inlet.slots])
        if batch.device in self._test:
            quality = quality | TEST
        present = batch.origin not in WAS
        return Samples(inlet.slots, values, quality, stamped(batch), batch.received_ns, present)

    def _write(self, samples: Samples) -> None:
        self._newest.write(samples.rows, samples.values, samples.quality, samples.stamps)

    # What follows

    def _one_by_one(self, samples: Samples) -> Iterator[Result]:
        """Take samples in the order of their times, and after each moment what follows from it."""
        samples = samples.at(np.argsort(samples.stamps >> 1, kind="stable"))
        if not self._graph.reads(samples.rows.tolist()):
            self._write(samples)
            return
        for start, end in moments(samples):
            moment = samples.at(slice(start, end))
            self._write(moment)
            plan = self._plan(moment.rows.tobytes(), moment.rows)
            yield from self._run(plan, samples.received_ns)

    def _plan(self, key: Hashable, slots: Slots) -> Plan:
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= COLUMNS:
                self._plans.clear()
            plan = self._plans[key] = self._graph.plan(slots.tolist())
        return plan

    def _run(self, plan: Plan, now_ns: int, *, marked: bool = False) -> Iterator[Result]:
        newest = self._newest
        for program, rows in plan.steps:
            program.run(rows)
        for windows, positions, rows in plan.feeds:
            slots = plan.slots[positions]
            values, quality = newest.values[windows.kind][slots], newest.quality[slots]
            if marked:
                windows.replace(rows, values, quality, now_ns)
            else:
                stamps = newest.stamps[slots]
                windows.feed(Samples(rows, values, quality, stamps, now_ns, present=True))
        for batch in self._outputs.batches(plan.deliveries, now_ns):
            yield Result(batch, whole=False)


D = TypeVar("D", Formula, Window)


def of_form(given: Mapping[str, Definition], form: type[D]) -> dict[str, D]:
    """Return the definitions of one form."""
    return {path: one for path, one in given.items() if isinstance(one, form)}


def held_kinds(given: Mapping[str, Definition]) -> dict[str, ValueType]:
    """Return how every point is held that takes part: the calculated ones, then what is read."""
    kinds = {path: held(one.kind) for path, one in given.items()}
    for one in given.values():
        kinds.update((path, kind) for path, kind in one.inputs.items() if path not in kinds)
    return kinds


def numbered(devices: Sequence[Device], slots: Mapping[str, int]) -> dict[str, Slots]:
    """Return the slot of each point by its number, -1 where none, of devices that take part."""
    named = {path.partition("/")[0] for path in slots}
    return {
        device.id: np.array(
            [slots.get(f"{device.id}/{point.id}", -1) for point in device.points], np.intp
        )
        for device in devices
        if device.id in named and not isinstance(device.settings, Calculations)
    }


def moments(samples: Samples) -> Iterator[tuple[int, int]]:
    """Yield stretches of samples of one time, in which no point comes twice."""
    start, seen = 0, set[int]()
    times, rows = (samples.stamps >> 1).tolist(), samples.rows.tolist()
    for at, row in enumerate(rows):
        if times[at] != times[start] or row in seen:
            yield start, at
            start, seen = at, set()
        seen.add(row)
    yield start, len(rows)
