"""Epochs: the number that every start of a writer takes, and how people read it."""

from collections.abc import Iterable
from functools import lru_cache

from otgate.errors import SpoolUnusable

EPOCH_BITS = 40
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: in ASCII order, so that the texts sort as the numbers do."""

NUMBERS = {letter: number for number, letter in enumerate(ALPHABET)}


@lru_cache(maxsize=16)
def epoch_text(epoch: int) -> str:
    """Spell ``epoch`` as its eight Crockford base 32 characters."""
    return "".join(ALPHABET[epoch >> shift & 31] for shift in range(35, -5, -5))


def epoch_number(text: str) -> int:
    """Read what `epoch_text` wrote.

    Raises:
        ValueError: ``text`` is not an epoch.
    """
    if len(text) != 8 or not NUMBERS.keys() >= set(text):
        raise ValueError(f"not an epoch: {text!r}")
    number = 0
    for letter in text:
        number = number << 5 | NUMBERS[letter]
    return number


def next_epoch(now_ns: int, present: Iterable[int]) -> int:
    """Return an epoch above every one ``present``, from the clock where that suffices.

    Raises:
        SpoolUnusable: the epochs present leave no greater one.
    """
    epoch = max(now_ns // 1_000_000 >> 10, max(present, default=0) + 1, 1)
    if epoch >> EPOCH_BITS:
        raise SpoolUnusable(f"The spool holds epoch {epoch_text(epoch - 1)}, the last there is.")
    return epoch
