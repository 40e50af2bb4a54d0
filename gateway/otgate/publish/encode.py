"""Spool frames to messages: columns straight into JSON, split where one would be too large."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otgate.model import Batch, Lane, ValueType
from otgate.publish.labels import Labels
from otgate.publish.message import Claim, Message
from otgate.publish.payload import (
    EXACT_LIMIT,
    GOOD,
    Data,
    Event,
    Replay,
    Sample,
    Samples,
    encode_json,
)
from otgate.publish.settings import Limits
from otgate.publish.topics import MessageClass, Topics
from otgate.quality import Quality, names
from otgate.spool.epoch import epoch_text
from otgate.spool.items import Frame

LATE_NS = 10 * 1_000_000_000
"""A frame that leaves this long after it was spooled is late delivery."""
PACKET_OVERHEAD = 16
"""Bytes of a PUBLISH beside topic and payload, at most (MQTT 5.0, §3.3)."""

STRUCTS: dict[MessageClass, type[Samples]] = {
    MessageClass.DATA: Data,
    MessageClass.EVENT: Event,
    MessageClass.REPLAY: Replay,
}
CLASSES = {Lane.DATA: MessageClass.DATA, Lane.EVENT: MessageClass.EVENT}
INVALID = np.uint32(Quality.INVALID)
NO_VALUE = np.uint32(Quality.NO_VALUE)


class Encoder:
    """Turns frames of one conduit into messages of at most ``limits``."""

    def __init__(self, topics: Topics, limits: Limits, pack: Callable[[bytes], bytes]) -> None:
        self.topics = topics
        self.limits = limits
        self.packet_limit = 0
        """The broker's Maximum Packet Size; 0 is none."""
        self._pack = pack

    def messages(self, frame: Frame, labels: Labels, now_ns: int) -> Iterator[Message]:
        """Yield the frame's samples as messages, in order, each with its own claim."""
        late = now_ns - frame.spooled_ns > LATE_NS
        message_class = MessageClass.REPLAY if late else CLASSES[frame.lane]
        topic = self.topics.topic(frame.batch.device, message_class)
        samples = read_samples(frame.batch, labels.ids)
        head = self._head(frame, labels, now_ns)
        if late:
            head["replayed"] = True
        struct = STRUCTS[message_class]
        step = self.limits.max_points
        for first in range(0, len(samples), step):
            part = samples[first : first + step]
            yield from self._fitting(frame, topic, struct, head, part, first)

    def _fitting(
        self,
        frame: Frame,
        topic: str,
        struct: type[Samples],
        head: dict[str, Any],
        samples: list[Sample],
        first: int,
    ) -> Iterator[Message]:
        seq = frame.seq + first
        payload = self._pack(encode_json(struct(seq=seq, points=samples, **head)))
        if len(samples) > 1 and len(payload) > self._room(topic):
            half = len(samples) // 2
            yield from self._fitting(frame, topic, struct, head, samples[:half], first)
            yield from self._fitting(frame, topic, struct, head, samples[half:], first + half)
            return
        claim = Claim(frame.lane, frame.epoch, seq, len(samples), frame.batch.received_ns)
        yield Message(topic, payload, claim=claim)

    def _room(self, topic: str) -> int:
        if not self.packet_limit:
            return self.limits.max_bytes
        return min(self.limits.max_bytes, self.packet_limit - len(topic) - PACKET_OVERHEAD)

    def _head(self, frame: Frame, labels: Labels, now_ns: int) -> dict[str, Any]:
        batch = frame.batch
        received_us = batch.received_ns // 1000
        clock, time_us = "gateway", received_us
        if batch.source_ns is not None and len(batch):
            clock, time_us = batch.clock.name.lower(), int(batch.source_ns[0]) // 1000
        return {
            "site": self.topics.site,
            "gateway": self.topics.gateway,
            "conduit": self.topics.conduit,
            "device": batch.device,
            "lane": frame.lane.value,
            "epoch": epoch_text(frame.epoch),
            "meta": labels.hashes[batch.device],
            "origin": batch.origin.name.lower(),
            "received_us": received_us,
            "spooled_us": frame.spooled_ns // 1000,
            "sent_us": now_ns // 1000,
            "time_us": time_us,
            "clock": clock,
        }


def read_samples(batch: Batch, ids: NDArray[np.object_]) -> list[Sample]:
    """Return a batch's columns as payload samples; ``ids`` are the catalog's point ids."""
    point_ids = ids[batch.index].tolist()
    quality = honest_quality(batch)
    values = spelled_values(batch, quality)
    times = _times_us(batch)
    if times is None and not quality.any():
        return list(map(Sample, point_ids, values))
    words = [names(word) if word else GOOD for word in quality.tolist()]
    if times is None:
        return list(map(Sample, point_ids, values, words))
    return list(map(Sample, point_ids, values, words, times))


def honest_quality(batch: Batch) -> NDArray[np.uint32]:
    """Return the batch's quality, invalid wherever there is no number to show."""
    quality = batch.quality
    if batch.value_type is ValueType.F64 and not np.isfinite(batch.values).all():
        quality = quality | (~np.isfinite(batch.values) * INVALID)
    missing = (quality & NO_VALUE) != 0
    return quality | (missing * INVALID) if missing.any() else quality


def spelled_values(batch: Batch, quality: NDArray[np.uint32]) -> list[Any]:
    """Return the values as JSON holds them: null where there is none, large integers as text."""
    values: list[Any] = batch.values.tolist()
    if batch.value_type in {ValueType.I64, ValueType.U64} and _beyond(batch.values):
        values = [v if -EXACT_LIMIT <= v <= EXACT_LIMIT else str(v) for v in values]
    if not quality.any():
        return values
    absent = (quality & NO_VALUE) != 0
    if batch.value_type is ValueType.F64:
        absent |= ~np.isfinite(batch.values)
    for number in np.flatnonzero(absent).tolist():
        values[number] = None
    return values


def _beyond(values: NDArray[Any]) -> bool:
    return bool((values > EXACT_LIMIT).any() or (values < -EXACT_LIMIT).any())


def _times_us(batch: Batch) -> list[int | None] | None:
    if batch.source_ns is None or not len(batch):
        return None
    times = batch.source_ns // 1000
    first = times[0]
    if (times == first).all():
        return None
    return [None if time == first else time for time in times.tolist()]
