"""The newest value of every point in a spool, read beside its bus side without a trace."""

from pathlib import Path
from typing import Any, NamedTuple

from otgate.errors import SpoolUnusable
from otgate.model import Lane
from otgate.spool.catalog import Catalog
from otgate.spool.cursor import LaneCursor, Place
from otgate.spool.files import OS, Files
from otgate.spool.items import Frame
from otgate.spool.lane_reader import LaneReader
from otgate.spool.segment import Damaged, Log
from otgate.spool.shelf import Catalogs, Shelf

MOST_FRAMES, MOST_BYTES = 256, 1 << 20


class Spooled(NamedTuple):
    """A point's newest sample."""

    value: Any
    quality: int
    spooled_ns: int


class Tail:
    """Reads the newest segment of each lane from its start, and on from there."""

    def __init__(self, directory: Path, files: Files = OS) -> None:
        self.newest: dict[str, Spooled] = {}
        """By `device/point`."""
        catalogs = Catalogs()
        self._shelves = {lane: Shelf(files, directory / lane, Log(lane), catalogs) for lane in Lane}
        self._readers: dict[Lane, LaneReader] = {}
        self._paths: dict[str, list[str]] = {}

    def read(self) -> None:
        """Take what was spooled since the last call; nothing where there is no spool.

        Raises:
            SpoolUnusable: the spool is of a newer format.
        """
        for lane, shelf in self._shelves.items():
            reader = self._readers.get(lane) or self._begun(lane, shelf)
            while reader is not None and not reader.dry:
                for item in reader.read(MOST_FRAMES, MOST_BYTES):
                    if isinstance(item, Frame):
                        self._take(item)
            if reader is not None:
                reader.dry = False

    def close(self) -> None:
        """Give the files back."""
        for reader in self._readers.values():
            reader.close()

    def _begun(self, lane: Lane, shelf: Shelf) -> LaneReader | None:
        """Stand at the start of the newest segment that can be opened."""
        for segment in reversed(shelf.listed()):
            try:
                opened = shelf.opened(segment)
            except SpoolUnusable:
                raise
            except (OSError, Damaged):
                continue
            start = opened.start
            opened.close()
            cursor = LaneCursor()
            cursor.stand_at(Place(start.id.epoch, start.first_seq), start.epoch_base)
            self._readers[lane] = LaneReader(lane, shelf, cursor)
            return self._readers[lane]
        return None

    def _take(self, frame: Frame) -> None:
        paths, batch = self._paths_of(frame.catalog), frame.batch
        rows = zip(batch.index.tolist(), batch.values.tolist(), batch.quality.tolist(), strict=True)
        for point, value, quality in rows:
            self.newest[paths[point]] = Spooled(value, quality, frame.spooled_ns)

    def _paths_of(self, catalog: Catalog) -> list[str]:
        found = self._paths.get(catalog.hash)
        if found is None:
            devices = [device.id for device in catalog.devices for _ in range(device.count)]
            found = [
                f"{device}/{point}" for device, point in zip(devices, catalog.ids, strict=True)
            ]
            self._paths[catalog.hash] = found
        return found
