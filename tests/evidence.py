"""What a spool accepted beside what an independent subscriber heard: sample by sample.

A sample is accepted once it stands in the spool by write(2). Both accounts are read by means of
their own: the spool with a fresh cursor, the broker with a plain client. Neither knows the
gateway's cursor.
"""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Self, TypeAlias

import numpy as np
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from otgate.model import Lane
from otgate.publish.ledger import Ledger
from otgate.publish.payload import GapNotice, GatewayStatus, Samples
from otgate.publish.subscribe import decode
from otgate.publish.topics import MessageClass, read_topic
from otgate.quality import names
from otgate.spool.epoch import epoch_text
from otgate.spool.items import Frame, Gap
from otgate.spool.reader import SpoolReader

Number: TypeAlias = tuple[str, str, int]
"""Lane, epoch, sequence number."""


class Listener:
    """Books every sample that arrives in a ledger, and keeps a fingerprint of it if told to."""

    def __init__(self, port: int, keep: str = "yes") -> None:
        self._keep = keep
        self.heard: dict[Number, int] = {}
        self.ledger = Ledger()
        self.complaints: list[str] = []
        self.gaps: Counter[str] = Counter()
        self.replayed_samples = 0
        self._lock = Lock()
        self._gate = Lock()
        """Taken while nothing is to be read."""
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = self._subscribe
        self._client.on_message = self._message
        self._client.connect("127.0.0.1", port, keepalive=900)  # it outlives a frozen broker

    def __enter__(self) -> Self:
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def received(self) -> int:
        """Samples received, each counted once."""
        with self._lock:
            return self.ledger.received

    def pause(self) -> None:
        """Read nothing any more, with the connection open."""
        self._gate.acquire()

    def resume(self) -> None:
        """Read again."""
        self._gate.release()

    @property
    def reached(self) -> int:
        """One above the highest number received in any stream."""
        with self._lock:
            return max((one.reached for one in self.ledger.accounts.values()), default=0)

    @property
    def lost(self) -> int:
        with self._lock:
            return self.ledger.lost

    @property
    def duplicates(self) -> int:
        """Samples that came again."""
        with self._lock:
            return sum(account.duplicates for account in self.ledger.accounts.values())

    def take(self, numbers: list[Number]) -> list[int | None]:
        """Hand out the fingerprints of these samples, and forget them."""
        with self._lock:
            return [self.heard.pop(number, None) for number in numbers]

    def await_news(self, since: int, limit_s: float = 30.0) -> float:
        """Return the seconds until more than ``since`` samples have come."""
        begun = time.monotonic()
        while self.received <= since:
            assert time.monotonic() - begun < limit_s, f"nothing new in {limit_s} s"
            time.sleep(0.002)
        return time.monotonic() - begun

    def _subscribe(self, client: mqtt.Client, *_: Any) -> None:
        client.subscribe("otgate/v1/#", qos=1)

    def _message(self, _client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
        address = read_topic(message.topic, "otgate")
        assert address is not None, message.topic
        with self._gate, self._lock:
            match decode(address, message.payload):
                case Samples() as samples:
                    self._samples(samples, address.message_class)
                case GapNotice() as gap:
                    self.ledger.gap(gap)
                    self.gaps[f"{gap.lane} {gap.reason}"] += gap.count
                case GatewayStatus() as status if not message.retain:
                    self.ledger.status(status)

    def _samples(self, samples: Samples, message_class: MessageClass) -> None:
        self.ledger.samples(samples, message_class, time.time_ns() // 1000)
        self.replayed_samples += len(samples.points) if samples.replayed else 0
        for number, mark in heard(samples) if self._keep == "yes" else ():
            if self.heard.setdefault(number, mark) != mark:
                self.complaints.append(f"{number} came again with another content")


def heard(samples: Samples) -> Iterator[tuple[Number, int]]:
    """Yield each sample's number and the fingerprint of what the message says of it."""
    for n, point in enumerate(samples.points):
        time_us = samples.time_us if point.t_us is None else point.t_us
        content = (samples.device, point.id, point.v, tuple(point.q), time_us, samples.received_us)
        yield (samples.lane, samples.epoch, samples.seq + n), hash(content)


def accepted(frame: Frame) -> Iterator[tuple[Number, int]]:
    """Yield each sample's number and the fingerprint of what the spool says of it."""
    batch, epoch = frame.batch, epoch_text(frame.epoch)
    received_us = batch.received_ns // 1000
    times_us = [received_us] * len(batch)
    if batch.source_ns is not None:
        times_us = [int(ns) // 1000 for ns in batch.source_ns]
    ids = np.asarray(frame.catalog.ids, dtype=object)[batch.index]
    columns = zip(ids, batch.values.tolist(), batch.quality.tolist(), times_us, strict=True)
    for n, (point, value, quality, time_us) in enumerate(columns):
        spelled = names(quality)
        told = None if "no_value" in spelled else value
        content = (batch.device, str(point), told, spelled, time_us, received_us)
        yield (frame.lane.value, epoch, frame.seq + n), hash(content)


@dataclass
class Audit:
    """Compares, a stretch at a time, so that its memory does not grow with the run."""

    spool: Path
    state: Path
    listener: Listener
    samples: int = 0
    """Accepted and compared so far."""
    unheard: list[Number] = field(default_factory=list)
    different: list[Number] = field(default_factory=list)
    gaps: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._reader = SpoolReader.open(self.spool, self.state)

    def close(self) -> None:
        self._reader.close()

    def compare(self, patience_s: float = 20.0) -> None:
        """Read everything spooled since the last time and wait until all of it was heard."""
        waiting: dict[Number, int] = {}
        for lane in Lane:
            while items := self._reader.read(lane):
                for item in items:
                    if isinstance(item, Frame):
                        waiting.update(accepted(item))
                    elif isinstance(item, Gap):
                        self.gaps[f"{lane.value} {item.reason.value}"] += item.count
        self.samples += len(waiting)
        until = time.monotonic() + patience_s
        while waiting and time.monotonic() < until:
            self._settle(waiting)
            time.sleep(0.05)
        self.unheard += waiting

    def _settle(self, waiting: dict[Number, int]) -> None:
        numbers = list(waiting)
        for number, mark in zip(numbers, self.listener.take(numbers), strict=True):
            if mark is not None and waiting.pop(number) != mark:
                self.different.append(number)

    def verdict(self) -> dict[str, Any]:
        """Return what a test asserts on: how many, and the first few of what is wrong."""
        return {
            "unheard": self.unheard[:5],
            "different": self.different[:5],
            "came_again_otherwise": self.listener.complaints[:5],
            "gaps": dict(self.gaps),
            "lost": self.listener.lost,
        }


FAULTLESS = {
    "unheard": [],
    "different": [],
    "came_again_otherwise": [],
    "gaps": {},
    "lost": 0,
}
