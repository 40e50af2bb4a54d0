"""What the spools hold, read by a reader of the lab's own."""

from collections.abc import Iterator
from pathlib import Path

from otgate.model import Lane
from otgate.spool.reader import Frame, Item, SpoolReader, epoch_text
from otgate_sim.lab.tally import Name, Stream, Tally


def count_spools(tally: Tally, spools: Path, states: Path) -> None:
    """Book every sample of every spool below ``spools``; the cursors go below ``states``."""
    for directory in sorted(spools.iterdir()) if spools.is_dir() else ():
        reader = SpoolReader.open(directory, states / directory.name)
        try:
            for lane in Lane:
                for item in items(reader, lane):
                    if isinstance(item, Frame):
                        count_frame(tally, directory.name, item)
        finally:
            reader.close()


def items(reader: SpoolReader, lane: Lane) -> Iterator[Item]:
    """Return everything that a lane holds."""
    while read := reader.read(lane):
        yield from read


def count_frame(tally: Tally, conduit: str, frame: Frame) -> None:
    """Book the samples of one frame."""
    ids = frame.catalog.ids[frame.batch.index].tolist()
    names = [Name(frame.batch.device, point) for point in ids]
    tally.spool(Stream(conduit, frame.lane, epoch_text(frame.epoch)), frame.seq, names)
