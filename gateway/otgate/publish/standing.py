"""What one conduit publishes beside samples: meta, status, gaps, and clearing what is gone."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec

from otgate.publish.labels import Labels
from otgate.publish.liveness import Field
from otgate.publish.message import Claim, Message, Retain, Settles, Urgency
from otgate.publish.payload import (
    DeviceStatus,
    GapNotice,
    GatewayStatus,
    LaneStatus,
    encode_json,
)
from otgate.publish.settings import LastValues
from otgate.publish.topics import GATEWAY, MessageClass, Topics
from otgate.spool.epoch import epoch_text
from otgate.spool.items import Epoch, Gap
from otgate.spool.reader import Place

Bus = Literal["alive", "lost", "stopped"]


@dataclasses.dataclass(frozen=True, slots=True)
class Known:
    """What is known of the field side and of the lanes at one moment."""

    field: Field = "unknown"
    devices: Mapping[str, str] = dataclasses.field(default_factory=dict)
    lanes: Mapping[str, LaneStatus] = dataclasses.field(default_factory=dict)
    audit: str = ""


class Standing:
    """Builds the standing messages of one catalog."""

    def __init__(self, topics: Topics, labels: Labels, last: LastValues) -> None:
        self.topics = topics
        self.labels = labels
        self.last = last
        self.devices = [device.id for device in labels.catalog.devices]
        self._wanted = frozenset(self._wanted_topics())

    def metas(self) -> Iterator[Message]:
        """Yield meta of every device, each under its name and under its hash."""
        for device in self.devices:
            yield from self.meta(device)

    def meta(self, device: str) -> Iterator[Message]:
        """Yield the two meta messages of ``device``."""
        meta = self.labels.meta(device)
        payload = encode_json(meta)
        for leaf in (meta.meta, ""):
            yield Message(self.topics.topic(device, MessageClass.META, leaf), payload, Retain.YES)

    def status(self, bus: Bus, known: Known, now_ns: int) -> Message:
        """Return the gateway's status, which is also the will."""
        status = GatewayStatus(
            site=self.topics.site,
            gateway=self.topics.gateway,
            conduit=self.topics.conduit,
            bus=bus,
            field=known.field,
            sent_us=now_ns // 1000,
            devices=self._states(known),
            lanes=dict(known.lanes),
            audit=known.audit,
        )
        return Message(self.topics.status, encode_json(status), Retain.YES)

    def device_status(self, device: str, known: Known, now_ns: int) -> Message:
        """Return the status of ``device``."""
        status = DeviceStatus(
            site=self.topics.site,
            gateway=self.topics.gateway,
            conduit=self.topics.conduit,
            device=device,
            state=known.devices.get(device, "unknown"),
            bus="alive",
            field=known.field,
            sent_us=now_ns // 1000,
        )
        topic = self.topics.topic(device, MessageClass.STATUS)
        return Message(topic, encode_json(status), Retain.YES)

    def gap(self, gap: Gap, now_ns: int, urgency: Urgency = Urgency.LIVE) -> Message:
        """Return the announcement of samples that will never come."""
        notice = GapNotice(
            site=self.topics.site,
            gateway=self.topics.gateway,
            conduit=self.topics.conduit,
            lane=gap.lane.value,
            epoch=epoch_text(gap.epoch),
            seq=gap.seq,
            count=gap.count,
            from_us=gap.from_ns // 1000,
            to_us=gap.to_ns // 1000,
            reason=gap.reason.value,
            at_least=gap.at_least,
            sent_us=now_ns // 1000,
        )
        claim = Claim(
            gap.lane,
            gap.epoch,
            gap.seq,
            gap.count,
            gap.from_ns,
            settles=Settles.ANNOUNCED,
            reason=gap.reason.value,
        )
        topic = self.topics.topic(GATEWAY, MessageClass.GAP)
        return Message(topic, encode_json(notice), claim=claim, urgency=urgency)

    def wants(self, topic: str) -> bool:
        """Tell whether a retained message under ``topic`` still has something behind it."""
        return topic in self._wanted

    def points(self) -> set[tuple[str, str]]:
        """Return every (device, point) of the catalog."""
        return {
            (device.id, point.id)
            for device in self.labels.catalog.devices
            for point in device.points()
        }

    def _states(self, known: Known) -> dict[str, str]:
        return {device: known.devices.get(device, "unknown") for device in self.devices}

    def _wanted_topics(self) -> Iterator[str]:
        yield self.topics.status
        for device in self.devices:
            yield self.topics.topic(device, MessageClass.STATUS)
            yield self.topics.topic(device, MessageClass.META)
            yield self.topics.topic(device, MessageClass.META, self.labels.hashes[device])
        for device, point in self.points() if self.last is LastValues.ON else ():
            yield self.topics.topic(device, MessageClass.LAST, point)


def lane_status(place: Place, entered: Epoch | None, live_from: Place | None = None) -> LaneStatus:
    """Return what a status says of a lane delivered up to ``place``.

    ``entered`` is what is known of that epoch's start, if anything; ``live_from`` is where what is
    live begins, if there is a backlog before it.
    """
    status = LaneStatus(epoch=epoch_text(place.epoch), complete_through=place.seq)
    if live_from is not None:
        live_epoch = epoch_text(live_from.epoch)
        status = msgspec.structs.replace(status, live_epoch=live_epoch, live_from=live_from.seq)
    if entered is None or not entered.previous_epoch:
        return status
    return msgspec.structs.replace(
        status,
        previous_epoch=epoch_text(entered.previous_epoch),
        previous_end=entered.previous_end,
    )
