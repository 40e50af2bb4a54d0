"""Columns that take memory only for points that differ: one number for all, or a reply's own array.

Neither can be written. `put` copies such a column before it writes a part of it, and replaces it
where all of it is written. Most devices answer every point at once and well: then time, quality and
marks are one number each, and the newest values are the array that the session emitted.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = NDArray[Any]
Rows = slice | NDArray[np.signedinteger]
"""Which points a column is about; a slice where they are consecutive, which copies nothing."""


MOMENTS = np.dtype(np.int64)


def flat(count: int, value: Any, dtype: np.dtype[Any]) -> Column:
    """Return a column of ``count`` times ``value``, in the memory of one."""
    passing = value and dtype == MOMENTS  # no other device has the same moment
    return _flat(count, value, dtype) if passing else _kept(count, value, dtype)


def _flat(count: int, value: Any, dtype: np.dtype[Any]) -> Column:
    one = np.array([value], dtype)
    return np.broadcast_to(one, count) if dtype.hasobject else _repeated(one, count)


_kept = lru_cache(256)(_flat)


def _repeated(one: Column, count: int) -> Column:
    """Do what `np.broadcast_to` does, in a tenth of its time."""
    column: Column = np.ndarray(count, one.dtype, one.data, 0, (0,))
    column.flags.writeable = False
    return column


def covers(rows: Rows, count: int) -> bool:
    """Say whether ``rows`` are all of ``count`` points, in their order."""
    return isinstance(rows, slice) and rows == slice(0, count)


def put(column: Column, rows: Rows, said: Any) -> Column:
    """Return ``column`` with ``said`` at ``rows``: a number for all of them, or one for each.

    An array that is said of every point is kept as it is: its owner must not modify it.
    """
    if covers(rows, len(column)):
        return instead(column, said)
    if not column.flags.writeable:
        if _says_so_already(column, said):
            return column
        column = column.copy()
    column[rows] = said
    return column


def instead(column: Column, said: Any) -> Column:
    """Return what is ``said`` of every point of ``column``, in its type."""
    if not isinstance(said, np.ndarray):
        return flat(len(column), said, column.dtype)
    if said.dtype != column.dtype or not said.flags.c_contiguous:
        return np.array(said, column.dtype)
    kept = said.view()
    kept.flags.writeable = False
    return kept


def _says_so_already(column: Column, said: Any) -> bool:
    """Tell it of whole numbers alone: zeros of two signs are equal and not alike."""
    if column.strides != (0,) or column.dtype.kind not in "uib":
        return False
    one = column.item(0)
    return not np.count_nonzero(said != one) if isinstance(said, np.ndarray) else bool(said == one)
