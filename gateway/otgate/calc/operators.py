"""The operations of formulas on columns: values with their quality, each sample on its own.

Nothing here raises or warns. What cannot be said, a division by zero or a sum beyond 64 bits, is
overflow without a value. A sample without a value has a placeholder that no result depends on.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

from otgate.model import Mask, Values, Words
from otgate.quality import VALIDITY_MASK, Quality

VALIDITY, INVALID = np.uint32(VALIDITY_MASK), np.uint32(Quality.INVALID)
NO_VALUE = np.uint32(Quality.NO_VALUE)
OVERFLOW = np.uint32(Quality.INVALID | Quality.OVERFLOW | Quality.NO_VALUE)
GOOD = np.uint32(0)

NEAR = 2.0**62
"""A result of this size is calculated again without bounds, to tell whether 64 bits hold it."""

LOWEST, HIGHEST = -(1 << 63), (1 << 63) - 1


class Column(NamedTuple):
    """Samples as values and quality words, side by side."""

    values: Values
    quality: Words


Operation = Callable[[Sequence[Column]], Column]


def there(quality: Words) -> Mask:
    """Say which samples have a value."""
    mask: Mask = quality & NO_VALUE == 0
    return mask


def usable(quality: Words) -> Mask:
    """Say which samples have a value that is not invalid."""
    mask: Mask = (quality & VALIDITY != INVALID) & there(quality)
    return mask


def finite(values: Values, quality: Words) -> Column:
    """Return reals; what is no number any more has overflown."""
    bad = ~np.isfinite(values)
    if np.count_nonzero(bad):
        bad &= there(quality)
        quality = np.where(bad, quality | OVERFLOW, quality)
    return Column(values, quality)


def exact(operate: Any, left: Column, right: Column) -> Column:
    """Calculate in 64 bits; what they cannot hold has overflown."""
    values = operate(left.values, right.values)
    quality = left.quality | right.quality
    rough = np.abs(operate(left.values.astype(np.float64), right.values.astype(np.float64)))
    for at in np.flatnonzero((rough >= NEAR) & there(quality)).tolist():
        whole = operate.python(int(left.values[at]), int(right.values[at]))
        if not LOWEST <= whole <= HIGHEST:
            quality[at] |= OVERFLOW
    return Column(values, quality)


class Arithmetic:
    """Addition, subtraction or multiplication: of columns and, without bounds, of numbers."""

    def __init__(self, columns: np.ufunc, python: Callable[[int, int], int]) -> None:
        self.python = python
        self._columns = columns

    def __call__(self, left: Values, right: Values) -> Values:
        """Calculate columns; what overflows wraps round, or is infinite."""
        result: Values = self._columns(left, right)
        return result

    def joined(self, left: Column, right: Column) -> Column:
        """Calculate two columns, exactly where both are whole."""
        if left.values.dtype == right.values.dtype == np.int64:
            return exact(self, left, right)
        return finite(self(left.values, right.values), left.quality | right.quality)


ADD = Arithmetic(np.add, int.__add__)
SUBTRACT = Arithmetic(np.subtract, int.__sub__)
MULTIPLY = Arithmetic(np.multiply, int.__mul__)


def folded(arithmetic: Arithmetic) -> Operation:
    """Return an operation over two operands or more."""
    return lambda given: reduce(arithmetic.joined, given)


def divided(given: Sequence[Column]) -> Column:
    """Divide reals, and whole numbers as reals."""
    left, right = given
    return finite(np.true_divide(left.values, right.values), left.quality | right.quality)


def extreme(pick: np.ufunc) -> Operation:
    """Return an operation that keeps the least or the greatest."""

    def keep(left: Column, right: Column) -> Column:
        return Column(pick(left.values, right.values), left.quality | right.quality)

    return lambda given: reduce(keep, given)


def mean(given: Sequence[Column]) -> Column:
    """Return the mean of reals: of equal ones, exactly these."""
    total = reduce(
        ADD.joined, (Column(one.values.astype(np.float64), one.quality) for one in given)
    )
    values = [one.values for one in given]
    least, most = reduce(np.minimum, values), reduce(np.maximum, values)
    return Column(np.clip(total.values / len(given), least, most), total.quality)


def compared(compare: Callable[[Values, Values], Any]) -> Operation:
    """Return an operation that is true or false."""

    def operation(given: Sequence[Column]) -> Column:
        left, right = given
        same = compare(left.values, right.values).astype(np.bool_)
        return Column(same, left.quality | right.quality)

    return operation


def either(given: Sequence[Column]) -> Column:
    """Return left or right; the right one is used where the left one is false."""
    left, right = given
    used = ~left.values & there(left.quality)
    return Column(left.values | right.values, left.quality | np.where(used, right.quality, GOOD))


def both(given: Sequence[Column]) -> Column:
    """Return left and right; the right one is used where the left one is true."""
    left, right = given
    used = left.values & there(left.quality)
    return Column(left.values & right.values, left.quality | np.where(used, right.quality, GOOD))


def inverted(given: Sequence[Column]) -> Column:
    """Return what is not."""
    return Column(~given[0].values, given[0].quality)


def negative(given: Sequence[Column]) -> Column:
    """Return numbers with the other sign."""
    return SUBTRACT.joined(Column(np.zeros_like(given[0].values), given[0].quality), given[0])


def absolute(given: Sequence[Column]) -> Column:
    """Return numbers without a sign."""
    below = given[0].values < 0
    turned = negative(given)
    return Column(
        np.where(below, turned.values, given[0].values),
        np.where(below, turned.quality, given[0].quality),
    )


def power(given: Sequence[Column]) -> Column:
    """Return products of equals; exponents are whole and small."""
    base, exponent = given
    result = base
    for factors in range(2, int(exponent.values.max()) + 1):
        more = exponent.values >= factors
        product = MULTIPLY.joined(result, base)
        result = Column(
            np.where(more, product.values, result.values),
            np.where(more, product.quality, result.quality),
        )
    return result


def root(given: Sequence[Column]) -> Column:
    """Return square roots; a number below zero has none."""
    return finite(np.sqrt(given[0].values.astype(np.float64)), given[0].quality)


def chosen(given: Sequence[Column]) -> Column:
    """Return one branch per sample, with the quality of the condition and of that branch."""
    condition, left, right = given
    used = np.where(condition.values, left.quality, right.quality)
    quality = condition.quality | np.where(there(condition.quality), used, GOOD)
    return Column(np.where(condition.values, left.values, right.values), quality)


def valid(given: Sequence[Column]) -> Column:
    """Say which samples are usable; that itself is always good."""
    return Column(usable(given[0].quality), np.zeros_like(given[0].quality))


OPERATIONS: Mapping[str, Operation] = {
    "+": folded(ADD),
    "sum": folded(ADD),
    "-": folded(SUBTRACT),
    "*": folded(MULTIPLY),
    "/": divided,
    "^": power,
    "min": extreme(np.minimum),
    "max": extreme(np.maximum),
    "mean": mean,
    "<": compared(np.less),
    "<=": compared(np.less_equal),
    ">": compared(np.greater),
    ">=": compared(np.greater_equal),
    "==": compared(np.equal),
    "!=": compared(np.not_equal),
    "and": both,
    "or": either,
    "not": inverted,
    "negative": negative,
    "abs": absolute,
    "sqrt": root,
    "if": chosen,
    "valid": valid,
}
