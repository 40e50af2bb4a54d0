"""What a running gateway learns of a device, over restarts of the whole daemon."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest

from brokers import Mosquitto, broker
from daemons import Process, events, running, said, wait_until, write_site
from modbus_peers import Asked, serving

__all__ = ["broker"]

pytestmark = [pytest.mark.lab, pytest.mark.slow]

LACKING, MOST = 37, 30
POINTS = "id,kind,address,type,scan,tags\n" + "".join(
    f"r{at},measurement,hr {at},u16,fast,feeder\n" for at in range(80)
)


class Device:
    """A Modbus server in a thread that lacks a register and takes short reads only."""

    def __init__(self) -> None:
        self.port = 0
        self.places: list[tuple[int, int, int]] = []
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=[self._serve()])

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *why: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)
        self._loop.close()

    async def _serve(self) -> None:
        async with serving() as server:
            server.answers = self._answer
            self.port = server.port
            self._ready.set()
            await self._over.wait()

    def _answer(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        self.places.append(asked.place)
        lacking = asked.address <= LACKING < asked.address + asked.count
        refused = lacking or asked.count > MOST
        writer.write(asked.refusal(2) if refused else asked.honest())


@pytest.fixture
def device() -> Iterator[Device]:
    with Device() as serving_:
        yield serving_


@pytest.fixture
def site(tmp_path: Path, broker: Mosquitto) -> Path:
    site = write_site(tmp_path / "site", broker.port)
    (site / "points/f1.csv").write_text(POINTS)
    text = (site / "site.yaml").read_text()
    first, _, rest = text.partition("  - id: f2")
    (site / "site.yaml").write_text(first + "defaults:" + rest.partition("defaults:")[2])
    return site


@contextmanager
def gateway(site: Path, device: Device) -> Iterator[Process]:
    """Run the daemon until it has polled the device some times."""
    endpoints = site / "endpoints.json"
    endpoints.write_text(json.dumps({"f1": {"url": f"tcp://127.0.0.1:{device.port}"}}))
    device.places.clear()
    with running(site, endpoints) as process:
        wait_until(lambda: len(device.places) > 40, process.log)
        yield process


def learned(site: Path) -> dict[str, object]:
    kept: dict[str, object] = json.loads((site / "state/devices/f1.json").read_text())["splits"]
    return kept


SETTLED = {(3, 0, 30), (3, 30, 7), (3, 38, 30), (3, 68, 12)}


def test_after_a_restart_no_request_goes_against_what_was_learned(
    site: Path, device: Device
) -> None:
    with gateway(site, device) as process:
        wait_until(lambda: set(device.places[-8:]) == SETTLED, process.log)
        logged = [event["event"] for event in events(process.log)]
    assert logged.count("request_size_learned") == 1
    assert logged.count("addresses_refused") == 1
    assert (learned(site)["sizes"], learned(site)["refused"]) == (
        {"registers": MOST},
        [["hr", LACKING, 1]],
    )
    with gateway(site, device) as process:
        assert set(device.places) == SETTLED
        assert said(site, "field")["devices"]["f1"]["state"] == "good"
        assert (
            "request_size_learned"
            not in [event["event"] for event in events(process.log)][len(logged) :]
        )


@pytest.mark.parametrize(
    "content",
    ["[" * 100_000, '{"device": "%", "splits": {"form": 9}}'],
)
def test_a_state_that_cannot_be_read_is_said_and_learned_anew(
    site: Path, device: Device, content: str
) -> None:
    state = site / "state/devices/f1.json"
    state.parent.mkdir(parents=True)
    of = f"tcp://127.0.0.1:{device.port} unit 1"
    state.write_text(content.replace("%", of), encoding="latin-1")
    with gateway(site, device) as process:
        wait_until(lambda: set(device.places[-8:]) == SETTLED, process.log)
        logged = [event["event"] for event in events(process.log)]
    assert {"device_state_unreadable", "learned_not_understood"} & {*logged}
    assert learned(site)["sizes"] == {"registers": MOST}


def test_a_point_that_left_the_map_is_forgotten_and_the_rest_is_not(
    site: Path, device: Device
) -> None:
    with gateway(site, device) as process:
        wait_until(lambda: set(device.places[-8:]) == SETTLED, process.log)
    shorter = "\n".join(line for line in POINTS.splitlines() if f"hr {LACKING}," not in line)
    (site / "points/f1.csv").write_text(shorter + "\n")
    with gateway(site, device) as process:
        wait_until(lambda: set(device.places[-8:]) == SETTLED, process.log)
        assert max(count for _, _, count in device.places) <= MOST
    assert learned(site)["refused"] == []
