"""What a master writes and reads on its own account: the objects of its requests."""

from collections.abc import Iterable

from otgate_dnp3.stack.application import RESTART_INDEX
from otgate_dnp3.stack.objects import counted, every, ranged

CLASS_0 = 1
"""Variation of group 60 that names all static data; event class n is variation n + 1."""

EVENT_CLASSES = (1, 2, 3)


def classes(of: Iterable[int]) -> bytes:
    """Return the headers that name event classes 1 to 3 and, last, static data as class 0."""
    wanted = set(of)
    return b"".join(every(60, each + 1) for each in (1, 2, 3, 0) if each in wanted)


INTEGRITY = classes((0, 1, 2, 3))
"""All events, then all static data: TB2015-002a."""

CLEAR_RESTART = ranged(80, 1, RESTART_INDEX, 1, b"\0")


def time_now(ms: int) -> bytes:
    """Return the object that sets the outstation's clock at once."""
    return counted(50, 1, [ms.to_bytes(6, "little")])


def time_recorded(ms: int) -> bytes:
    """Return the object that says what the time was when the outstation recorded it."""
    return counted(50, 3, [ms.to_bytes(6, "little")])
