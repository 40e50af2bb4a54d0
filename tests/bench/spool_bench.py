"""CPU per sample of append and read, and bytes on the disk. Run it by hand, as a script."""

import sys
import tempfile
import time
from pathlib import Path
from threading import Event

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from otgate.model import Batch, Lane
from otgate.spool.items import Frame
from otgate.spool.reader import SpoolReader
from otgate.spool.writer import Retention, SpoolWriter
from spools import batch, catalog

POINTS = 10_000
ROOMY = Retention(1 << 30, 10**18)


def changed(points: int) -> Batch:
    """Samples of points here and there, as report by exception leaves them."""
    rng = np.random.default_rng(1)
    index = np.sort(rng.choice(POINTS, points, replace=False)).astype(np.int32)
    return batch(rng.random(points), index=index)


def append_us(writer: SpoolWriter, sample: Batch, times: int) -> tuple[float, float]:
    """Return CPU of the calling loop alone and of all threads up to the sync, per batch."""
    loop_s, whole_s = time.thread_time(), time.process_time()
    for _ in range(times):
        ticket = writer.append(Lane.DATA, sample)
    loop_s = time.thread_time() - loop_s
    done = Event()
    writer.wait_durable(ticket, done.set)
    done.wait()
    return loop_s / times * 1e6, (time.process_time() - whole_s) / times * 1e6


def read_us(reader: SpoolReader, times: int) -> float:
    """Return CPU of reading and acknowledging, per batch."""
    start_s, frames = time.process_time(), 0
    while items := reader.read(Lane.DATA):
        for item in items:
            if isinstance(item, Frame):
                reader.acknowledge(item.lane, item.epoch, item.seq, len(item.batch))
                frames += 1
    assert frames == times, "the buffer was too small for this benchmark"
    return (time.process_time() - start_s) / times * 1e6


def measure(place: Path, points: int, times: int) -> None:
    """Print one row."""
    buffer_bytes = 256 << 20
    writer = SpoolWriter.open(place / "s", catalog(POINTS), ROOMY, buffer_bytes=buffer_bytes)
    reader = SpoolReader.open(place / "s", place / "state")
    written = writer.status().bytes_written
    loop_us, append = append_us(writer, changed(points), times)
    size = (writer.status().bytes_written - written) / times / points
    read = read_us(reader, times)
    print(
        f"{points:>6} {loop_us:>12.2f} {append / points:>16.4f} {read / points:>14.4f} "
        f"{(append + read) / points:>14.4f} {size:>13.1f}"
    )
    writer.close()
    reader.close()


def main() -> None:
    """Print CPU and bytes for three sizes of batch."""
    print("points  loop µs/batch  append µs/sample  read µs/sample  both µs/sample  bytes/sample")
    for points, times in ((1, 20_000), (10, 10_000), (100, 5_000), (1000, 2_000)):
        with tempfile.TemporaryDirectory() as place:
            measure(Path(place), points, times)


if __name__ == "__main__":
    main()
