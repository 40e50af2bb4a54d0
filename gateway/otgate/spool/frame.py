"""Frames: how a batch, a gap or a sign of life is laid out in a segment.

A frame is a length, a checksum seeded with the segment, and a body. A body is a small header and
the batch's columns as they are in memory, little-endian.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from otgate.model import Batch, Clock, Index, Lane, Origin, Values, ValueType
from otgate.spool.catalog import Catalog
from otgate.spool.items import ANCHOR, Frame, Gap, GapReason, Live

FRAME = struct.Struct("<II")
"""Length of the body in bytes, and its checksum."""

MAX_BODY_BYTES = 4 << 20
"""A longer length is damage; the writer splits batches to stay below."""

BATCH, GAP, LIVE = 1, 2, 3
"""The first byte of a body."""

BATCH_HEAD = struct.Struct("<BBBBIIIQqq")
"""Kind, value type, origin, flags, device, count, first index, first sequence number,
received_ns, spooled_ns."""

GAP_HEAD = struct.Struct("<BB2xIQqq")
"""Kind, reason, count, first sequence number, from_ns, to_ns."""

LIVE_HEAD = struct.Struct("<B7xq")
"""Kind, time; JSON follows."""

HAS_SOURCE, HAS_INDEX, HAS_QUALITY, GATEWAY_CLOCK = 1, 2, 4, 8
"""Flags of a batch: columns that are absent otherwise, and whose clock the source times are."""
HAS_COLUMNS = HAS_SOURCE | HAS_INDEX | HAS_QUALITY

COLUMNS: dict[ValueType, np.dtype[Any]] = {
    ValueType.F64: np.dtype("<f8"),
    ValueType.I64: np.dtype("<i8"),
    ValueType.U64: np.dtype("<u8"),
    ValueType.BOOL: np.dtype("?"),
}
I4, U4, I8 = np.dtype("<i4"), np.dtype("<u4"), np.dtype("<i8")
VALUE_TYPES = tuple(ValueType)
ORIGINS = tuple(Origin)
REASONS = tuple(GapReason)


@dataclass(frozen=True, slots=True)
class Bodies:
    """The bodies of good frames in a block, and where the first byte beyond them is."""

    bodies: list[memoryview]
    end: int


def pack_batch(batch: Batch, device: int, seq: int, spooled_ns: int) -> bytes:
    """Encode a batch as a body; ``device`` numbers the catalog's devices."""
    index = batch.index
    count = len(index)
    first = index.item(0)
    flags = 0
    parts: list[Any] = [b"", _packed_values(batch)]
    if batch.source_ns is not None:
        flags = HAS_SOURCE if batch.clock is Clock.DEVICE else HAS_SOURCE | GATEWAY_CLOCK
        parts.append(_column(batch.source_ns, I8))
    if not _is_run(index, first, count):
        flags |= HAS_INDEX
        parts.append(_column(index, I4))
    if np.count_nonzero(batch.quality):
        flags |= HAS_QUALITY
        parts.append(_column(batch.quality, U4))
    parts[0] = BATCH_HEAD.pack(
        BATCH,
        batch.value_type,
        batch.origin,
        flags,
        device,
        count,
        first,
        seq,
        batch.received_ns,
        spooled_ns,
    )
    return b"".join(parts)


def _packed_values(batch: Batch) -> Any:
    if batch.value_type is ValueType.TEXT:
        return b"".join(_packed_texts(batch.values))
    return _column(batch.values, COLUMNS[batch.value_type])


def _packed_texts(values: Values) -> Iterator[bytes]:
    for value in values:
        text = value.encode("utf-8", "replace") if isinstance(value, str) else b""
        yield len(text).to_bytes(4, "little")
        yield text


def _column(values: Values, dtype: np.dtype[Any]) -> Values:
    if values.dtype == dtype and values.flags.c_contiguous:
        return values
    return np.ascontiguousarray(values, dtype)


def _is_run(index: Values, first: int, count: int) -> bool:
    if count == 1:
        return True
    if index.item(-1) - first != count - 1 or first < 0:
        return False
    return bool(index.tobytes() == neighbours(first, first + count).tobytes())


def pack_gap(seq: int, count: int, from_ns: int, to_ns: int, reason: GapReason) -> bytes:
    """Encode a gap as a body."""
    return GAP_HEAD.pack(GAP, REASONS.index(reason), count, seq, from_ns, to_ns)


def pack_live(time_ns: int, states: Mapping[str, str]) -> bytes:
    """Encode a sign of life as a body."""
    return LIVE_HEAD.pack(LIVE, time_ns) + msgspec.json.encode(dict(states))


def framed(body: bytes, seed: int) -> bytes:
    """Return what goes before ``body`` in a segment whose checksums start from ``seed``."""
    return FRAME.pack(len(body), zlib.crc32(body, seed))


def good_bodies(block: bytes, seed: int, limit: int) -> Bodies:
    """Return the good frames at the start of ``block``, up to the first bad or cut one."""
    bodies: list[memoryview] = []
    view = memoryview(block)
    end = 0
    while len(bodies) < limit and end + FRAME.size <= len(block):
        length, checksum = FRAME.unpack_from(block, end)
        start = end + FRAME.size
        body = view[start : start + length]
        if not 0 < length <= MAX_BODY_BYTES or len(body) < length:
            break
        if zlib.crc32(body, seed) != checksum:
            break
        bodies.append(body)
        end = start + length
    return Bodies(bodies, end)


