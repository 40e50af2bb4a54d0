"""Basic encoding rules: elements found in octets, and octets made of elements.

Decoders work on offsets into one buffer and read definite lengths; `definite` rewrites a buffer
that has indefinite ones. An identifier is its one or two octets as a number (0xA1, 0xBF48).
"""

from collections.abc import Iterator

from otgate_iec61850.mms.errors import IndefiniteLength, Malformed

DEEPEST = 40
"""Levels of elements within elements; MMS over its three layers needs about 20."""

LONGEST_INTEGER = 17
"""Octets of an integer: 128 bits and a sign."""

CONSTRUCTED, LONG_TAG = 0x20, 0x1F
INTEGER, BIT_STRING, OCTET_STRING, NULL, OBJECT_ID, EXTERNAL = 0x02, 0x03, 0x04, 0x05, 0x06, 0x28
GRAPHIC_STRING, VISIBLE_STRING, SEQUENCE, SET = 0x19, 0x1A, 0x30, 0x31


def header(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """Return identifier, start and stop of the contents of the element at ``at``.

    Raises:
        Malformed: it does not fit before ``end``.
        IndefiniteLength: its length is indefinite.
    """
    if at + 2 > end:
        raise Malformed("an element is cut short")
    tag = data[at]
    if tag & LONG_TAG == LONG_TAG:
        at += 1
        tag = tag << 8 | data[at]
        if data[at] & 0x80 or at + 2 > end:
            raise Malformed("an identifier is too long or cut short")
    size = data[at + 1]
    at += 2
    if size >= 0x80:
        octets = size & 0x7F
        if not octets:
            raise IndefiniteLength("an indefinite length")
        if octets > 4 or at + octets > end:
            raise Malformed("a length is too long or cut short")
        size = int.from_bytes(data[at : at + octets], "big")
        at += octets
    if at + size > end:
        raise Malformed(f"{size} octets claimed where {end - at} are left")
    return tag, at, at + size


def elements(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield identifier, start and stop of each element from ``at`` to ``end``."""
    while at < end:
        tag, start, at = header(data, at, end)
        yield tag, start, at


def expect(data: bytes, at: int, end: int, tag: int) -> tuple[int, int]:
    """Return start and stop of the element at ``at``, which has to be a ``tag``."""
    found, start, stop = header(data, at, end)
    if found != tag:
        raise Malformed(f"element {found:#x} where {tag:#x} belongs")
    return start, stop


def fields(data: bytes, at: int, end: int) -> dict[int, tuple[int, int]]:
    """Return start and stop of each element by identifier; of a repeated one the first."""
    found: dict[int, tuple[int, int]] = {}
    for tag, start, stop in elements(data, at, end):
        found.setdefault(tag, (start, stop))
    return found


def required(found: dict[int, tuple[int, int]], tag: int) -> tuple[int, int]:
    """Return start and stop of a field that has to be there."""
    try:
        return found[tag]
    except KeyError:
        raise Malformed(f"no element {tag:#x}") from None


def read_integer(data: bytes, start: int, stop: int) -> int:
    """Return an integer's value."""
    if not 0 < stop - start <= LONGEST_INTEGER:
        raise Malformed(f"an integer of {stop - start} octets")
    return int.from_bytes(data[start:stop], "big", signed=True)


def read_unsigned(data: bytes, start: int, stop: int) -> int:
    """Return a value that cannot be negative; a missing leading zero is forgiven."""
    if not 0 < stop - start <= LONGEST_INTEGER:
        raise Malformed(f"an integer of {stop - start} octets")
    return int.from_bytes(data[start:stop], "big")


def read_boolean(data: bytes, start: int, stop: int) -> bool:
    """Return a boolean's value: anything but zero is true."""
    if stop - start != 1:
        raise Malformed(f"a boolean of {stop - start} octets")
    return data[start] != 0


def read_text(data: bytes, start: int, stop: int) -> str:
    """Return text; octets that are no UTF-8 become the replacement character."""
    return data[start:stop].decode("utf-8", "replace")


def read_object_id(data: bytes, start: int, stop: int) -> tuple[int, ...]:
    """Return an object identifier's arcs."""
    arcs: list[int] = []
    arc = 0
    if stop - start > 64 or stop == start or data[stop - 1] & 0x80:
        raise Malformed("an object identifier is empty, too long or cut short")
    for octet in data[start:stop]:
        arc = arc << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2)
    return (first, arcs[0] - 40 * first, *arcs[1:])


def length(size: int) -> bytes:
    """Return the octets of a length, in their shortest form."""
    if size < 0x80:
        return bytes((size,))
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((0x80 | len(octets),)) + octets


def element(tag: int, *contents: bytes) -> bytes:
    """Return the element ``tag`` of ``contents``."""
    body = b"".join(contents)
    identifier = bytes((tag,)) if tag < 0x100 else tag.to_bytes(2, "big")
    return identifier + length(len(body)) + body


def integer_octets(value: int) -> bytes:
    """Return a number's contents octets, the fewest."""
    size = (value + (value < 0)).bit_length() // 8 + 1
    return value.to_bytes(size, "big", signed=True)


def integer(tag: int, value: int) -> bytes:
    """Return the element ``tag`` of a number."""
    return element(tag, integer_octets(value))


def boolean(tag: int, value: bool) -> bytes:  # noqa: FBT001  the value is what is encoded
    """Return the element ``tag`` of a truth."""
    return element(tag, b"\xff" if value else b"\0")


def text(tag: int, value: str) -> bytes:
    """Return the element ``tag`` of text."""
    return element(tag, value.encode())


def object_id(tag: int, arcs: tuple[int, ...]) -> bytes:
    """Return the element ``tag`` of an object identifier with these arcs."""
    return element(tag, *map(_arc, (40 * arcs[0] + arcs[1], *arcs[2:])))


def _arc(value: int) -> bytes:
    octets = [value & 0x7F]
    while value := value >> 7:
        octets.append(0x80 | value & 0x7F)
    return bytes(reversed(octets))


class _Open:
    """An element whose contents are being rewritten."""

    __slots__ = ("ends", "identifier", "indefinite", "parts")

    def __init__(self, identifier: bytes, ends: int, *, indefinite: bool) -> None:
        self.identifier = identifier
        self.ends = ends
        self.indefinite = indefinite
        self.parts: list[bytes] = []

    def closed(self) -> bytes:
        body = b"".join(self.parts)
        return self.identifier + length(len(body)) + body

    def is_over(self, data: bytes, at: int) -> bool:
        if self.indefinite:
            return at + 2 <= self.ends and data[at] == 0 and data[at + 1] == 0
        return at == self.ends


def definite(data: bytes) -> bytes:
    """Return the elements in ``data`` with every length definite.

    Raises:
        Malformed: they are not elements, or too deep within each other.
    """
    stack = [_Open(b"", len(data), indefinite=False)]
    at = 0
    while True:
        top = stack[-1]
        if top.is_over(data, at):
            at += 2 * top.indefinite
            stack.pop()
            if not stack:
                return b"".join(top.parts)
            stack[-1].parts.append(top.closed())
            continue
        at = _descend(data, at, stack)


def _descend(data: bytes, at: int, stack: list[_Open]) -> int:
    """Open the constructed element at ``at``, or copy the primitive one; return where next."""
    top = stack[-1]
    try:
        _, start, stop = header(data, at, top.ends)
        indefinite = False
    except IndefiniteLength:
        start, stop, indefinite = at + 2, top.ends, True
        start += data[at] & LONG_TAG == LONG_TAG
    if not data[at] & CONSTRUCTED:
        if indefinite:
            raise Malformed("a primitive element of indefinite length")
        top.parts.append(data[at:stop])
        return stop
    if len(stack) > DEEPEST:
        raise Malformed(f"elements more than {DEEPEST} deep")
    identifier = data[at : at + 1 + (data[at] & LONG_TAG == LONG_TAG)]
    stack.append(_Open(identifier, stop, indefinite=indefinite))
    return start
