"""One record of the audit log: a line of JSON that carries the hash of the line before it."""

import time
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Annotated, Any, NamedTuple

import msgspec

FIRST = "0" * 64
"""Stands for the hash of the line before the first."""

MAX_WHAT_BYTES = 32 << 10
"""Of what one record says; what is longer is told by its length and hash."""

CHECKPOINT, REMOVED = "checkpoint", "removed"
START, STOP = "start", "stop"


class Note(NamedTuple):
    """What is to be recorded, before it has its place in the chain."""

    time_ns: int
    event: str
    what: bytes
    """A JSON object."""
    urgent: bool = True
    """Whether it is to be on the disk at once, not only with the next checkpoint."""


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A record as it was written."""

    seq: Annotated[int, msgspec.Meta(ge=1, lt=10**12)]
    time: str
    """ISO 8601, UTC, with microseconds."""
    event: str
    what: dict[str, Any]
    prev: str
    """SHA-256 of the line before, in hexadecimal."""


ENCODER = msgspec.json.Encoder(enc_hook=str, decimal_format="string")
DECODER = msgspec.json.Decoder(Record)


def noted(time_ns: int, event: str, what: Mapping[str, Any], *, urgent: bool = True) -> Note:
    """Return a note that takes no more room than a record may."""
    try:
        body = ENCODER.encode(what)
    except (TypeError, ValueError, OverflowError, RecursionError):  # half a character, 10 ** 30
        body = ENCODER.encode({"unspelled": ascii(what)})
    if len(body) > MAX_WHAT_BYTES:
        body = ENCODER.encode({"cut_bytes": len(body), "sha256": digest(body)})
    return Note(time_ns, event, body, urgent)


def spelled(seq: int, note: Note, prev: str) -> bytes:
    """Return the line of a record, without its line end."""
    head = f'{{"seq":{seq},"time":"{stamp(note.time_ns)}","event":"{note.event}","what":'
    return b'%s%s,"prev":"%s"}' % (head.encode(), note.what, prev.encode())


def stamp(time_ns: int) -> str:
    """Return a time in ns since the Unix epoch as records have it."""
    seconds, ns = divmod(time_ns, 1_000_000_000)
    return f"{clock(seconds)}.{ns // 1000:06}Z"


@lru_cache(maxsize=4)
def clock(seconds: int) -> str:
    """Return a time in seconds since the Unix epoch as ISO 8601."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def digest(line: bytes) -> str:
    """Return what the next record says of ``line``."""
    return sha256(line).hexdigest()


def read(line: bytes) -> Record | None:
    """Read a line; None where it is no record."""
    try:
        return DECODER.decode(line)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


def vouched(seq: int, prev: str) -> bytes:
    """Return what the signature of checkpoint ``seq`` signs: its place, and all before it."""
    return f"otgate audit 1\nseq: {seq}\nprev: {prev}\n".encode()
