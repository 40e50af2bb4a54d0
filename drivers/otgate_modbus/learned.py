"""What a device's refusals have taught, as a driver holds it and as it is kept on disk."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

import structlog

from otgate.driver import DeviceState
from otgate_modbus import pipelining, rollover
from otgate_modbus.address import BIT_TABLES, SPELLED, TABLES, Table

KEY = "splits"
DEVICE_KEY = "device"
SILENCE_KEY = "silent"
CLOSED_KEY = "closed"
TRIED_KEY = "tried"
KEYS = (KEY, SILENCE_KEY, CLOSED_KEY, TRIED_KEY, pipelining.KEY, rollover.KEY)
"""Everything that is kept of a device."""
FORM = 1
"""Of what is kept; another one was written by another release."""

Cut = tuple[Table, int]
"""Table and first address of a read that has to begin there."""

Place = tuple[Table, int, int]
"""Table, first address and length of a point."""

log = structlog.get_logger()


class Measure(StrEnum):
    """What the length of a read is counted in."""

    REGISTERS = "registers"
    BITS = "bits"


def measure(table: Table) -> Measure:
    """Return what reads of ``table`` are counted in."""
    return Measure.BITS if table in BIT_TABLES else Measure.REGISTERS


class Parted(NamedTuple):
    """A refused read of one scan that a search has parted: from ``start`` up to ``stop``."""

    scan: str
    table: Table
    start: int
    stop: int
    mute: bool = False
    """Whether it was not answered, rather than refused."""

    def holds(self, table: Table, start: int, stop: int) -> bool:
        """Say whether a stretch lies within it."""
        return table is self.table and self.start <= start and stop <= self.stop


@dataclass(slots=True)
class Learned:
    """Where reads must end, what cannot be read, and how long a read may be."""

    cuts: set[Cut] = field(default_factory=set)
    refused: set[Place] = field(default_factory=set)
    sizes: dict[Measure, int] = field(default_factory=dict)
    """The longest read that the device takes, where that is less than it should."""
    search: dict[Cut, Parted] = field(default_factory=dict)
    """The cuts of searches that have not ended, and the read that each parted."""
    apart: set[Place] = field(default_factory=set)
    """What is not answered and costs whatever is read with it: it is asked by itself, and last."""
    closing: set[Place | Measure] = field(default_factory=set)
    """Refused places and sizes beyond which the device closes the connection: not tried again."""

    def __bool__(self) -> bool:
        return bool(self.cuts or self.refused or self.sizes or self.search or self.apart)

    def copy(self) -> "Learned":
        """Return one that later lessons leave as it is."""
        return Learned(
            set(self.cuts),
            set(self.refused),
            dict(self.sizes),
            dict(self.search),
            set(self.apart),
            set(self.closing),
        )

    def keep_only(self, places: Collection[Place], scans: Collection[str]) -> None:
        """Forget what speaks of points that are no longer at ``places``, or of other ``scans``."""
        begins = {place[:2] for place in places}
        self.refused.intersection_update(places)
        self.apart.intersection_update(places)
        self.cuts.intersection_update(begins)
        self.search = {
            cut: parted
            for cut, parted in self.search.items()
            if cut in self.cuts and parted.scan in scans
        }


class Of:
    """A durable state that forgets what was learned of another device in the same place."""

    def __init__(self, state: DeviceState, device: str) -> None:
        self._state = state
        self._device = device

    def get(self, key: str) -> Any:
        """Return what was put under ``key`` for this device, or None."""
        return self._state.get(key) if self._state.get(DEVICE_KEY) == self._device else None

    def put(self, key: str, value: Any) -> None:
        """Keep ``value`` under ``key``, and nothing of another device."""
        if self._state.get(DEVICE_KEY) != self._device:
            for other in KEYS:
                self._state.put(other, None)
            self._state.put(DEVICE_KEY, self._device)
        self._state.put(key, value)


def recall(state: DeviceState, device: str = "") -> Learned:
    """Read what earlier runs learned; what is not understood is forgotten, and logged."""
    kept = state.get(KEY)
    learned = Learned() if kept is None else understood(kept)
    if learned is None:
        log.warning("learned_not_understood", device=device, form=_form(kept), known=FORM)
    return learned or Learned()


def understood(kept: object) -> Learned | None:
    """Read what was kept, or return None where another release wrote it; a bad row is left out."""
    if not isinstance(kept, dict) or kept.get("form") != FORM:
        return None
    return Learned(
        {(table, start) for table, (start,) in _rows(kept.get("cuts"), 1)},
        _places(kept.get("refused")),
        dict(_sizes(kept.get("sizes"))),
        dict(_searches(kept.get("search"))),
        _places(kept.get("apart")),
        {*_places(kept.get("closing")), *_measures(kept.get("closing"))},
    )


def keep(state: DeviceState, learned: Learned) -> None:
    """Write what is known for the runs to come."""
    state.put(
        KEY,
        {
            "form": FORM,
            "cuts": [[SPELLED[table], start] for table, start in sorted(learned.cuts)],
            "refused": _place_rows(learned.refused),
            "apart": _place_rows(learned.apart),
            "closing": _place_rows(each for each in learned.closing if isinstance(each, tuple))
            + sorted(str(each) for each in learned.closing if isinstance(each, Measure)),
            "sizes": {str(of): size for of, size in sorted(learned.sizes.items())},
            "search": [
                [SPELLED[table], start, parted.scan, parted.start, parted.stop, parted.mute]
                for (table, start), parted in sorted(learned.search.items())
            ],
        },
    )


def news(before: Learned, after: Learned) -> Iterator[tuple[str, dict[str, Any]]]:
    """Say as log events what was learned between two moments, and what no longer holds."""
    for of in Measure:
        size, was = after.sizes.get(of), before.sizes.get(of)
        if size != was:
            yield (
                ("request_size_unlearned" if size is None else "request_size_learned"),
                {
                    "counted_in": str(of),
                    "at_most": was if size is None else size,
                },
            )
    for event, places in (
        ("addresses_refused", after.refused - before.refused),
        ("addresses_readable_again", before.refused - after.refused),
        ("addresses_unanswered", after.apart - before.apart),
        ("addresses_answered_again", before.apart - after.apart),
    ):
        if places:
            yield event, {"addresses": spelled(places), "count": len(places)}


def told(learned: Learned) -> Iterator[str]:
    """Say what is known, for a person."""
    for of, size in sorted(learned.sizes.items()):
        yield f"takes at most {size} {of} in one read"
    if learned.refused:
        yield f"refuses {spelled(learned.refused)}"
    if learned.apart:
        yield f"does not answer to {spelled(learned.apart)}"
    if learned.cuts:
        begins = {(table, start, 1) for table, start in learned.cuts}
        yield f"takes no read that runs on to {spelled(begins)}"
    if learned.search:
        yield "is still being searched"


def spelled(places: Iterable[Place], most: int = 8) -> str:
    """Write places for a person, as the protocol numbers them, a few of many."""
    texts = [
        f"{SPELLED[table]} {start}" + (f"-{start + length - 1}" if length > 1 else "")
        for table, start, length in sorted(places)
    ]
    return ", ".join(texts[:most]) + (", ..." if len(texts) > most else "")


def _form(kept: object) -> object:
    return kept.get("form") if isinstance(kept, dict) else None


def _rows(rows: Any, numbers: int) -> Iterator[tuple[Table, list[int]]]:
    for row in rows if isinstance(rows, list) else ():
        match row:
            case [str(table), *rest] if table in TABLES and len(rest) == numbers:
                if all(type(number) is int for number in rest):
                    yield TABLES[table], rest


def _places(rows: Any) -> set[Place]:
    return {(table, start, length) for table, (start, length) in _rows(rows, 2)}


def _measures(rows: Any) -> set[Measure]:
    return {of for of in Measure if isinstance(rows, list) and of in rows}


def _place_rows(places: Iterable[Place]) -> list[list[Any]]:
    return [[SPELLED[table], start, length] for table, start, length in sorted(places)]


def _sizes(sizes: Any) -> Iterator[tuple[Measure, int]]:
    for of in Measure:
        size = sizes.get(of) if isinstance(sizes, dict) else None
        if type(size) is int and size > 0:
            yield of, size


def _searches(rows: Any) -> Iterator[tuple[Cut, Parted]]:
    for row in rows if isinstance(rows, list) else ():
        match row:
            case [str(table), int(at), str(scan), int(start), int(stop), bool(mute)]:
                if table in TABLES:
                    yield (TABLES[table], at), Parted(scan, TABLES[table], start, stop, mute)
