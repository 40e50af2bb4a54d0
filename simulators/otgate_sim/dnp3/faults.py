"""Faults that a simulated outstation shows while it serves, and what they do to its octets."""

import random
from enum import StrEnum

from otgate_dnp3.stack.application import CON, FIN, FIR, SEQUENCE_MASK, UNS, response
from otgate_dnp3.stack.link import START
from otgate_dnp3.stack.station import Role, Station


class Dnp3Fault(StrEnum):
    """What an outstation does instead of answering well."""

    NONE = "none"
    SILENT = "silent"
    """It takes everything and says nothing, on the link neither."""
    DROP = "drop"
    """Every other fragment that it sends is lost; the link answers."""
    CORRUPT = "corrupt"
    """A bit of every frame is wrong, its CRC tells."""
    CORRUPT_BODY = "corrupt-body"
    """The objects of every response are broken, behind CRCs that are right."""
    GARBAGE = "garbage"
    """As many octets that are no frame."""
    DELAY = "delay"
    """It answers correctly, some seconds late."""
    DUPLICATE = "duplicate"
    """It sends every fragment twice."""
    FORGED_ADDRESS = "forged-address"
    """Before each of its own, a fragment with wrong values comes from a stranger's address."""
    WRONG_SEQUENCE = "wrong-sequence"
    """Responses carry another request's sequence number."""
    NO_CONFIRM = "no-confirm-handling"
    """It does not take confirms: events come again and again."""
    OVERFLOW = "overflow"
    """It says that events were lost, as long as the fault lasts."""
    CLOSE = "close"
    """It closes the connection on each request."""
    RESTART = "restart"
    """It restarts once and closes the connection; events that it held are lost."""


def with_wrong_crc(frame: bytes, rng: random.Random) -> bytes:
    """Turn one bit of a frame, behind the start octets."""
    spoilt = bytearray(frame)
    spoilt[rng.randrange(2, len(spoilt))] ^= 1 << rng.randrange(8)
    return bytes(spoilt)


def with_broken_objects(fragment: bytes, rng: random.Random) -> bytes:
    """Cut off, change or replace what follows a response's header."""
    head, objects = fragment[:4], fragment[4:]
    if not objects:
        return head + rng.randbytes(7)
    match rng.randrange(3):
        case 0:
            return head + objects[: rng.randrange(1, len(objects)) if len(objects) > 1 else 0]
        case 1:
            return head + bytes((objects[0], objects[1] ^ 0x55, objects[2] ^ 0x0F)) + objects[3:]
        case _:
            return head + objects + rng.randbytes(5)


def with_wrong_sequence(fragment: bytes) -> bytes:
    """Count a fragment's sequence number on by five."""
    control = fragment[0]
    wrong = control & ~SEQUENCE_MASK | (control + 5) & SEQUENCE_MASK
    return bytes((wrong,)) + fragment[1:]


def no_frame(size: int, rng: random.Random) -> bytes:
    """Return noise with the start of a frame in it."""
    noise = rng.randbytes(size)
    at = rng.randrange(max(1, size - 2))
    return (noise[:at] + START + noise[at:])[:size]


FORGED = bytes.fromhex("1e 01 00 00 00 01 ff ff ff 7f  02 02 17 01 00 81 00 00 00 00 00 00")
"""Analog input 0 at its largest and an event of binary input 0."""


def strangers_frame(station: Station, fragment: bytes) -> bytes:
    """Return a frame from the next address with wrong values and the fragment's sequence."""
    stranger = Station(Role.OUTSTATION, station.local + 1, station.remote)
    control = (fragment[0] | FIR | FIN) & ~CON & (0xFF if fragment[0] & UNS else ~UNS)
    return stranger.user_data(bytes((0xC0,)) + response(control & 0xFF, 0, FORGED))
