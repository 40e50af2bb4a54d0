"""The properties of a CONNACK (MQTT 5.0, §2.2.2 and §3.2.2.3), no I/O."""

from dataclasses import dataclass, field

from otgate.publish.errors import NotMqtt

ASSIGNED_CLIENT_IDENTIFIER = 0x12
SERVER_KEEP_ALIVE = 0x13
REASON_STRING = 0x1F
RECEIVE_MAXIMUM = 0x21
MAXIMUM_QOS = 0x24
RETAIN_AVAILABLE = 0x25
USER_PROPERTY = 0x26
MAXIMUM_PACKET_SIZE = 0x27

INTEGERS = {
    0x11: 4,  # Session Expiry Interval
    SERVER_KEEP_ALIVE: 2,
    RECEIVE_MAXIMUM: 2,
    0x22: 2,  # Topic Alias Maximum
    MAXIMUM_QOS: 1,
    RETAIN_AVAILABLE: 1,
    MAXIMUM_PACKET_SIZE: 4,
    0x28: 1,  # Wildcard Subscription Available
    0x29: 1,  # Subscription Identifiers Available
    0x2A: 1,  # Shared Subscription Available
}
"""Bytes of those that are numbers."""
STRINGS = {
    ASSIGNED_CLIENT_IDENTIFIER: 1,
    0x15: 1,  # Authentication Method
    0x16: 1,  # Authentication Data
    0x1A: 1,  # Response Information
    0x1C: 1,  # Server Reference
    REASON_STRING: 1,
    USER_PROPERTY: 2,
}
"""Strings, or binary data, that the others hold."""
LONGEST_TEXT = 200
"""Characters of a broker's words that are passed on."""


@dataclass(frozen=True, slots=True)
class Properties:
    """What was said, by property."""

    numbers: dict[int, int] = field(default_factory=dict)
    strings: dict[int, bytes] = field(default_factory=dict)

    def number(self, name: int, absent: int, *, at_least: int = 0, at_most: int = 2**32) -> int:
        """Return a number, ``absent`` where it was not said; others have bounds.

        Raises:
            NotMqtt: it is beyond them.
        """
        number = self.numbers.get(name)
        if number is None:
            return absent
        if not at_least <= number <= at_most:
            raise NotMqtt(f"property 0x{name:02X} with value {number}")
        return number

    def text(self, name: int) -> str:
        """Return a string, in characters that a log line can hold."""
        text = self.strings.get(name, b"").decode(errors="replace")[:LONGEST_TEXT]
        return "".join(letter if letter.isprintable() else "?" for letter in text)


def properties(field: bytes) -> Properties:
    """Read ``field``, a property length and as many bytes (§2.2.2).

    Raises:
        NotMqtt: it is not that, or one comes that a CONNACK cannot have, or one twice.
    """
    at = _after_length(field)
    said = Properties()
    while at < len(field):
        name = field[at]
        if name in said.numbers or (name in said.strings and name != USER_PROPERTY):
            raise NotMqtt(f"property 0x{name:02X} twice")
        at = _property(field, name, at + 1, said)
    return said


def _property(field: bytes, name: int, at: int, said: Properties) -> int:
    """Take note of one property and return where the next one begins."""
    if size := INTEGERS.get(name):
        said.numbers[name] = int.from_bytes(field[at : at + size])
        at += size
    elif count := STRINGS.get(name):
        for _ in range(count):
            size = int.from_bytes(field[at : at + 2])
            said.strings[name] = field[at + 2 : at + 2 + size]
            at += 2 + size
    else:
        raise NotMqtt(f"a CONNACK with property 0x{name:02X}")
    if at > len(field):
        raise NotMqtt(f"property 0x{name:02X} cut short")
    return at


def _after_length(field: bytes) -> int:
    """Return where the properties begin; their length has to be that of what follows."""
    length = shift = 0
    for at, byte in enumerate(field[:4]):
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            if at + 1 + length != len(field):
                break
            return at + 1
    raise NotMqtt("a CONNACK with a wrong property length")
