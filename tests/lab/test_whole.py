"""The whole gateway as its user runs it: simulated devices, a real broker, real processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from paho.mqtt.subscribe import simple

from brokers import Mosquitto, broker, free_port
from daemons import (
    Process,
    events,
    published,
    running,
    said,
    simulated,
    spoil,
    verified,
    wait_until,
    write_site,
)
from otgate.model import Lane
from otgate.spool.reader import Epoch, SpoolReader

__all__ = ["broker"]

pytestmark = pytest.mark.lab


@pytest.fixture
def site(tmp_path: Path, broker: Mosquitto) -> Path:
    return write_site(tmp_path / "site", broker.port)


@pytest.fixture
def endpoints(site: Path) -> Iterator[Path]:
    with simulated(site) as found:
        yield found


@pytest.fixture
def gateway(site: Path, endpoints: Path) -> Iterator[Process]:
    with running(site, endpoints) as process:
        wait_until(lambda: published(site) > 0, process.log)
        yield process


def device(site: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = said(site, "field").get("devices", {}).get(name, {})
    return found


class Heard:
    """What `otgate watch --json` printed."""

    def __init__(self, url: str, folder: Path) -> None:
        self.path = folder / "heard.jsonl"
        self._stream = self.path.open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "otgate", "watch", url, "--json"],
            stdout=self._stream,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._stream.close()

    def samples(self, point: str) -> list[dict[str, Any]]:
        lines = map(json.loads, self.path.read_bytes().split(b"\n")[:-1])
        return [told for told in lines if f"{told.get('device')}/{told.get('point')}" == point]


def test_nothing_is_lost_and_nothing_denied_leaves(gateway: Process, broker: Mosquitto) -> None:
    code, printed = verified(broker.url, 4)
    assert code == 0, printed


def test_a_denied_point_is_in_no_file_the_bus_side_reads_and_no_message(
    gateway: Process, site: Path, broker: Mosquitto, tmp_path: Path
) -> None:
    with Heard(broker.url, tmp_path) as heard:
        wait_until(lambda: len(heard.samples("f1/ia")) > 3, gateway.log)
        told = heard.path.read_bytes()
    files = [path for name in ("spool", "state/bus") for path in (site / name).rglob("*")]
    for word in (b"secret", b"Relay current", b"Trip current"):
        assert word not in told
        assert not [path for path in files if path.is_file() and word in path.read_bytes()]


def test_a_silent_device_is_comm_lost_and_the_other_misses_no_slot(
    gateway: Process, site: Path, broker: Mosquitto, tmp_path: Path
) -> None:
    with Heard(broker.url, tmp_path) as heard:
        spoil(site, "f1", "silent")
        wait_until(lambda: device(site, "f1").get("state") == "lost", gateway.log)
        wait_until(
            lambda: any("comm_lost" in s["quality"] for s in heard.samples("f1/ia")), gateway.log
        )
        assert device(site, "f2")["overruns"] == 0
        assert device(site, "f2")["failures"] == 0
        spoil(site, "f1", "none")
        wait_until(lambda: device(site, "f1").get("state") == "good", gateway.log)
        wait_until(lambda: heard.samples("f1/ia")[-1]["quality"] == ["good"], gateway.log)
        assert all(s["value"] != 0 for s in heard.samples("f1/ia") if s["quality"] != ["good"])


def test_a_device_that_answers_with_exceptions_is_published_as_invalid(
    gateway: Process, site: Path, broker: Mosquitto, tmp_path: Path
) -> None:
    with Heard(broker.url, tmp_path) as heard:
        spoil(site, "f1", "exception")
        wait_until(lambda: "invalid" in newest(heard, "f1/ia")["quality"], gateway.log)
        spoil(site, "f1", "none")
        wait_until(lambda: newest(heard, "f1/ia")["quality"] == ["good"], gateway.log)
        assert all(s["value"] != 0 for s in heard.samples("f1/ia") if s["quality"] != ["good"])


def newest(heard: Heard, point: str) -> dict[str, Any]:
    return (heard.samples(point) or [{"quality": []}])[-1]


@pytest.mark.parametrize("fault", ["close", "garbage", "wrong-tid", "late"])
def test_a_faulty_device_is_never_good_and_recovers(
    gateway: Process, site: Path, fault: str
) -> None:
    spoil(site, "f1", fault)
    wait_until(lambda: device(site, "f1").get("state") != "good", gateway.log)
    spoil(site, "f1", "none")
    wait_until(lambda: device(site, "f1").get("state") == "good", gateway.log)
    assert device(site, "f2")["failures"] == 0


def test_a_broker_that_comes_back_gets_everything(
    gateway: Process, site: Path, broker: Mosquitto
) -> None:
    broker.kill()
    wait_until(lambda: not said(site, "bus-analytics").get("connected", True), gateway.log)
    before = published(site)
    broker.start()
    code, printed = verified(broker.url, 4)
    assert code == 0, printed
    assert published(site) > before


def test_a_broker_absent_at_the_start_is_waited_for(tmp_path: Path) -> None:
    port = free_port()
    site = write_site(tmp_path / "site", port)
    with simulated(site) as endpoints, running(site, endpoints) as process:
        wait_until(lambda: device(site, "f1").get("state") == "good", process.log)
        with Mosquitto(tmp_path / "late", port=port):
            wait_until(lambda: published(site) > 0, process.log)


@pytest.mark.parametrize("side", ["run", "bus"])
def test_a_killed_side_is_started_again_and_nothing_is_lost(
    gateway: Process, site: Path, broker: Mosquitto, side: str
) -> None:
    old = gateway.children
    os.kill(old[side], signal.SIGKILL)
    wait_until(lambda: gateway.children.get(side, old[side]) != old[side], gateway.log)
    wait_until(lambda: said(site, "field") and said(site, "bus-analytics"), gateway.log)
    code, printed = verified(broker.url, 3)
    assert code == 0, printed
    assert [e["event"] for e in events(gateway.log) if e["event"] == "side_died"] == ["side_died"]


def test_a_dead_field_side_never_looks_fresh(
    site: Path, endpoints: Path, broker: Mosquitto, tmp_path: Path
) -> None:
    bus = site / "bus" / "analytics.yaml"
    field = Process(site / "field.log", "run", site, "--field", "--endpoints", endpoints)
    with field, Process(site / "bus.log", "bus", bus) as side:
        wait_until(lambda: published(site) > 0, side.log)
        field.kill()
        wait_until(lambda: status_of(broker)["field"] == "lost", side.log, limit_s=25)


def status_of(broker: Mosquitto) -> dict[str, Any]:
    """Return the retained status of the gateway, as an independent client reads it."""
    topic = "otgate/v1/sub7/gw1/analytics/_gateway/status"
    message = simple(topic, hostname="127.0.0.1", port=broker.port)
    status: dict[str, Any] = json.loads(message.payload)
    return status


def test_a_stop_is_clean_and_says_so_to_the_broker(
    gateway: Process, site: Path, broker: Mosquitto
) -> None:
    children = gateway.children
    assert gateway.stop() == 0
    assert not [pid for pid in children.values() if Path(f"/proc/{pid}").exists()]
    assert status_of(broker)["bus"] == "stopped"
    assert not list((site / "run").glob("*.sock"))
    assert not [line for line in events(gateway.log) if line["level"] == "error"]


def test_status_shows_both_sides_to_a_person(gateway: Process, site: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "otgate", "status", site],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "state=good" in done.stdout
    assert "analytics" in done.stdout


def test_a_refused_site_ends_with_its_diagnostics(site: Path) -> None:
    (site / "site.yaml").write_text((site / "site.yaml").read_text().replace("unit: 1", "unti: 1"))
    done = subprocess.run(
        [sys.executable, "-m", "otgate", "run", site], capture_output=True, text=True, check=False
    )
    assert done.returncode == os.EX_CONFIG
    assert "unknown-key" in done.stderr
    assert "did you mean `unit`" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_log_line_repeats_while_a_device_stays_away(gateway: Process, site: Path) -> None:
    spoil(site, "f1", "close")
    wait_until(lambda: device(site, "f1").get("state") == "lost", gateway.log)
    time.sleep(2)
    told = [line for line in events(gateway.log) if line["event"] == "device_lost"]
    assert len(told) == 1


def test_a_clean_stop_leaves_nothing_spooled_and_unpublished(gateway: Process, site: Path) -> None:
    os.kill(gateway.children["run"], signal.SIGKILL)  # which must not be taken for the stop
    wait_until(lambda: device(site, "f1").get("state") == "good", gateway.log)
    stood = published(site)
    wait_until(lambda: published(site) > stood, gateway.log)
    assert gateway.stop() == 0
    reader = SpoolReader.open(site / "spool" / "analytics", site / "state" / "bus" / "analytics")
    left = [item for lane in Lane for item in reader.read(lane) if not isinstance(item, Epoch)]
    reader.close()
    assert left == []