def span(body: memoryview) -> tuple[int, int] | None:
    """Return a body's first sequence number and its count, or None where it has none."""
    if body[0] == BATCH and len(body) >= BATCH_HEAD.size:
        fields = BATCH_HEAD.unpack_from(body)
        return fields[7], fields[5]
    if body[0] == GAP and len(body) == GAP_HEAD.size:
        fields = GAP_HEAD.unpack_from(body)
        return fields[3], fields[2]
    return None


def spooled_ns(body: memoryview) -> int:
    """Return when a body was spooled that has a `span`; of a gap, when it ended."""
    if body[0] == GAP:
        return int(GAP_HEAD.unpack_from(body)[5])
    return int(BATCH_HEAD.unpack_from(body)[9])


def unpack(body: memoryview, lane: Lane, epoch: int, catalog: Catalog) -> Frame | Gap | None:
    """Decode a body, with columns that view it; None where it is no sound batch or gap."""
    if body[0] == GAP and len(body) == GAP_HEAD.size:
        _, reason, count, seq, from_ns, to_ns = GAP_HEAD.unpack_from(body)
        if reason >= len(REASONS):
            return None
        return Gap(lane, epoch, seq, count, from_ns, to_ns, REASONS[reason])
    if body[0] == BATCH and len(body) > BATCH_HEAD.size:
        return _unpack_batch(body, lane, epoch, catalog)
    return None


def _unpack_batch(body: memoryview, lane: Lane, epoch: int, catalog: Catalog) -> Frame | None:
    _, kind, origin, flags, device, count, first, seq, received_ns, spooled_ns = (
        BATCH_HEAD.unpack_from(body)
    )
    known = kind < len(VALUE_TYPES) and origin < len(ORIGINS) and device < len(catalog.devices)
    if not known or not 0 < count <= len(body):
        return None
    value_type = VALUE_TYPES[kind]
    values, at = _unpack_values(body, value_type, count)
    source_ns = index = quality = None
    if flags & HAS_COLUMNS:
        source_ns, at = _optional(body, flags & HAS_SOURCE, I8, count, at)
        index, at = _optional(body, flags & HAS_INDEX, I4, count, at)
        quality, at = _optional(body, flags & HAS_QUALITY, U4, count, at)
    if at != len(body) or values is None:
        return None
    last = first + count - 1 if index is None else int(index.view(U4).max())
    if last >= len(catalog.ids):
        return None
    if index is None:
        index = neighbours(first, last + 1)
    batch = Batch(
        catalog.devices[device].id,
        value_type,
        ORIGINS[origin],
        index,
        values,
        _zeros(count) if quality is None else quality,
        received_ns,
        source_ns,
        Clock.GATEWAY if flags & GATEWAY_CLOCK else Clock.DEVICE,
    )
    return Frame(lane, epoch, seq, catalog, batch, spooled_ns)


def _unpack_values(body: memoryview, kind: ValueType, count: int) -> tuple[Values | None, int]:
    if kind is ValueType.TEXT:
        return _unpack_texts(body, count)
    return _optional(body, 1, COLUMNS[kind], count, BATCH_HEAD.size)


def _unpack_texts(body: memoryview, count: int) -> tuple[Values | None, int]:
    texts = np.empty(count, dtype=object)
    at = BATCH_HEAD.size
    for number in range(count):
        length = int.from_bytes(body[at : at + 4], "little")
        text = body[at + 4 : at + 4 + length]
        if len(text) != length:
            return None, at
        texts[number] = str(text, "utf-8", "replace")
        at += 4 + length
    return texts, at


def _optional(
    body: memoryview, present: int, dtype: np.dtype[Any], count: int, at: int
) -> tuple[Values | None, int]:
    end = at + count * dtype.itemsize
    if not present:
        return None, at
    if end > len(body):
        return None, end
    return np.frombuffer(body, dtype, count, at), end


def neighbours(first: int, stop: int) -> Index:
    """Return the numbers from ``first`` to before ``stop``; not to be modified."""
    if stop <= len(NUMBERS):
        return NUMBERS[first:stop]
    return np.arange(first, stop, dtype=np.int32)


def _zeros(count: int) -> Values:
    return ZEROS[:count] if count <= len(ZEROS) else np.zeros(count, np.uint32)


ZEROS = np.zeros(4096, np.uint32)
ZEROS.flags.writeable = False
NUMBERS = np.arange(1 << 14, dtype=np.int32)
NUMBERS.flags.writeable = False


def sliced(frame: Frame, start: int, stop: int) -> Frame:
    """Return the samples of ``frame`` with sequence numbers in [start, stop)."""
    first, last = start - frame.seq, stop - frame.seq
    batch = frame.batch
    part = Batch(
        batch.device,
        batch.value_type,
        batch.origin,
        batch.index[first:last],
        batch.values[first:last],
        batch.quality[first:last],
        batch.received_ns,
        None if batch.source_ns is None else batch.source_ns[first:last],
        batch.clock,
    )
    return Frame(frame.lane, frame.epoch, start, frame.catalog, part, frame.spooled_ns)


def unpack_live(body: memoryview, epoch: int) -> Live | None:
    """Decode a sign of life; None where it is not one."""
    if body[0] != LIVE or len(body) < LIVE_HEAD.size:
        return None
    _, time_ns = LIVE_HEAD.unpack_from(body)
    try:
        states = msgspec.json.decode(body[LIVE_HEAD.size :], type=dict[str, str])
    except msgspec.DecodeError:
        return None
    return Live(epoch, time_ns, states, states.pop(ANCHOR, ""))
