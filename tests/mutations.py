"""Octets changed at random, as noise, a lying device or a broken relay change them."""

import random
from collections.abc import Callable
from dataclasses import dataclass

Change = Callable[[bytearray, random.Random], None]


def flip(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data)) :]


def drop(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    del data[at : at + chance.randrange(1, 9)]


def repeat(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    data[at:at] = data[at : at + chance.randrange(1, 40)] * chance.randrange(1, 4)


@dataclass(frozen=True)
class Mutations:
    """Those of one protocol."""

    spoils: bytes
    """Octets that mean something in it, put in place of others."""
    start: bytes = b""
    """What its frames begin with: junk may end with some of it."""

    def mutated(self, data: bytes, chance: random.Random) -> bytes:
        """``data`` with one to four mutations."""
        kinds: tuple[Change, ...] = (flip, self._spoil, cut, drop, repeat, self._junk)
        changed = bytearray(data)
        for _ in range(chance.randrange(1, 5)):
            if changed:
                chance.choice(kinds)(changed, chance)
        return bytes(changed)

    def _spoil(self, data: bytearray, chance: random.Random) -> None:
        data[chance.randrange(len(data))] = chance.choice(self.spoils)

    def _junk(self, data: bytearray, chance: random.Random) -> None:
        at = chance.randrange(len(data) + 1)
        begun = self.start[: chance.randrange(len(self.start) + 1)]
        data[at:at] = chance.randbytes(chance.randrange(1, 20)) + begun
