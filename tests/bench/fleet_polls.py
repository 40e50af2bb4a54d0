"""How well devices were polled on their grids, from what a server saw: lateness, slots missed."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Polls:
    """The sweeps of a stretch of time on the grids of their devices."""

    device: np.ndarray
    number: np.ndarray
    due_ns: np.ndarray
    late_ns: np.ndarray
    """Behind the device's own grid; its phase is that of the earliest poll."""
    missed: np.ndarray
    """Slots without a poll, by device."""

    def late_ms(self, percent: float) -> float:
        """Return a percentile of the lateness."""
        return float(np.percentile(self.late_ns, percent)) / 1e6 if len(self.late_ns) else 0.0

    def due(self) -> dict[tuple[int, int], int]:
        """Return when each sweep was due, by device and number."""
        keys = zip(self.device.tolist(), self.number.tolist(), strict=True)
        return dict(zip(keys, self.due_ns.tolist(), strict=True))


def on_grids(
    sweeps: np.ndarray, since_ns: int, until_ns: int, devices: int, period_ns: int
) -> Polls:
    """Lay the sweeps between two times on the grids of their devices."""
    within = sweeps[(sweeps["at_ns"] >= since_ns) & (sweeps["at_ns"] < until_ns)]
    within = within[np.argsort(within["device"], kind="stable")]
    at_ns = within["at_ns"].astype(np.int64)
    first = np.searchsorted(within["device"], np.arange(devices + 1))
    late_ns, missed = np.zeros_like(at_ns), np.zeros(devices, np.int64)
    for device in range(devices):
        mine = slice(first[device], first[device + 1])
        edges = np.concatenate(([since_ns], at_ns[mine], [until_ns]))
        missed[device] = between(edges, period_ns)
        if len(at_ns[mine]):
            late_ns[mine] = behind(at_ns[mine], period_ns)
    return Polls(within["device"], within["number"], at_ns - late_ns, late_ns, missed)


def between(times_ns: np.ndarray, period_ns: int) -> int:
    """Return how many slots passed without a poll; half a period late is not missed."""
    gaps = np.diff(times_ns) / period_ns
    return int(np.floor(np.maximum(gaps - 0.5, 0)).sum())


def behind(times_ns: np.ndarray, period_ns: int) -> np.ndarray:
    """Return by how much each poll is later than a grid through the earliest of them."""
    since = times_ns - times_ns[0]
    off = since - np.round(since / period_ns).astype(np.int64) * period_ns
    return off - off.min()


def beyond_ms(
    heard: Iterable[tuple[int, int, int]], due: dict[tuple[int, int], int]
) -> list[float]:
    """Return how long after its slot each ``(device, sweep, arrival in ns)`` came, in order.

    A value that changes right after a poll waits a period for its slot: this is what comes on top.
    """
    slots = ((due.get((device, number)), at_ns) for device, number, at_ns in heard)
    return sorted((at_ns - slot) / 1e6 for slot, at_ns in slots if slot is not None)
