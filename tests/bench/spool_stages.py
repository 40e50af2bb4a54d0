"""The spool's stages: append, with the committer thread up to the sync, and read."""

import os
import tempfile
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import inputs
from timing import Trial

from otgate.model import Batch, Lane
from otgate.spool.frame import framed, pack_batch
from otgate.spool.items import Frame
from otgate.spool.reader import SpoolReader
from otgate.spool.segment_log import FRAMES_A_WRITE
from otgate.spool.shelf import BLOCK_BYTES
from otgate.spool.writer import Retention, SpoolWriter

ROOMY = Retention(1 << 31, 10**18)
BUFFER_BYTES = 512 << 20
SEED = 1
ALONE_S = 0.006
"""Longer than the committer gathers, so that each batch wakes it anew."""


def bytes_per_sample(count: int, changed: int) -> float:
    """Return what a sample takes on the disk."""
    body = pack_batch(inputs.reported(count, changed)[0], 0, 0, 0)
    return (len(framed(body, SEED)) + len(body)) / count


@contextmanager
def append(count: int, changed: int) -> Iterator[tuple[Trial, Trial]]:
    """A burst, in which many batches share a write, up to one sync."""
    with writing(count, changed, pause_s=0) as trials:
        yield trials


@contextmanager
def append_alone(count: int, changed: int) -> Iterator[tuple[Trial, Trial]]:
    """Batches that come one by one; each wakes the thread and is written by itself."""
    with writing(count, changed, pause_s=ALONE_S) as trials:
        yield trials


@contextmanager
def writing(count: int, changed: int, pause_s: float) -> Iterator[tuple[Trial, Trial]]:
    """Append to a spool; the floor takes the checksum of the same bytes and writes them."""
    batches = inputs.reported(count, changed)
    bodies = [pack_batch(batch, 0, number, 0) for number, batch in enumerate(batches)]
    with tempfile.TemporaryDirectory() as place:

        def ours(times: int) -> float:
            with writer_in(Path(place) / "s") as writer:
                return appended(writer, batches, times, pause_s)

        def floor(times: int) -> float:
            return written(Path(place) / "floor", bodies, times, pause_s)

        yield ours, floor


@contextmanager
def writer_in(directory: Path) -> Iterator[SpoolWriter]:
    """Open a writer and remove its segments in the end."""
    writer = SpoolWriter.open(directory, inputs.catalog(), ROOMY, buffer_bytes=BUFFER_BYTES)
    try:
        yield writer
    finally:
        writer.close()
        for segment in directory.glob("*/*.seg"):
            segment.unlink()


def appended(
    writer: SpoolWriter, batches: Sequence[Batch], times: int, pause_s: float = 0
) -> float:
    """Append so many batches and wait for the sync; return CPU seconds of all threads."""
    begun_s, done = time.process_time(), Event()
    ticket = 0
    for number in range(times):
        ticket = writer.append(Lane.DATA, batches[number % len(batches)])
        if pause_s:
            time.sleep(pause_s)
    writer.wait_durable(ticket, done.set)
    done.wait()
    return time.process_time() - begun_s


def written(file: Path, bodies: Sequence[bytes], times: int, pause_s: float) -> float:
    """Write so many bodies behind their checksums, many a call unless there is a pause; sync."""
    several = 1 if pause_s else FRAMES_A_WRITE
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    try:
        begun_s = time.process_time()
        for first in range(0, times, several):
            buffers: list[bytes] = []
            for number in range(first, min(first + several, times)):
                body = bodies[number % len(bodies)]
                buffers += (framed(body, SEED), body)
            os.writev(descriptor, buffers)
            if pause_s:
                time.sleep(pause_s)
        os.fdatasync(descriptor)
        return time.process_time() - begun_s
    finally:
        os.close(descriptor)
        file.unlink()


@contextmanager
def read(count: int, changed: int) -> Iterator[tuple[Trial, Trial]]:
    """Read and acknowledge; the floor reads the same bytes and takes their checksums."""
    batches = inputs.reported(count, changed)
    size = len(pack_batch(batches[0], 0, 0, 0))
    with tempfile.TemporaryDirectory() as place:

        def ours(times: int) -> float:
            with writer_in(Path(place) / "s") as writer:
                appended(writer, batches, times + 1)
                reader = SpoolReader.open(Path(place) / "s", Path(place) / "none")
                reader.read(Lane.DATA, 2)  # the epoch, and a frame for which ids are decoded
                return acknowledged(reader, times)

        def floor(times: int) -> float:
            return checked(Path(place) / "floor", size, times)

        yield ours, floor


def acknowledged(reader: SpoolReader, times: int) -> float:
    """Read so many frames, acknowledging each; return CPU seconds."""
    begun_s, frames = time.process_time(), 0
    while items := reader.read(Lane.DATA):
        for item in items:
            if isinstance(item, Frame):
                reader.acknowledge(item.lane, item.epoch, item.seq, len(item.batch))
                frames += 1
    spent_s = time.process_time() - begun_s
    for lane in reader._lanes.values():  # not close: it would save the cursor
        lane.close()
    assert frames == times, "the spool dropped some"
    return spent_s


def checked(file: Path, size: int, times: int) -> float:
    """Read so many bodies of ``size`` bytes in blocks; return CPU seconds."""
    file.write_bytes(os.urandom(size) * times)
    several = max(1, BLOCK_BYTES // size)
    descriptor = os.open(file, os.O_RDONLY)
    try:
        begun_s = time.process_time()
        for first in range(0, times, several):
            block = memoryview(os.pread(descriptor, several * size, first * size))
            for at in range(0, len(block), size):
                zlib.crc32(block[at : at + size], SEED)
        return time.process_time() - begun_s
    finally:
        os.close(descriptor)
        file.unlink()
