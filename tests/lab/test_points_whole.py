"""What a point map asks for reaches a subscriber: a real server, real processes, a real broker."""

import asyncio
import struct
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from brokers import Mosquitto, broker
from daemons import BUS, Process, eventually
from modbus_peers import Asked, Server, serving
from publishing import Memory, subscriber

__all__ = ["broker"]

pytestmark = pytest.mark.lab

SITE = """\
config_version: 1
site: {{id: sub7, gateway: gw1}}
devices:
  - id: m1
    driver: modbus
    zone: bay
    points: points/m1.csv
    scans: {{normal: 0.1}}
    ratios: {{ct: 400/5}}
    reporting: {{min_interval_s: 600}}
    modbus: {{url: "tcp://127.0.0.1:{port}"}}
defaults: {{sensitivity: internal}}
policy: policy.yaml
"""

POINTS = """\
id,kind,address,type,ratio,sf,rollover,latch,states
e,counter,hr 0,u32,,,full,yes,
big,counter,hr 2,u64,,,,,
low,counter,hr 6,i64,,,,,
fast,measurement,hr 10,u16,,,,yes,
slow,measurement,hr 10,u16,,,,,
w,measurement,hr 11,i16,ct,hr 12,,yes,
alarms,status,hr 13,flags,,,,,0=trip|3=door
"""

POLICY = """\
config_version: 1
policy: {name: egress, version: 1}
zones: {bay: {purdue: 1}, it: {purdue: 4}}
conduits:
  analytics: {from: [bay], to: it, ceiling: internal}
rules:
  - {name: all, effect: allow, match: {kind: [measurement, counter, status]}, why: a test}
"""


class Meter:
    """The registers of a device, as fields."""

    def __init__(self) -> None:
        self.energy, self.number, self.power, self.factor = 2**32 - 2, 1, 100, -1
        self.polls = 0

    def __call__(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        raw = struct.pack(
            ">IQqHhhH",
            self.energy, 2**63 + 11, -(2**62) - 3, self.number, self.power, self.factor, 9,
        )  # fmt: skip
        self.polls += 1
        writer.write(asked.data(raw[2 * asked.address : 2 * (asked.address + asked.count)]))


def values(heard: Memory, name: str) -> list[Any]:
    return [one.v for samples in heard.samples for one in samples.points if one.id == name]


@pytest.fixture
def folder(tmp_path: Path, broker: Mosquitto) -> Iterator[Path]:
    for name in ("points", "bus"):
        (tmp_path / name).mkdir()
    (tmp_path / "points/m1.csv").write_text(POINTS)
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "bus/analytics.yaml").write_text(BUS.format(port=broker.port))
    return tmp_path


def gateway(folder: Path, server: Server) -> Process:
    (folder / "site.yaml").write_text(SITE.format(port=server.port))
    return Process(folder / "run.log", "run", folder, "--log", "json")


async def next_polls(meter: Meter) -> None:
    """Return once a poll that began after now is over."""
    seen = meter.polls + 2
    await eventually(lambda: meter.polls >= seen)


async def test_whole_numbers_arrive_exactly_and_a_latch_sends_every_change(
    folder: Path, broker: Mosquitto
) -> None:
    meter = Meter()
    async with serving() as server, subscriber(broker.url) as heard:
        server.answers = meter
        with gateway(folder, server):
            await heard.until(lambda: values(heard, "slow") == [1], limit_s=30)
            for number, power, factor in ((2, 100, 0), (1, 11, 1), (3, 11, 1)):
                meter.number, meter.power, meter.factor = number, power, factor
                await next_polls(meter)
            await heard.until(lambda: values(heard, "fast")[-1:] == [3])
        changes = [value for value, _ in groupby(values(heard, "fast"))]  # the rest is quality
        assert changes == [1, 2, 1, 3]
        assert values(heard, "slow") == [1]
        assert values(heard, "w") == [800.0, 8000.0, 8800.0]
        assert values(heard, "big") == [str(2**63 + 11)]
        assert values(heard, "low") == [str(-(2**62) - 3)]
        assert values(heard, "alarms") == [9]


async def test_a_counter_that_rolled_over_goes_on_after_a_restart(
    folder: Path, broker: Mosquitto
) -> None:
    meter = Meter()
    async with serving() as server, subscriber(broker.url) as heard:
        server.answers = meter
        with gateway(folder, server) as process:
            await heard.until(lambda: values(heard, "e") == [2**32 - 2], limit_s=30)
            meter.energy = 5
            await heard.until(lambda: values(heard, "e")[-1] == 2**32 + 5)
            process.stop()
            meter.energy = 9
            process.start()
            await heard.until(lambda: values(heard, "e")[-1] == 2**32 + 9, limit_s=30)
    assert 9 not in values(heard, "e")
