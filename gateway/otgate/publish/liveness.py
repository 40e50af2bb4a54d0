"""Whether the field side lives, judged from its signs of life; pure."""

from collections.abc import Mapping
from typing import Literal

from otgate.spool.items import Live

SILENCE_S = 15.0
"""Three missed signs of life: the field side writes one each 5 s."""
LOOK_WITHIN_S = 5.0
"""Who looks at least this often sees a sign of life when it arrives."""

Field = Literal["alive", "lost", "unknown"]


class FieldWatch:
    """Follows signs of life by when they arrive here, so that clock steps do not matter.

    After a time without looking, the newest one is judged by its age: it may have been written
    days before.
    """

    def __init__(self, start_s: float) -> None:
        self._start_s = start_s
        self._seen: Live | None = None
        self._arrived_s = start_s
        self._looked_s = start_s - SILENCE_S

    def seen(self, live: Live | None, monotonic_s: float, now_ns: int) -> None:
        """Take the newest sign of life, which may be the one of before."""
        looked_away_s = monotonic_s - self._looked_s
        self._looked_s = monotonic_s
        if live is None or live == self._seen:
            return
        age_s = (now_ns - live.time_ns) / 1e9 if looked_away_s > LOOK_WITHIN_S else 0.0
        self._arrived_s = monotonic_s - max(0.0, age_s)
        self._seen = live

    def state(self, monotonic_s: float) -> Field:
        """Tell what is known of the field side now."""
        if self._seen is None:
            return "unknown" if monotonic_s - self._start_s <= SILENCE_S else "lost"
        return "alive" if monotonic_s - self._arrived_s <= SILENCE_S else "lost"

    @property
    def anchor(self) -> str:
        """What the field side showed last of its audit log, whether or not it lives."""
        return self._seen.anchor if self._seen else ""

    def devices(self, monotonic_s: float) -> Mapping[str, str]:
        """Return the devices' states; nothing is known of them without a living field side."""
        if self._seen is None or self.state(monotonic_s) != "alive":
            return {}
        return self._seen.states
