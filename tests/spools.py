"""Spools for tests: catalogs, batches, files with faults, and what a reader saw."""

import errno
import os
import struct
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np

from otgate.model import Batch, Lane, Origin, ValueType
from otgate.spool.catalog import Catalog, CatalogDevice, CatalogPoint
from otgate.spool.files import OperatingSystem
from otgate.spool.items import Frame, Gap, Item
from otgate.spool.reader import SpoolReader
from otgate.spool.writer import Pace, Retention, SpoolWriter

NOW_NS = 1_763_765_412_000_000_000
AMPLE = Retention(64 << 20, 10**18)
QUICK = Pace(sync_s=0.02, retry_s=0.02)


def catalog(points: int = 20, devices: Sequence[str] = ("f3", "f4"), note: str = "") -> Catalog:
    described = [CatalogPoint(f"p{n}", "measurement", 0) for n in range(points)]
    return Catalog(
        "sub7",
        "gw1",
        "analytics",
        tuple(
            CatalogDevice.of(device, described if number == 0 else ())
            for number, device in enumerate(devices)
        ),
        policy_hash="policy",
        map_hash=note or "map",
    )


def batch(values: Iterable[Any], kind: ValueType = ValueType.F64, **other: Any) -> Batch:
    column = np.array(list(values), dtype=kind.dtype)
    count = len(column)
    fields: dict[str, Any] = {
        "device": "f3",
        "value_type": kind,
        "origin": Origin.POLL,
        "index": np.arange(count, dtype=np.int32),
        "values": column,
        "quality": np.zeros(count, np.uint32),
        "received_ns": NOW_NS,
    }
    return Batch(**(fields | other))


class QuickFiles(OperatingSystem):
    """No waiting for the disk: for tests in which nothing loses power."""

    def sync(self, descriptor: int) -> None:
        pass

    def sync_directory(self, path: Path) -> None:
        pass


class FaultyFiles(QuickFiles):
    """Operations fail by name for as long as `faults` says; `calls` counts them."""

    def __init__(self) -> None:
        self.faults: dict[str, int] = {}
        self.short_writes = 0
        self.free_bytes = 1 << 40
        self.calls: Counter[str] = Counter()

    def _meets(self, name: str) -> None:
        self.calls[name] += 1
        if number := self.faults.get(name):
            raise OSError(number, os.strerror(number))

    def create(self, path: Path) -> int:
        self._meets("create")
        return super().create(path)

    def reuse(self, path: Path) -> int:
        self._meets("reuse")
        return super().reuse(path)

    def exchange(self, one: Path, other: Path) -> None:
        self._meets("exchange")
        super().exchange(one, other)

    def open(self, path: Path) -> int:
        self._meets("open")
        return super().open(path)

    def write(self, descriptor: int, buffers: Sequence[bytes]) -> int:
        self._meets("write")
        if self.short_writes:
            self.short_writes -= 1
            joined = b"".join(buffers)
            return os.write(descriptor, joined[: len(joined) // 2])
        return super().write(descriptor, buffers)

    def pread(self, descriptor: int, size: int, offset: int) -> bytes:
        self._meets("pread")
        return super().pread(descriptor, size, offset)

    def sync(self, descriptor: int) -> None:
        self._meets("sync")

    def sync_directory(self, path: Path) -> None:
        self._meets("sync_directory")

    def rename(self, old: Path, new: Path) -> None:
        self._meets("rename")
        super().rename(old, new)

    def unlink(self, path: Path) -> None:
        self._meets("unlink")
        super().unlink(path)

    def room(self, path: Path) -> int:
        self._meets("room")
        return self.free_bytes

    def names(self, path: Path) -> list[str]:
        self._meets("names")
        return super().names(path)


FULL = errno.ENOSPC


def committed(writer: SpoolWriter, ticket: int, limit_s: float = 5.0) -> bool:
    done = Event()
    writer.wait_durable(ticket, done.set)
    return done.wait(limit_s)


def everything(reader: SpoolReader, lane: Lane = Lane.DATA) -> list[Item]:
    items: list[Item] = []
    while got := reader.read(lane):
        items += got
    return items


def frames(items: Iterable[Item]) -> list[Frame]:
    return [item for item in items if isinstance(item, Frame)]


def gaps(items: Iterable[Item]) -> list[Gap]:
    return [item for item in items if isinstance(item, Gap)]


def values(items: Iterable[Item]) -> list[Any]:
    return [value for frame in frames(items) for value in frame.batch.values.tolist()]


def count(item: Item) -> int:
    if isinstance(item, Frame):
        return len(item.batch)
    return item.count if isinstance(item, Gap) else 0


def acknowledge(reader: SpoolReader, items: Iterable[Item]) -> None:
    for item in items:
        if isinstance(item, Frame | Gap):
            reader.acknowledge(item.lane, item.epoch, item.seq, count(item))


def future(version: int) -> bytes:
    """A sound header of a later format."""
    head = b"otgspool" + struct.pack("<HBxI", version, 0, 40) + b"what a later one knows.."[:20]
    return head + struct.pack("<I", zlib.crc32(head))
