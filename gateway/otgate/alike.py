"""One copy of what is alike in many devices: a fleet of one kind has its tables once.

A reload reads a site in a thread of its own while links open devices on the loop: pools are shared.
"""

from collections.abc import Sequence
from threading import Lock
from typing import Any, Generic, TypeVar
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", bound=Sequence[Any])

MOST = 65_536
"""Items of all sequences that a pool holds on to: half a megabyte of pointers."""


class Alike(Generic[T]):
    """The sequences of one sort met last, held on to up to ``most`` items in all."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._items = 0
        self._met: dict[T, T] = {}
        self._lock = Lock()

    def one(self, sequence: T) -> T:
        """Return a sequence equal to ``sequence`` that was met before, or itself."""
        with self._lock:
            found = self._met.pop(sequence, None)
            if found is None:
                found = sequence
                self._items += len(found)
            self._met[found] = found
            while self._items > self._most:
                oldest = next(iter(self._met))
                self._items -= len(oldest)
                del self._met[oldest]
            return found


Column = NDArray[Any]

_columns: "WeakValueDictionary[tuple[str, int], Column]" = WeakValueDictionary()


def shared(made: Column) -> Column:
    """Return the one array, which nobody can write, of numbers like these that is in use."""
    said = made.tobytes()
    key = (made.dtype.str, hash(said))
    found = _columns.get(key)
    if found is None or found.shape != made.shape or found.tobytes() != said:
        found = np.array(made)
        found.flags.writeable = False
        _columns[key] = found
    return found
