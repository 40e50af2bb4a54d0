"""Places where a device may be, in the order of trying: its endpoint, then its backup.

A link stays with the place that lets something be read. Once that fails, the other is tried first.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from otgate.driver import DeviceState
from otgate.errors import LinkLost

KEY = "endpoint"
"""Where to try first: the place after one that let nothing be read."""

P = TypeVar("P")
W = TypeVar("W")


def order(state: DeviceState, places: int) -> list[int]:
    """Return the numbers of the places in the order of trying."""
    kept = state.get(KEY) if places > 1 else 0
    first = kept if isinstance(kept, int) and 0 <= kept < places else 0
    return [(first + step) % places for step in range(places)]


async def first_open(
    places: Sequence[P], state: DeviceState, opened: Callable[[P], Awaitable[W]]
) -> tuple[W, int]:
    """Open the first place that can be opened; return what it gave, and its number.

    Raises:
        LinkLost: none can be; the message has every reason.
    """
    reasons = []
    for number in order(state, len(places)):
        try:
            return await opened(places[number]), number
        except LinkLost as lost:
            reasons.append(str(lost))
    raise LinkLost("; ".join(reasons))


def keep(state: DeviceState, places: int, number: int, *, good: bool) -> None:
    """Remember where to try first: here if anything could be read, else at the next place."""
    if places > 1:
        first = number if good else (number + 1) % places
        if state.get(KEY) != first:
            state.put(KEY, first)
