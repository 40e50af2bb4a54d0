"""How a link treats the devices on it: the rests that they need, and what they get wrong."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from otgate_modbus.settings import Settings

IDLE_S = 1.5
"""A server that closes a connection which nothing was asked on for so long lost nothing by it."""


SETTLE_S = 0.05
"""Rest of a line before another unit is asked, after one that did not answer."""


INSTANT_S = 1e-9
"""What is left of a wait by rounding alone: no sleep is as short."""


@dataclass(frozen=True, slots=True)
class Manners:
    """What the devices of one link need, taken together."""

    connect_delay_s: float = 0.0
    gap_s: float = 0.0
    """Rest between a reply and the next request."""
    unit_gap_s: float = 0.0
    """The same where the next request is for another unit."""
    late_window_s: float = 1.0
    """How long a unit without transaction ids is left alone after a reply that did not come."""
    ignore_transaction: bool = False
    trailing: bool = False
    echo: bool = False

    @classmethod
    def of(cls, devices: Sequence[Settings]) -> "Manners":
        """Return what all of these devices need."""
        quirks = [device.quirks for device in devices]
        return cls(
            max(each.connect_delay_s for each in quirks),
            max(each.request_gap_s for each in quirks),
            max(each.unit_gap_s for each in quirks),
            max(device.late_window_s for device in devices),
            any(each.ignore_transaction for each in quirks),
            any(each.trailing_bytes for each in quirks),
            any(each.local_echo for each in quirks),
        )


class Rests:
    """When the next request may go out, by what was last sent or received."""

    def __init__(self, manners: Manners, least_s: float = 0.0) -> None:
        self._manners = manners
        self._least_s = least_s
        self._loop = asyncio.get_running_loop()
        self._unit: int | None = None
        self._last_s = self._stray_s = self._clear_s = 0.0
        self._doubts: dict[int, float] = {}
        """Units in quarantine, and since when."""
        self.needed = bool(least_s or manners.gap_s or manners.unit_gap_s)
        """Whether anybody may have to wait who asks for no rest of his own."""

    @property
    def in_doubt(self) -> bool:
        """Whether any unit may still answer what it was asked."""
        window_s, now = self._manners.late_window_s, self._loop.time()
        return any(
            max(since_s, self._stray_s) + window_s > now for since_s in self._doubts.values()
        )

    def stirred(self) -> float:
        """Note that something was sent or received; return when."""
        self._last_s = now_s = self._loop.time()
        return now_s

    def strayed(self) -> None:
        """Note that something was received that belongs to nobody: every quarantine starts anew."""
        self._stray_s = self._loop.time()

    def asked(self, unit: int) -> None:
        """Note a request, which ends the quarantine of its unit."""
        self._unit = unit
        self._doubts.pop(unit, None)
        self.stirred()

    def quarantine(self, unit: int, since_s: float) -> None:
        """Ask for silence from ``since_s`` before ``unit`` is asked again: its reply may come.

        Others are told from it by their number. They wait for no more than a moment.
        """
        self.needed = True
        self._last_s = self._loop.time()
        self._doubts[unit] = max(self._last_s, since_s)
        self._clear_s = self._last_s + min(SETTLE_S, self._manners.late_window_s)

    def due_s(self, unit: int, spacing_s: float = 0.0) -> float:
        """Return when ``unit`` may be asked, if nothing stirs before."""
        other = self._manners.unit_gap_s if self._unit not in {unit, None} else 0.0
        gap_s = max(self._least_s, self._manners.gap_s, other, spacing_s)
        due_s = self._last_s + gap_s if self._unit is not None else 0.0
        if unit in self._doubts:
            since_s = max(self._doubts[unit], self._stray_s)
            due_s = max(due_s, since_s + self._manners.late_window_s)
        return max(due_s, self._clear_s)

    async def over(self, unit: int, spacing_s: float = 0.0, until_s: float | None = None) -> bool:
        """Wait until ``unit`` may be asked; return at once, with False, if ``until_s`` is first."""
        while (wait_s := self.due_s(unit, spacing_s) - self._loop.time()) > INSTANT_S:
            if until_s is not None and self._loop.time() + wait_s >= until_s:
                return False
            await asyncio.sleep(wait_s)
        return True
