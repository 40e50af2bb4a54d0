"""Spool frames to messages: columns straight into JSON, split where one would be too large.

What precedes a value, its point's id, is spelled once per catalog. A column of good numbers is
laid out in cells, with no object per sample; of others the values are encoded in one call and cut
at their commas.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias, cast

import numpy as np

from otgate.model import Batch, Clock, Index, Lane, Origin, Values, ValueType, Words
from otgate.publish.cells import Laid
from otgate.publish.labels import BETWEEN, Labels
from otgate.publish.message import Claim, Message, Urgency
from otgate.publish.payload import (
    EXACT_LIMIT,
    Data,
    Event,
    Replay,
    Samples,
    encode_json,
)
from otgate.publish.settings import Limits
from otgate.publish.topics import MessageClass, Topics
from otgate.quality import Quality, names
from otgate.spool.epoch import epoch_text
from otgate.spool.frame import neighbours
from otgate.spool.items import Frame

PACKET_OVERHEAD = 16
"""Bytes of a PUBLISH beside topic and payload, at most (MQTT 5.0, §3.3)."""

STRUCTS: dict[MessageClass, type[Samples]] = {
    MessageClass.DATA: Data,
    MessageClass.EVENT: Event,
    MessageClass.REPLAY: Replay,
}
CLASSES = {Lane.DATA: MessageClass.DATA, Lane.EVENT: MessageClass.EVENT}
EMPTY, END = b"]}", b"}]}"
"""How a message without points ends, and one whose last point is open."""
COUNTED = ("seq", "received_us", "spooled_us", "sent_us", "time_us")
"""The numbers of a message, in the order in which it says them."""
Times: TypeAlias = tuple[int, int, int, int]
NO_HEAD: tuple[object, bytes] = (None, b"")
WHOLE = frozenset({ValueType.I64, ValueType.U64})
NUMBERS = WHOLE | {ValueType.F64}
INVALID = np.uint32(Quality.INVALID)
NO_VALUE = np.uint32(Quality.NO_VALUE)


class Pieces:
    """Samples in two pieces of JSON each.

    Laid end to end they are the samples, each but the first behind the end of the one before.
    """

    def __init__(self, openings: list[bytes], values: list[bytes]) -> None:
        self._pieces = [b""] * (2 * len(openings))
        self._pieces[0::2] = openings
        self._pieces[1::2] = values

    def part(self, first: int, stop: int) -> bytes:
        """Return the samples from ``first`` to before ``stop`` as JSON, the last one open."""
        return b"".join(self._pieces[2 * first : 2 * stop])[len(BETWEEN) :]


Spelled: TypeAlias = Pieces | Laid


class Encoder:
    """Turns frames of one conduit into messages of at most ``limits``."""

    def __init__(self, topics: Topics, limits: Limits, pack: Callable[[bytes], bytes]) -> None:
        self.topics = topics
        self.limits = limits
        self.packet_limit = 0
        """The broker's Maximum Packet Size; 0 is none."""
        self._pack = pack
        self._heads: dict[tuple[str, MessageClass], tuple[object, bytes]] = {}
        """What the last message of each device and class began with, and what of the frame that
        says."""

    def messages(
        self, frame: Frame, labels: Labels, now_ns: int, urgency: Urgency = Urgency.LIVE
    ) -> list[Message]:
        """Return the frame's samples as messages, in order, each with its own claim."""
        late = urgency is Urgency.LATE
        message_class = MessageClass.REPLAY if late else CLASSES[frame.lane]
        topic = self.topics.topic(frame.batch.device, message_class)
        spelled = spelled_points(frame.batch, labels)
        head, times = self._head(frame, labels, message_class), times_us(frame, now_ns)
        todo, step, room_bytes = [range(len(frame.batch.index))], self.limits.max_points, 0
        messages: list[Message] = []
        while todo:
            rows = todo.pop()
            if len(rows) > step:
                todo += [rows[step:], rows[:step]]
                continue
            seq, count = frame.seq + rows.start, len(rows)
            points = spelled.part(rows.start, rows.stop)
            payload = self._pack(b"".join((head % (seq, *times), points, END)))
            room_bytes = room_bytes or self._room(topic)
            if count > 1 and len(payload) > room_bytes:
                todo += [rows[count // 2 :], rows[: count // 2]]
            else:
                claim = self._claim(frame, seq, count, times)
                messages.append(Message(topic, payload, claim=claim, urgency=urgency))
        return messages

    @staticmethod
    def _claim(frame: Frame, seq: int, count: int, times: Times) -> Claim:
        batch = frame.batch
        return Claim(
            frame.lane,
            frame.epoch,
            seq,
            count,
            batch.received_ns,
            spooled_ns=0 if batch.origin is Origin.REFRESH else frame.spooled_ns,
            sent_ns=times[2] * 1000,
        )

    def _room(self, topic: str) -> int:
        if not self.packet_limit:
            return self.limits.max_bytes
        return min(self.limits.max_bytes, self.packet_limit - len(topic) - PACKET_OVERHEAD)

    def _head(self, frame: Frame, labels: Labels, message_class: MessageClass) -> bytes:
        """Return what a message says before its points, with room for its numbers."""
        batch = frame.batch
        meta = labels.hashes[batch.device]
        clock = None if batch.source_ns is None else batch.clock
        said = (frame.lane, frame.epoch, meta, batch.origin, clock)
        before, head = self._heads.get((batch.device, message_class), NO_HEAD)
        if before != said:
            head = self._spelled_head(frame, meta, message_class)
            self._heads[batch.device, message_class] = said, head
        return head

    def _spelled_head(self, frame: Frame, meta: str, message_class: MessageClass) -> bytes:
        batch = frame.batch
        by_device = batch.source_ns is not None and batch.clock is Clock.DEVICE
        said: Samples = STRUCTS[message_class](
            site=self.topics.site,
            gateway=self.topics.gateway,
            conduit=self.topics.conduit,
            device=batch.device,
            lane=frame.lane.value,
            epoch=epoch_text(frame.epoch),
            meta=meta,
            origin=cast("Any", batch.origin.name.lower()),
            clock="device" if by_device else "gateway",
            replayed=message_class is MessageClass.REPLAY,
            points=[],
            **dict.fromkeys(COUNTED, 0),
        )
        text = encode_json(said)[: -len(EMPTY)].replace(b"%", b"%%")
        for name in COUNTED:  # a quote within a text is escaped, so that none looks like this
            text = text.replace(b',"%b":0' % name.encode(), b',"%b":%%d' % name.encode(), 1)
        return text


def times_us(frame: Frame, now_ns: int) -> Times:
    """Return the times of a message, in the order in which it says them."""
    batch = frame.batch
    received_us = time_us = batch.received_ns // 1000
    if batch.source_ns is not None:
        time_us = int(batch.source_ns[0]) // 1000
    return received_us, frame.spooled_ns // 1000, now_ns // 1000, time_us


def spelled_points(batch: Batch, labels: Labels) -> Spelled:
    """Spell every sample of ``batch``."""
    quality = honest_quality(batch)
    marked = np.count_nonzero(quality)
    source_ns = batch.source_ns
    if not marked and source_ns is None and batch.value_type in NUMBERS:
        laid = labels.cells.laid(batch.index, batch.value_type, batch.values)
        if laid is not None:
            return laid
    tails = _tails(batch, quality)
    if marked:
        for number in np.flatnonzero(quality).tolist():
            tails[number] += _spelled_quality(int(quality[number]))
    if source_ns is not None and len(batch):
        times = source_ns // 1000
        for number in np.flatnonzero(times != times[0]).tolist():
            tails[number] += b',"t_us":%d' % times[number]
    return Pieces(_openings(batch.index, labels), tails)


def _openings(index: Index, labels: Labels) -> list[bytes]:
    """Return what each sample begins with."""
    first = index.item(0) if len(index) else 0
    stop = first + len(index)
    in_a_row = index.tobytes() == neighbours(first, stop).tobytes()
    openings = labels.openings[first:stop] if in_a_row else labels.openings.take(index)
    some: list[bytes] = openings.tolist()
    return some


def _tails(batch: Batch, quality: Words) -> list[bytes]:
    values = spelled_values(batch, quality)
    if batch.value_type is ValueType.TEXT:  # which may hold commas
        return [encode_json(value) for value in values]
    return encode_json(values)[1:-1].split(b",")


@lru_cache(maxsize=1024)
def _spelled_quality(word: int) -> bytes:
    return b',"q":' + encode_json(names(word))


def honest_quality(batch: Batch) -> Words:
    """Return the batch's quality, invalid wherever there is no number to show."""
    quality = batch.quality
    if batch.value_type is ValueType.F64:
        finite = np.isfinite(batch.values)
        if np.count_nonzero(finite) < len(finite):
            quality = quality | (~finite * INVALID)
    if not np.count_nonzero(quality):
        return quality
    honest: Words = quality | (((quality & NO_VALUE) != 0) * INVALID)
    return honest


def spelled_values(batch: Batch, quality: Words) -> list[Any]:
    """Return the values as JSON holds them: null where there is none, large integers as text."""
    values: list[Any] = batch.values.tolist()
    if batch.value_type in WHOLE and values and _beyond(batch.values):
        values = [v if -EXACT_LIMIT <= v <= EXACT_LIMIT else str(v) for v in values]
    if not np.count_nonzero(quality):
        return values
    absent = (quality & NO_VALUE) != 0
    if batch.value_type is ValueType.F64:
        absent |= ~np.isfinite(batch.values)
    for number in np.flatnonzero(absent).tolist():
        values[number] = None
    return values


def _beyond(values: Values) -> bool:
    return bool(values.max() > EXACT_LIMIT or values.min() < -EXACT_LIMIT)
