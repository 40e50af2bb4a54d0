"""A fragment as batches: one for each value type, cause and kind of time, in order for a point."""

from collections.abc import Sequence
from typing import NamedTuple

from otgate.model import Batch, Origin, ValueType
from otgate_dnp3.layout import Layout, Piece
from otgate_dnp3.stack.application import Iin
from otgate_dnp3.stack.outputs import Asked, Delivery

NEED_TIME = int(Iin.NEED_TIME)

STATIC_ORIGINS = {
    Asked.INTEGRITY: Origin.INTEGRITY,
    Asked.POLL: Origin.POLL,
    Asked.UNSOLICITED: Origin.UNSOLICITED,
}


class Kind(NamedTuple):
    """What one batch is of."""

    value_type: ValueType
    event: bool
    timed: bool


class Fragments:
    """Turns deliveries of one device into batches.

    Of an integrity poll's static data only the points of ``integral`` are taken: others are read
    by scans of their own.
    """

    def __init__(self, device: str, layout: Layout, integral: Layout) -> None:
        self._device = device
        self._layout = layout
        self._integral = integral

    def batches(self, delivery: Delivery, received_ns: int) -> list[Batch]:
        """Return the samples of a delivery, a point's own in the order in which they came."""
        found: list[Batch] = []
        groups: dict[Kind, list[Piece]] = {}
        newest: dict[ValueType, Kind] = {}
        synchronised = not delivery.iin & NEED_TIME
        for columns in delivery.columns:
            layout = self._layout
            if delivery.asked is Asked.INTEGRITY and not columns.event:
                layout = self._integral
            for piece in layout.read(columns, received_ns, synchronised=synchronised):
                kind = Kind(piece.value_type, columns.event, piece.source_ns is not None)
                if kind in groups and newest[kind.value_type] != kind:
                    found += self._batches(groups, delivery.asked, received_ns)
                    groups.clear()
                groups.setdefault(kind, []).append(piece)
                newest[kind.value_type] = kind
        return found + self._batches(groups, delivery.asked, received_ns)

    def _batches(
        self, groups: dict[Kind, list[Piece]], asked: Asked, received_ns: int
    ) -> list[Batch]:
        return [
            self._batch(pieces, origin_of(asked, event=kind.event), received_ns)
            for kind, pieces in groups.items()
        ]

    def _batch(self, pieces: Sequence[Piece], origin: Origin, received_ns: int) -> Batch:
        whole = self._layout.joined(pieces)
        return Batch(
            self._device,
            whole.value_type,
            origin,
            whole.numbers,
            whole.values,
            whole.quality,
            received_ns,
            whole.source_ns,
        )


def origin_of(asked: Asked, *, event: bool) -> Origin:
    """Return why a sample was sent: an event that a poll brought is an event all the same."""
    if event and asked is not Asked.UNSOLICITED:
        return Origin.EVENT
    return STATIC_ORIGINS[asked]
