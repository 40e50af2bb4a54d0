"""Both sides of a whole gateway, asked as a scraper asks."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

import pytest

from brokers import Mosquitto, broker, free_port
from daemons import Process, running, said, simulated, spoil, wait_until, write_site
from otgate.observe.exposition import Metric
from otgate.observe.metrics import BUS, FIELD
from otgate.observe.scrape import fetched
from prometheus import Family, parsed

__all__ = ["broker"]

pytestmark = pytest.mark.lab

SOMETIMES = {
    "otgate_policy_end_timestamp_seconds", "otgate_certificate_end_timestamp_seconds",
    "otgate_clock_synchronised", "otgate_clock_error_bound_seconds",
    "otgate_audit_checkpoint_timestamp_seconds", "otgate_device_flat_points",
}  # fmt: skip
"""Metrics that are there where there is something to tell."""


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def site(tmp_path: Path, broker: Mosquitto, port: int) -> Path:
    site = write_site(tmp_path / "site", broker.port)
    with (site / "bus" / "analytics.yaml").open("a") as bus:
        bus.write(f'metrics: {{listen: "127.0.0.1:{port}"}}\n')
    return site


@pytest.fixture
def gateway(site: Path) -> Iterator[Process]:
    with simulated(site) as endpoints, running(site, endpoints) as process:
        wait_until(lambda: said(site, "bus-analytics").get("samples", 0) > 20, process.log)
        yield process


def metrics_of(site: Path, side: str) -> dict[str, Family]:
    code, text = fetched(site / "run" / f"{side}.metrics.sock", "/metrics")
    assert code == 200
    return parsed(text)


def names(metrics: tuple[Metric, ...]) -> set[str]:
    return {metric.name for metric in metrics} - SOMETIMES


def listening_ports(pid: int) -> set[int]:
    """Return the TCP ports that a process listens at."""
    inodes: set[str] = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since it was listed
            if match := re.fullmatch(r"socket:\[(\d+)\]", str(link.readlink())):
                inodes.add(match[1])
    rows = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]
    ]
    return {int(row[1].split(":")[1], 16) for row in rows if row[3] == "0A" and row[9] in inodes}


def test_each_side_tells_what_it_declares_and_no_denied_name_leaves(
    gateway: Process, site: Path, port: int
) -> None:
    field, bus = metrics_of(site, "field"), metrics_of(site, "bus-analytics")
    assert names(FIELD) == field.keys() - SOMETIMES
    assert names(BUS) == bus.keys() - SOMETIMES
    assert bus["otgate_published_samples_total"].value() >= 20
    assert field["otgate_samples_total"].value(origin="poll", validity="good") >= 20
    assert field["otgate_withheld_samples_total"].value(reason="denied") > 0
    assert field["otgate_device_state"].value(device="f1", state="good") == 1
    for side in (field, bus):
        assert side["otgate_audit_records_total"].value() > 0
        assert side["otgate_audit_disk_bytes"].value() > 0
    whole = bus["otgate_hop_duration_seconds"].series
    told = [value for (part, at), value in whole.items() if part.endswith("_sum")]
    assert all(value >= 0 for value in told)
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as reply:
        text = reply.read().decode()
    assert parsed(text).keys() == bus.keys()
    for word in ("secret", "Relay", "trip", "f1", "f2", "10.0.0."):
        assert word not in text
    children = gateway.children
    assert listening_ports(children["bus"]) == {port}
    assert listening_ports(children["run"]) == set()


@pytest.mark.slow
def test_an_outage_is_seen_in_the_metrics_while_it_lasts_and_after(
    gateway: Process, site: Path, broker: Mosquitto, port: int
) -> None:
    broker.kill()
    wait_until(lambda: not metrics_of(site, "bus-analytics")["otgate_broker_connected"].value())
    wait_until(lambda: lag(site) > 2, gateway.log)
    assert metrics_of(site, "bus-analytics")["otgate_spool_unread_bytes"].value(lane="data") > 0
    asked = [sys.executable, "-m", "otgate", "metrics", str(site), "--health"]
    assert subprocess.run(asked, check=False, capture_output=True).returncode == 0
    broker.start()
    wait_until(lambda: lag(site) == 0, gateway.log)
    hops = metrics_of(site, "bus-analytics")["otgate_hop_duration_seconds"]
    counts = {dict(at)["le"]: value for (part, at), value in hops.series.items()
              if part.endswith("_bucket") and ("hop", "spooled_to_published") in at}  # fmt: skip
    assert counts["+Inf"] > counts["1"], "what waited for the broker waited for seconds"


def lag(site: Path) -> float:
    return metrics_of(site, "bus-analytics")["otgate_spool_lag_seconds"].value(lane="data")


@pytest.mark.slow
def test_a_lost_device_is_counted_on_both_sides_and_named_on_the_field_side_alone(
    gateway: Process, site: Path, port: int
) -> None:
    spoil(site, "f1", "silent")
    wait_until(lambda: metrics_of(site, "field")["otgate_devices"].value(state="lost") == 1)
    field = metrics_of(site, "field")
    assert field["otgate_device_state"].value(device="f1", state="lost") == 1
    assert field["otgate_device_scan_failures_total"].value(device="f1") > 0
    assert field["otgate_samples_total"].value(origin="poll", validity="invalid") > 0
    wait_until(
        lambda: metrics_of(site, "bus-analytics")["otgate_field_devices"].value(state="lost") == 1
    )


def told_of(site: Path, name: str) -> tuple[float, float]:
    family = metrics_of(site, "field")[name]
    return family.value(device="f1"), family.value(device="f2")


@pytest.mark.slow
def test_what_a_device_refuses_and_spoils_is_counted_for_it_alone(
    gateway: Process, site: Path, port: int
) -> None:
    for fault, name in (
        ("exception", "otgate_device_exceptions_total"),
        ("garbage", "otgate_device_malformed_frames_total"),
    ):
        of_f1, of_f2 = told_of(site, name)
        spoil(site, "f1", fault)
        wait_until(lambda name=name, of_f1=of_f1: told_of(site, name)[0] > of_f1)
        assert told_of(site, name)[1] == of_f2


@pytest.mark.slow
def test_a_port_that_is_taken_stops_no_side(site: Path, port: int) -> None:
    with (
        socket.create_server(("127.0.0.1", port)),
        simulated(site) as endpoints,
        running(site, endpoints) as process,
    ):
        wait_until(lambda: said(site, "bus-analytics").get("samples", 0) > 20, process.log)
        assert "metrics_not_served" in process.log.read_text()
