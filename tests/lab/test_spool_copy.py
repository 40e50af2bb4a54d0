"""`otgate spool copy` as a process that is killed, and the bus side that reads what it carries."""

import asyncio
import random
from pathlib import Path

import pytest

from brokers import Mosquitto, broker
from daemons import Process
from publishing import Feeder, publishing, subscriber

__all__ = ["broker"]


@pytest.mark.slow
async def test_a_bus_side_on_a_copy_publishes_everything_though_the_copier_is_killed(
    tmp_path: Path, broker: Mosquitto
) -> None:
    chance, feeder = random.Random(7), Feeder(tmp_path / "spool")
    target, log = tmp_path / "diode" / "spool", tmp_path / "copy.log"
    words = ("spool", "copy", feeder.directory, target)
    side = publishing(target, tmp_path / "state", broker.url)
    async with subscriber(broker.url) as memory, side as running:
        for _ in range(8):
            copying = Process(log, *words)
            for _ in range(chance.randrange(30, 100)):
                feeder.measure(20)
                feeder.switch(1)
                await asyncio.sleep(0.01)
            copying.kill()
        with Process(log, *words):
            await running.until(
                lambda status: status["lanes"]["data"]["complete_through"] >= feeder.spooled, 30
            )
        await memory.until(lambda: memory.account().count >= feeder.spooled)
    assert memory.audit.ledger.lost == 0
    assert memory.account().disorder == 0
    assert log.read_text() == ""
    feeder.close()
