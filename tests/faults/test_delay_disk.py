"""A conduit with a delay on a disk that is full, and what waits for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from delays import CB, IA, Plant
from disks import fill, small_disk
from otgate.errors import NotDurable

__all__ = ["small_disk"]


MANY = 2000
"""Samples in a batch that takes more than what is left of a file's last block."""


@pytest.fixture
def plant(small_disk: Path) -> Iterator[Plant]:
    made = Plant(small_disk / "site")
    made.egress.close()
    made.write("site.yaml", "size_mb: 64", "size_mb: 64, reserve_mb: 0")
    made.start()
    yield made
    made.egress.close()


async def test_what_falls_due_on_a_full_disk_leaves_when_there_is_room(
    plant: Plant, small_disk: Path
) -> None:
    await plant.burst(MANY).durable(20)
    await plant.measure(CB)
    plant.passes(60)
    fill(small_disk / "ballast")
    with pytest.raises(TimeoutError):
        await plant.settle(limit_s=1)
    assert plant.way.spool.error == "No space left on device"
    (small_disk / "ballast").unlink()
    assert await plant.after(0) == [1] * MANY + [2]
    assert plant.lost() == 0


async def test_a_kill_while_it_is_full_loses_nothing_that_waits(
    plant: Plant, small_disk: Path, tmp_path: Path
) -> None:
    await plant.burst(MANY).durable(20)
    await plant.measure(CB)
    plant.passes(60)
    fill(small_disk / "ballast")
    with pytest.raises(TimeoutError):
        await plant.settle(limit_s=1)
    plant.killed(into=tmp_path / "after")
    assert await plant.after(0) == [1] * MANY + [2]


async def test_what_comes_while_it_is_full_waits_as_long_as_what_came_before(
    plant: Plant, small_disk: Path
) -> None:
    await plant.measure(IA)
    fill(small_disk / "ballast")
    receipt = plant.burst(MANY)
    with pytest.raises(NotDurable):
        await receipt.durable(0.5)
    (small_disk / "ballast").unlink()
    await receipt.durable(20)
    assert await plant.after(59) == []
    assert await plant.after(1) == [1, *[2] * MANY]
