"""Bursts on an event loop: the thread behind it is woken once, when they are over."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from otgate.model import Lane
from otgate.spool.bell import Bell, Lull
from otgate.spool.reader import SpoolReader
from otgate.spool.writer import Pace, SpoolWriter
from spools import AMPLE, FaultyFiles, batch, catalog, everything, frames

PATIENCE_S = 10.0


class Counted(Bell):
    """A bell that counts, and that nobody waits for."""

    def __init__(self) -> None:
        super().__init__()
        self.rings = 0

    def ring(self) -> None:
        self.rings += 1


def lulled(bell: Bell, burst_s: float = PATIENCE_S) -> Lull:
    return Lull(bell, asyncio.get_running_loop(), burst_s)


async def turns(count: int, each: Callable[[], None]) -> None:
    for _ in range(count):
        each()
        await asyncio.sleep(0)


async def test_what_comes_turn_by_turn_rings_once_at_the_end() -> None:
    bell = Counted()
    lull = lulled(bell)
    await turns(5, lull.ring)
    assert bell.rings == 0
    await turns(5, lambda: None)
    assert bell.rings == 1


async def test_what_comes_alone_rings_within_two_turns() -> None:
    bell = Counted()
    lulled(bell).ring()
    await turns(3, lambda: None)
    assert bell.rings == 1


async def test_a_burst_without_an_end_is_interrupted() -> None:
    bell = Counted()
    lull = lulled(bell, burst_s=0.002)
    async with asyncio.timeout(PATIENCE_S):
        while bell.rings < 3:
            await turns(1, lull.ring)


async def test_each_burst_rings() -> None:
    bell = Counted()
    lull = lulled(bell)
    for burst in (1, 2, 3):
        await turns(3, lull.ring)
        await turns(3, lambda: None)
        assert bell.rings == burst


async def test_a_burst_of_batches_is_one_write(tmp_path: Path) -> None:
    files = FaultyFiles()
    writer = opened(tmp_path, files)
    before = files.calls["write"]
    await turns(8, lambda: append(writer))
    reader = SpoolReader.open(tmp_path / "spool", tmp_path / "state")
    seen = frames(())
    while len(seen) < 8:
        seen += frames(everything(reader))
        await asyncio.sleep(0.001)
    assert files.calls["write"] == before + 1
    reader.close()
    writer.close()


async def test_who_waits_for_a_commit_does_not_wait_for_the_end_of_a_burst(tmp_path: Path) -> None:
    writer = opened(tmp_path, FaultyFiles())
    durable: list[bool] = []
    ticket = append(writer)
    writer.wait_durable(ticket, lambda: durable.append(True))
    limit_s = asyncio.get_running_loop().time() + PATIENCE_S
    while not durable and asyncio.get_running_loop().time() < limit_s:
        pass  # the loop takes no turn
    assert durable
    writer.close()


async def test_what_is_appended_last_is_written_at_the_close(tmp_path: Path) -> None:
    writer = opened(tmp_path, FaultyFiles())
    append(writer)
    writer.close()
    reader = SpoolReader.open(tmp_path / "spool", tmp_path / "state")
    assert len(frames(everything(reader))) == 1
    reader.close()
    await turns(3, lambda: None)  # the bell of a closed spool rings in vain


def opened(folder: Path, files: FaultyFiles) -> SpoolWriter:
    loop = asyncio.get_running_loop()
    pace = Pace(sync_s=PATIENCE_S, burst_s=PATIENCE_S)
    writer = SpoolWriter.open(folder / "spool", catalog(), AMPLE, files=files, pace=pace)
    writer.gather_on(loop)
    return writer


def append(writer: SpoolWriter) -> int:
    return writer.append(Lane.DATA, batch([1.0, 2.0]))
