"""A box is replaced while its broker is away: what it had still to send is sent by the new one."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from brokers import Mosquitto, broker
from daemons import eventually, running, said, simulated, wait_until, write_site
from otgate.cli import main
from publishing import Memory, subscriber

__all__ = ["broker"]

pytestmark = [pytest.mark.lab, pytest.mark.slow]

LEAST = 60
"""Samples left to send."""


def listed(site: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(["spool", "ls", str(site), "--format", "json"]) == 0
    [told] = json.loads(capsys.readouterr().out)
    lanes: dict[str, Any] = told["lanes"]
    return lanes


def places(memory: Memory, epoch: str) -> set[int]:
    return {
        samples.seq + n
        for samples in memory.samples
        if (samples.lane, samples.epoch) == ("data", epoch)
        for n in range(len(samples.points))
    }


async def test_a_copy_of_spool_and_cursor_sends_the_rest_once_in_another_place(
    tmp_path: Path, broker: Mosquitto, capsys: pytest.CaptureFixture[str]
) -> None:
    old = write_site(tmp_path / "old", broker.port)
    with simulated(old) as endpoints:
        with running(old, endpoints) as gateway:
            wait_until(lambda: said(old, "bus-analytics").get("samples", 0) > 10, gateway.log)
            broker.kill()
            wait_until(lambda: listed(old, capsys)["data"]["acknowledged"]["left"] > LEAST)
        left = listed(old, capsys)["data"]
        [epoch] = left["epochs"]
        new = tmp_path / "new"
        shutil.copytree(old, new, ignore=shutil.ignore_patterns("run", "*.sock", "*.log"))
        shutil.rmtree(old / "spool")
        broker.start()
        async with subscriber(broker.url) as memory:
            rest = set(range(left["acknowledged"]["complete_through"], epoch["end_seq"]))
            with running(new, endpoints):
                await eventually(lambda: places(memory, epoch["epoch"]) >= rest)
                await eventually(lambda: len({samples.epoch for samples in memory.samples}) == 2)
            assert memory.audit.ledger.lost == 0
