"""What is calculated reaches a subscriber: a real server, real processes, a real broker."""

import asyncio
import os
import signal
import struct
import time
from collections.abc import Iterator
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
    modbus: {{url: "tcp://127.0.0.1:{port}", timeout_s: 0.3}}
calc:
  - device: c
    points:
      - {{id: s, unit: kVA, formula: sqrt(m1/p^2 + m1/q^2)}}
      - {{id: on, formula: "m1/cb == 'closed' and m1/p > 100"}}
      - {{id: share, formula: m1/p / m1/q}}
      - {{id: p, of: m1/p, aggregates: [min, mean, max, count, good_share], every_s: 1, grace_s: 0}}
      - {{id: relay, formula: m1/p + m1/relay}}
defaults: {{sensitivity: internal, tags: [feeder]}}
policy: policy.yaml
"""

POINTS = """\
id,kind,address,type,unit,states,tags
p,measurement,hr 0,i16,kW,,feeder
q,measurement,hr 1,i16,kvar,,feeder
cb,status,hr 2,u16,,1=open|2=closed,feeder
relay,measurement,hr 3,i16,kW,,protection
"""

POLICY = """\
config_version: 1
policy: {name: egress, version: 1}
vocabulary: {tags: [feeder, protection]}
zones: {bay: {purdue: 1}, it: {purdue: 4}}
conduits:
  analytics: {from: [bay], to: it, ceiling: internal}
rules:
  - {name: all, effect: allow, match: {device: [c]}, why: only what is calculated}
  - {name: no-relay, effect: deny, match: {tags_any: [protection]}, why: a test}
assertions:
  - {never: {tags_any: [protection]}, on: all, why: a test}
"""


class Plant:
    """The registers of a device; every value of power that was read, with its time."""

    def __init__(self) -> None:
        self.active, self.reactive, self.breaker = 300, 400, 2
        self.ramp = 0
        self.read: list[tuple[float, int]] = []

    def __call__(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        self.active += self.ramp
        self.read.append((time.time(), self.active))
        raw = struct.pack(">hhHh", self.active, self.reactive, self.breaker, 7)
        writer.write(asked.data(raw[2 * asked.address : 2 * (asked.address + asked.count)]))


def said(heard: Memory, name: str) -> list[tuple[float, Any, list[str]]]:
    """Return time, value and quality of everything that a point said."""
    return [
        ((one.t_us or samples.time_us) / 1e6, one.v, list(one.q))
        for samples in heard.samples
        for one in samples.points
        if one.id == name
    ]


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


def latest(heard: Memory, name: str) -> Any:
    found = said(heard, name)
    return found[-1][1] if found else None


async def test_formulas_and_windows_reach_a_subscriber_and_nothing_denied_does(
    folder: Path, broker: Mosquitto
) -> None:
    plant = Plant()
    async with serving() as server, subscriber(broker.url) as heard:
        server.answers = plant
        with gateway(folder, server):
            await heard.until(lambda: latest(heard, "s") == 500.0, limit_s=30)
            assert latest(heard, "on") is True
            plant.reactive, plant.breaker = 0, 1
            await heard.until(lambda: latest(heard, "on") is False)
            await heard.until(lambda: said(heard, "share")[-1][1] is None)
            assert said(heard, "share")[-1][2] == ["invalid", "overflow", "no_value"]
            plant.ramp = 3
            await heard.until(lambda: len(said(heard, "p_mean")) >= 3, limit_s=30)
    check_window(heard, plant)
    assert {samples.origin for samples in heard.samples} == {"calculated"}
    assert {samples.device for samples in heard.samples} == {"c"}
    assert not said(heard, "relay")


def check_window(heard: Memory, plant: Plant) -> None:
    """Hold the last window against what the device itself gave out."""
    end = said(heard, "p_mean")[-1][0]
    assert end % 1 == 0
    inside = [value for at, value in plant.read if end - 0.7 < at < end - 0.2]
    low, mean, high = (said(heard, f"p_{name}")[-1] for name in ("min", "mean", "max"))
    assert low[1] <= min(inside)
    assert high[1] >= max(inside)
    assert high[1] - low[1] <= plant.ramp * (said(heard, "p_count")[-1][1] + 1)
    assert low[1] < mean[1] < high[1]
    assert {low[1], high[1]} <= {value for _, value in plant.read}


@pytest.mark.slow
async def test_a_window_in_which_the_device_was_lost_says_so(
    folder: Path, broker: Mosquitto
) -> None:
    plant = Plant()
    async with serving() as server, subscriber(broker.url) as heard:
        server.answers = plant
        with gateway(folder, server):
            await heard.until(lambda: len(said(heard, "p_good_share")) >= 2, limit_s=30)
            server.refuses = True
            server.hang_up()
            await heard.until(lambda: said(heard, "p_mean")[-1][1] is None, limit_s=30)
            assert "comm_lost" in said(heard, "p_mean")[-1][2]
            assert said(heard, "p_good_share")[-1][1] == 0.0
            assert said(heard, "s")[-1][1:] == (500.0, ["invalid", "comm_lost"])
    shares = [value for _, value, _ in said(heard, "p_good_share")]
    assert any(0.0 < share < 1.0 for share in shares)


@pytest.mark.slow
async def test_a_changed_formula_is_swapped_and_a_window_goes_on(
    folder: Path, broker: Mosquitto
) -> None:
    plant = Plant()
    async with serving() as server, subscriber(broker.url) as heard:
        server.answers = plant
        with gateway(folder, server) as process:
            await heard.until(lambda: latest(heard, "s") == 500.0, limit_s=30)
            await heard.until(lambda: len(said(heard, "p_count")) >= 2, limit_s=30)
            site = folder / "site.yaml"
            site.write_text(site.read_text().replace("sqrt(m1/p^2 + m1/q^2)", "sqrt(4 * m1/p^2)"))
            os.kill(process.children["run"], signal.SIGHUP)
            await heard.until(lambda: latest(heard, "s") == 600.0)
            seen = len(said(heard, "p_good_share"))
            await heard.until(lambda: len(said(heard, "p_good_share")) >= seen + 2, limit_s=30)
    assert [value for _, value, _ in said(heard, "p_good_share")[2:]].count(1.0) >= 2
    assert {tuple(quality) for _, _, quality in said(heard, "p_count")[1:]} == {("good",)}
    await eventually(lambda: "reloaded" in (folder / "run.log").read_text())
