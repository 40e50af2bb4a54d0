"""The newest value of each point, kept on the broker for those who come later; opt-in.

Values are sent only when the publisher has caught up, and only forward in (epoch, seq): neither
a rewind nor a backlog moves a retained value backwards. What is taken out of a backlog waits for
its end: only then is it known to be the newest of its point. One that was restarted takes for a
backlog whatever lies before where it was.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from otgate.model import Clock, Lane
from otgate.publish.encode import honest_quality, spelled_values
from otgate.publish.labels import Labels
from otgate.publish.liveness import Field
from otgate.publish.message import Message, Retain, Urgency
from otgate.publish.payload import GOOD, Last, encode_json
from otgate.publish.topics import MessageClass, Topics
from otgate.quality import Quality, names
from otgate.spool.items import Frame

Key = tuple[str, str]
STALE = Quality.STALE | Quality.QUESTIONABLE


@dataclass(frozen=True, slots=True)
class Newest:
    """A point's newest sample and where in the spool it stood."""

    place: tuple[int, int]
    value: float | int | str | bool | None
    quality: int
    time_us: int
    received_us: int
    meta: str
    from_device: bool


class NewestValues:
    """Collects the newest sample of each point and tells what to publish of it."""

    def __init__(self) -> None:
        self._newest: dict[Key, Newest] = {}
        self._due: dict[Key, None] = {}
        """In the order in which they became due, so that each has its turn where few may go."""
        self._late: dict[Key, Lane] = {}
        """Points whose newest sample came out of a backlog that has not ended, and its lane."""
        self._field: Field = "unknown"

    def take(self, frame: Frame, labels: Labels, urgency: Urgency) -> None:
        """Take the samples of ``frame`` where they are newer than what is known."""
        late = urgency is Urgency.LATE
        batch = frame.batch
        quality = honest_quality(batch)
        values = spelled_values(batch, quality)
        source_ns = batch.source_ns
        received_us = batch.received_ns // 1000
        for number, point in enumerate(labels.ids[batch.index].tolist()):
            key, place = (batch.device, point), (frame.epoch, frame.seq + number)
            known = self._newest.get(key)
            if known is not None and known.place >= place:
                continue
            self._newest[key] = Newest(
                place,
                values[number],
                int(quality[number]),
                received_us if source_ns is None else int(source_ns[number]) // 1000,
                received_us,
                labels.hashes[batch.device],
                source_ns is not None and batch.clock is Clock.DEVICE,
            )
            if late:
                self._late[key] = frame.lane
                self._due.pop(key, None)
            else:
                self._late.pop(key, None)
                self._due[key] = None

    def caught_up(self, lane: Lane) -> None:
        """Take it that the backlog of a lane is at its end: what came out of it is due."""
        keys = sorted(key for key, its in self._late.items() if its is lane)
        self._due |= dict.fromkeys(keys)
        for key in keys:
            del self._late[key]

    def field(self, field: Field) -> None:
        """Mark everything stale while the field side is lost, and no longer once it is back."""
        if (field == "lost") != (self._field == "lost"):
            self._all_due()
        self._field = field

    def reconnected(self) -> None:
        """Send everything again: another broker, or one that forgot."""
        self._all_due()

    def _all_due(self) -> None:
        self._due |= dict.fromkeys(sorted(self._newest.keys() - self._late.keys()))

    def keep(self, points: set[Key]) -> None:
        """Forget all points but these."""
        self._newest = {key: known for key, known in self._newest.items() if key in points}
        self._due = {key: None for key in self._due if key in points}
        self._late = {key: lane for key, lane in self._late.items() if key in points}

    @property
    def has_due(self) -> bool:
        """Whether anything is to be published."""
        return bool(self._due)

    def due(self, topics: Topics, now_ns: int) -> Iterator[Message]:
        """Yield what changed since it was last yielded, as retained messages, each once.

        Whoever stops early finds the rest the next time.
        """
        left = len(self._due)
        while left and self._due:
            left -= 1
            key = next(iter(self._due))
            del self._due[key]
            yield self._message(key, topics, now_ns)

    def _message(self, key: Key, topics: Topics, now_ns: int) -> Message:
        device, point = key
        known = self._newest[key]
        if self._field == "lost":
            known = replace(known, quality=known.quality | STALE)
        last = Last(
            site=topics.site,
            gateway=topics.gateway,
            conduit=topics.conduit,
            device=device,
            id=point,
            v=known.value,
            q=names(known.quality) if known.quality else GOOD,
            meta=known.meta,
            time_us=known.time_us,
            received_us=known.received_us,
            sent_us=now_ns // 1000,
            clock="device" if known.from_device else "gateway",
        )
        topic = topics.topic(device, MessageClass.LAST, point)
        return Message(topic, encode_json(last), Retain.YES)
