"""Read Device Identification, function 43/14: what a Modbus device says that it is.

Clause: Modbus Application Protocol V1.1b3, §6.21.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from otgate_modbus.codec import Answer, Missing

MORE_FOLLOWS = 0xFF
HEAD = 6
"""MEI type, read code, conformity level, more follows, next object, number of objects."""

MOST_REPLIES = 16
NAMES = {
    0: "vendor", 1: "product code", 2: "revision", 3: "vendor URL", 4: "product name",
    5: "model name", 6: "application",
}  # fmt: skip
"""Objects of the basic and the regular category, Table 12."""


class Category(IntEnum):
    """Which objects are asked for, as a stream."""

    BASIC = 1
    REGULAR = 2


@dataclass(slots=True)
class Stream:
    """The objects of one category, reply by reply."""

    objects: dict[int, str] = field(default_factory=dict)
    next: int | None = 0
    """Object to ask for next, or None where there is nothing more."""

    def take(self, data: bytes) -> None:
        """Take a reply from its MEI type on; what contradicts itself ends the stream."""
        asked, self.next = self.next, None
        if len(data) < HEAD or data[0] != 14:
            return
        rest = data[HEAD:]
        for _ in range(data[5]):
            if len(rest) < 2 or len(rest) < 2 + rest[1]:
                return
            number, size = rest[:2]
            text, rest = rest[2 : 2 + size], rest[2 + size :]
            self.objects[number] = text.decode("utf-8", "replace").strip("\0 ")
        if data[3] == MORE_FOLLOWS and asked is not None and data[4] > asked:
            self.next = data[4]


Ask = Callable[[Category, int], Awaitable[Answer]]
"""Ask for the objects of a category, from one on."""


async def identified(ask: Ask) -> Mapping[str, str]:
    """Return what a device says of itself, by name; empty where it says nothing.

    A device that falls silent is asked no further.
    """
    found: dict[int, str] = {}
    for category in Category:
        stream = Stream()
        for _ in range(MOST_REPLIES):
            if stream.next is None:
                break
            answer = await ask(category, stream.next)
            if isinstance(answer, Missing):
                return named(found | stream.objects)
            if not isinstance(answer, bytes):
                break
            stream.take(answer)
        found |= stream.objects
    return named(found)


def named(found: Mapping[int, str]) -> Mapping[str, str]:
    """Return objects by their names."""
    return {NAMES.get(number, f"object {number}"): text for number, text in sorted(found.items())}
